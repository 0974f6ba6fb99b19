"""`mbu-ops eval`: how good edits are, on pictures that training has not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbu_ops.data import Source
from mbu_ops.errors import ConfigurationError
from mbu_ops.files import sha256_of
from mbu_ops_cli.completion import complete_weights
from mbu_ops_cli.eval_people import people_options
from mbu_ops_cli.eval_setup import (
    Options,
    check,
    check_fit,
    examples_of,
    follower_of,
    kept_judge,
    networks_of,
    note,
    trained_judge,
)
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import FiniteRange, json_option
from mbu_ops_cli.progress import progress
from mbu_ops_cli.sources import FOLDER, source_options

if TYPE_CHECKING:
    from mbu_ops.evaluation.figures import Figure


class EvalCommand(click.Command):
    """The command; with ``--blind`` the one that lets people judge by eye."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Hand the arguments to ``eval-blind`` where ``--blind`` is among them."""
        if "--blind" not in args:
            return super().make_context(info_name, args, parent, **extra)
        from mbu_ops_cli.commands.eval_blind import eval_blind

        rest = [word for word in args if word != "--blind"]
        return eval_blind.make_context(f"{info_name} --blind", rest, parent, **extra)


@click.command(
    cls=EvalCommand, name="eval", short_help="Measure how good edits are, on pictures that training has not seen."
)
@click.option("--blind", is_flag=True, expose_value=False, help="Judge by eye: all other options are eval-blind's.")
@people_options
@source_options
@click.option(
    "--weights",
    metavar="NAME_OR_PATH",
    shell_complete=complete_weights,
    help="Weights to measure.  [default: the attribute's own]",
)
@click.option(
    "--compare", metavar="NAME_OR_PATH", multiple=True, help="More weights to measure, side by side; repeatable."
)
@click.option("--judge", type=FOLDER, help="Keep the judge in this file, and use the one that is there.")
@click.option(
    "--judges",
    type=FOLDER,
    nargs=2,
    metavar="FIRST SECOND",
    help="With --attributes: each attribute's own judge, by train-judge; they tell whether both agree.",
)
@click.option(
    "--then",
    metavar="NAME_OR_PATH",
    help="Another attribute's weights: measure chains too, in which it is added after this one was added or removed.",
)
@click.option("--then-judge", type=FOLDER, help="Its judge, by train-judge on the same --data.")
@click.option(
    "--judge-steps",
    type=click.IntRange(min=1),
    help="Train one this long, also where the family brings one.  [default: as train-judge]",
)
@click.option(
    "--choosing",
    is_flag=True,
    help="Ask the family's judge for choosing weights, so that its reporting one stays out of the choice.",
)
@click.option(
    "--count", type=click.IntRange(min=2), default=200, show_default=True, help="Pictures of each kind, at most."
)
@click.option(
    "--threshold",
    type=FiniteRange(0, 1),
    default=0.5,
    show_default=True,
    help="Mask value from which a pixel counts as content, for the mask's overlap.",
)
@click.option(
    "--resolution",
    type=click.IntRange(min=32, max=1024),
    default=128,
    show_default=True,
    help="Side of the pictures that are edited and compared, in pixels; judges see all of them at 128.",
)
@click.option(
    "--partition",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="Of labelled and of drawn pictures; choose settings on one, report the other.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Of the choice of guides, and of pictures where there are more than --count.",
)
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for a report: metrics.json, report.md with the table, and sheets of pictures; what is there already "
    "is not measured again.",
)
@click.option(
    "--family-out", type=FOLDER, help="Package of the family's plugin: write the figures into its weights.json."
)
@json_option
def evaluate(source: Source, out: Path | None, as_json: bool, **others: Any) -> None:
    """Measure edits on pictures that training has not seen, by a judge and by what the eye sees.

    \b
    Drawn pictures:   mbu-ops eval --attribute avatars/glasses
    All that it draws: mbu-ops eval --family avatars
    CelebA's layout:  mbu-ops eval --attribute glasses --data celeba/
    Two contents:     mbu-ops eval --attributes smile,glasses --data celeba/
    The same people:  mbu-ops eval --pairs london/ --step remove:smile --step adjust:smile,strength=-1
    Two folders:      mbu-ops eval --with hats/ --without nohats/ --holdout 0.1 --weights my-hats

    The judge is a classifier of pictures with the content and without it: the family's own where it knows the
    attribute, otherwise one trained on the training pictures; with --judge FILE that is kept for the next time. Every
    figure comes with its 95% interval and the number of pictures. Where the true mask or the true
    picture is known (drawn pictures know both), mask and removal are compared with them.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    options = Options(**others)
    if options.judges and len(source.contents) == 1:
        raise ConfigurationError("--judges goes with --attributes; for one attribute use --judge")
    if len(source.contents) > 1:
        from mbu_ops_cli.eval_pair import measure_pair

        echoed = measure_pair(source, options, out, as_json)
    elif source.attribute is None and source.family is not None and not source.with_:
        echoed = _measure_all(source, options, out, as_json)
    else:
        echoed = _measure(source, options, out, as_json)
    if as_json:
        echo_json(echoed)


def _measure_all(source: Source, options: Options, out: Path | None, as_json: bool) -> dict[str, object]:
    """Measure each attribute of a family that draws its pictures by its own weights."""
    if options.weights or options.compare or options.judge or options.then or options.family_out:
        raise ConfigurationError(
            "without an --attribute, all of the family's are measured with their own weights and judges: leave "
            "--weights, --compare, --judge, --then and --family-out out, or name an --attribute"
        )
    family = source.family
    if family is None or not family.attributes:
        raise ConfigurationError("the family has no attributes to measure")
    from mbu_ops.weights import resolve

    for attribute in family.attributes:
        resolve(f"{family.name}/{attribute.name}")  # raises now rather than after minutes of measuring the others
    found: dict[str, object] = {}
    for attribute in family.attributes:
        if not as_json:
            echo(f"{'' if not found else chr(10)}{attribute.name}")
        folder = None if out is None else out / attribute.name
        found[attribute.name] = _measure(replace(source, attribute=attribute), options, folder, as_json)
    return found


def _measure(source: Source, options: Options, out: Path | None, as_json: bool) -> dict[str, object]:
    """Measure one attribute, print the figures unless they are wanted as JSON, and return them as JSON holds them."""
    weights = options.weights
    if weights is None:
        if source.family is None or source.attribute is None:
            raise ConfigurationError("expected --weights NAME_OR_PATH, or an --attribute whose own weights to measure")
        weights = f"{source.family.name}/{source.attribute.name}"
    check(source, options)
    from mbu_ops.evaluation.edits import EditMasks
    from mbu_ops.evaluation.measurement import STAGES, Instruments, measure
    from mbu_ops.evaluation.report import Report, table
    from mbu_ops.evaluation.sheets import write_sheets
    from mbu_ops.weights import load_pretrained, pin, read_info, resolve
    from mbu_ops.weights.manifest import listed_entry, record_metrics

    weights, *compared = map(pin, (weights, *options.compare))
    paths = {name: resolve(name)[0] for name in (weights, *compared)}
    for path in paths.values():
        check_fit(path, read_info(path), source)
    follower = follower_of(source, options)
    if options.family_out is not None:
        listed_entry(options.family_out / "weights.json", paths[weights])
    judge = kept_judge(source, options)
    learnt = judge.learnt if judge else {**source.facts, "steps": options.judge_steps}
    judged = {"judge": learnt, "then": None if follower is None else follower.judge.learnt}
    settings = {name: getattr(options, name) for name in ("partition", "count", "seed", "threshold", "resolution")}
    report = None if out is None else Report(out, settings | judged | {"pictures": source.facts})
    shared = {"regions": _digest(paths[weights])} | ({} if follower is None else {"then": _digest(follower.weights)})
    files = {name: {"sha256": _digest(path), **shared} for name, path in paths.items()}
    examples = examples_of(source, options)
    content = source.attribute.name if source.attribute else None
    loaded = {name: load_pretrained(path, content=content) for name, path in paths.items()}
    measured = {name: report.figures(name, files[name]) if report else None for name in paths}
    if pending := [name for name, figures in measured.items() if figures is None]:
        describe, features = networks_of(source.family)
        judge = judge or trained_judge(source, options.judge, options.judge_steps)
        instruments = Instruments(judge, describe, features, follower)
        edit_masks = EditMasks.of(loaded[weights], examples, options.seed) if options.compare else None
        with progress(STAGES * len(pending), "measuring") as advance:
            for name in pending:
                if options.compare:
                    note(f"measuring {name}")
                measured[name] = figures = measure(
                    loaded[name], examples, instruments, options.seed, options.threshold, edit_masks, advance
                )
                if report is not None:
                    report.add(name, files[name], figures)
    columns = {name: figures or [] for name, figures in measured.items()}
    _say_what_is_left_out(columns[weights])
    if not as_json:
        echo(table(columns) if options.compare else "\n".join(map(str, columns[weights])))
    if report is not None:
        sheets = {
            name: write_sheets(report.sheets(name), one, examples, options.threshold, follower, paths[name].name)
            for name, one in loaded.items()
        }
        title = source.attribute.title if source.attribute else "Report"
        note(str(report.write_table(title, columns, sheets)))
    if options.family_out is not None:
        kept = {figure.name: figure.value for figure in columns[weights] if figure.name in _LISTED}
        record_metrics(options.family_out / "weights.json", paths[weights], kept)
    plain = {name: [_plain(figure) for figure in figures] for name, figures in columns.items()}
    figures_of_weights = plain.pop(weights)
    return {"weights": weights, "partition": options.partition, "figures": figures_of_weights, "compared": plain}


def _digest(path: Path) -> str:
    return sha256_of(path)


_LISTED = ("add", "remove", "mask_iou", "remove_psnr")
"""The figures that go into a manifest."""


def _say_what_is_left_out(figures: list[Figure]) -> None:
    measured = {figure.name for figure in figures}
    for name, reason in (
        ("spot_remove", "spot the edit: too few pictures with and without the content are alike in their other labels"),
        ("identity_add", "identity: the family has no network that describes whose picture it is"),
        ("kid_remove", "distances of sets: pip install 'mbu-ops[eval]'"),
        ("mask_iou", "mask IoU: nobody knows these pictures' true masks"),
        ("remove_psnr", "PSNR of removals: nobody knows these pictures without the content"),
    ):
        if name not in measured:
            note(f"left out: {reason}")


def _plain(figure: Figure) -> dict[str, object]:
    return {name: getattr(figure, name) for name in ("name", "title", "value", "low", "high", "count", "unit")}
