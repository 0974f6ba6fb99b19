"""`mbu-ops eval --pairs`: how near edits come to photos that were really taken of the same person."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mbu_ops.errors import ConfigurationError
from mbu_ops.files import sha256_of
from mbu_ops.frames.choice import USUAL_VIEWS
from mbu_ops_cli.eval_setup import note
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.progress import progress
from mbu_ops_cli.sources import FOLDER

if TYPE_CHECKING:
    from torch import nn

    from mbu_ops.ops.chain import ChainSpec
    from mbu_ops.ops.plan import StepPlan

DEFAULT_STEP = "remove:smile"

_TOGETHER = ("pairs", "steps", "family", "out", "as_json")
"""The options of `mbu-ops eval` that --pairs goes with."""


def people_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options ``--pairs`` and ``--step``; with ``--pairs`` they do its work and it is not run."""

    @functools.wraps(command)
    def with_people(pairs: Path | None, steps: tuple[str, ...], **options: Any) -> Any:
        if pairs is None:
            if steps:
                raise ConfigurationError("--step says what to do with the photos of --pairs: add --pairs DIR")
            return command(**options)
        _refuse_others(click.get_current_context())
        shown = options["out"], options["as_json"]
        return measure_people_of(pairs, steps or (DEFAULT_STEP,), options["family"] or "faces", *shown)

    wrapped: Callable[..., Any] = with_people
    for option in (
        click.option(
            "--step",
            "steps",
            metavar="STEP",
            multiple=True,
            help=f"With --pairs: what to do with the photos, as mbu-ops chain takes it; several steps in quotes are "
            f"one edit; repeatable, to compare.  [default: {DEFAULT_STEP}]",
        ),
        click.option(
            "--pairs",
            type=FOLDER,
            help="Folder of people photographed with a smile and without it (NAME_smile.jpg, NAME_target.png, "
            "transforms.json): compare edits with the true photo. Needs no other pictures, and no judge.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


def _refuse_others(context: click.Context) -> None:
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in _TOGETHER and context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise ConfigurationError(
                f"--pairs needs none of the options that say which pictures or weights to measure: leave "
                f"{parameter.opts[0]} out, and name weights in a step, as in --step remove:./my-smile"
            )


def measure_people_of(folder: Path, steps: Sequence[str], family: str, out: Path | None, as_json: bool) -> None:
    """Measure steps on the people of a folder, and print the figures.

    Args:
        folder: where the photos are.
        steps: what to do with them: a chain each.
        family: family of the steps that name none.
        out: folder for a report with a sheet for each step.
        as_json: print one JSON object.

    Raises:
        MBUOpsError: if the folder or a step is malformed, or a photo cannot be edited.
    """
    from mbu_ops.evaluation.same_person import measure_people, people_sheet, read_people
    from mbu_ops.ops.chain import ChainSpec

    specs = {str(spec): spec for spec in map(ChainSpec.parse, steps)}
    plans = {name: _planned(name, spec, family) for name, spec in specs.items()}
    people = read_people(folder)

    from mbu_ops import images
    from mbu_ops.evaluation.figures import Figure
    from mbu_ops.evaluation.report import Report, table

    settings = {"pairs": folder.resolve().name, "people": [person.name for person in people], "views": USUAL_VIEWS}
    report = None if out is None else Report(out, settings)
    columns: dict[str, list[Figure]] = {}
    sheets: dict[str, list[Path]] = {}
    with progress(len(plans) * len(people), "measuring") as advance:
        for name, planned in plans.items():
            files = {f"file{number}": sha256_of(plan.path) for number, plan in enumerate(planned)}
            edit = _edit(planned)
            figures = report.figures(name, files) if report else None
            columns[name] = measure_people(people, edit, advance) if figures is None else figures
            if report is not None:
                report.add(name, files, columns[name])
                sheets[name] = [report.sheets(name) / "people.png"]
                images.write(sheets[name][0], people_sheet(people, edit), overwrite=True)
    if report is not None:
        note(str(report.write_table(f"The same people: {folder.resolve().name}", columns, sheets)))
    if as_json:
        steps_found = {name: [asdict(figure) for figure in figures] for name, figures in columns.items()}
        echo_json({"pairs": str(folder), "steps": steps_found})
    else:
        echo(table(columns) if len(columns) > 1 else "\n".join(map(str, *columns.values())))


def _planned(name: str, spec: ChainSpec, family: str) -> tuple[StepPlan, ...]:
    if spec.makes_mask:
        raise ConfigurationError(f"--step {name}: it makes a mask, and photos are compared; end with another verb")
    return spec.plan(family)


def _edit(plans: Sequence[StepPlan]) -> nn.Module:
    """Return what a step does to photos, as ``mbu-ops chain`` does it by default."""
    from mbu_ops.frames.aligners import family_to_align
    from mbu_ops.frames.chains import assemble_on_photos

    return assemble_on_photos(plans, family_to_align(plans))
