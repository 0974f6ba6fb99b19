"""`mbu-ops eval`: how good edits are, on pictures that training has not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops_cli.options import FiniteRange, echo_json, json_option
from mbu_ops_cli.sources import FOLDER, Source, source_options
from mbu_ops_cli.train_judge import JUDGE_STEPS, check_suits

if TYPE_CHECKING:
    from torch import nn

    from mbu_ops.evaluation.examples import Examples
    from mbu_ops.evaluation.figures import Figure
    from mbu_ops.evaluation.judge import Judge
    from mbu_ops.evaluation.networks.image_features import ImageFeatures
    from mbu_ops.families.spec import FamilySpec
    from mbu_ops.weights import WeightsInfo


@click.command(name="eval", short_help="Measure how good edits are, on pictures that training has not seen.")
@source_options
@click.option("--weights", metavar="NAME_OR_PATH", help="Weights to measure.  [default: the attribute's own]")
@click.option(
    "--compare", metavar="NAME_OR_PATH", multiple=True, help="More weights to measure, side by side; repeatable."
)
@click.option("--judge", type=FOLDER, help="Keep the judge in this file, and use the one that is there.")
@click.option(
    "--judge-steps",
    type=click.IntRange(min=1),
    default=JUDGE_STEPS,
    show_default=True,
    help="How long to train one.",
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
def evaluate(
    source: Source,
    weights: str | None,
    compare: tuple[str, ...],
    judge: Path | None,
    judge_steps: int,
    count: int,
    threshold: float,
    partition: Literal["validation", "test"],
    seed: int,
    out: Path | None,
    family_out: Path | None,
    as_json: bool,
) -> None:
    """Measure edits on pictures that training has not seen, by a judge trained on those that it has.

    \b
    Drawn pictures:   mbu-ops eval --attribute avatars/glasses
    CelebA's layout:  mbu-ops eval --attribute glasses --data celeba/
    Two folders:      mbu-ops eval --with hats/ --without nohats/ --holdout 0.1 --weights my-hats

    The judge is a small classifier of pictures with the content and without it; with --judge FILE it is kept for the
    next time. Every figure comes with its 95% interval and the number of pictures. Where the true mask or the true
    picture is known (drawn pictures know both), mask and removal are compared with them.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if weights is None:
        if source.family is None or source.attribute is None:
            raise ConfigurationError("expected --weights NAME_OR_PATH, or an --attribute whose own weights to measure")
        weights = f"{source.family.name}/{source.attribute.name}"
    if source.with_ and not source.holdout:
        raise ConfigurationError(
            "expected --holdout, the share that training left out: what it has seen proves nothing"
        )
    if source.with_ and partition != "validation":
        raise ConfigurationError("--partition goes with --data and with drawn pictures; folders have a --holdout")
    if family_out is not None and (source.family is None or not (family_out / "weights.json").is_file()):
        raise ConfigurationError(
            "--family-out needs an --attribute, and its family's package with a weights.json in it"
        )
    if judge is not None and not judge.absolute().parent.is_dir():
        raise ConfigurationError(f"--judge {str(judge)!r}: there is no folder {str(judge.parent)!r}; make it first")
    from mbu_ops.evaluation.measurement import Instruments, measure
    from mbu_ops.evaluation.report import Report, table
    from mbu_ops.evaluation.sheets import write_sheets
    from mbu_ops.weights import read_info, resolve
    from mbu_ops.weights.manifest import listed_entry, record_metrics

    def note(line: str) -> None:
        click.echo(line, err=True)

    paths = {name: resolve(name)[0] for name in (weights, *compare)}
    for path in paths.values():
        _check_fit(path, read_info(path), source, note)
    if family_out is not None:
        listed_entry(family_out / "weights.json", paths[weights])
    settings = {"pictures": source.facts, "partition": partition, "count": count, "seed": seed, "threshold": threshold}
    report = None if out is None else Report(out, settings)
    examples = _examples(source, count, seed, partition, note)
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}
    measured = {name: report.figures(name, digests[name]) if report else None for name in paths}
    if pending := [name for name, figures in measured.items() if figures is None]:
        describe, features = _networks(source.family)
        instruments = Instruments(_judge(source, judge, judge_steps, note), describe, features)
        for name in pending:
            if compare:
                note(f"measuring {name}")
            measured[name] = figures = measure(paths[name], examples, instruments, seed, threshold)
            if report is not None:
                report.add(name, digests[name], figures)
    columns = {name: figures or [] for name, figures in measured.items()}
    _say_what_is_left_out(columns[weights], note)
    if as_json:
        plain = {name: [_plain(figure) for figure in figures] for name, figures in columns.items()}
        echo_json({"weights": weights, "partition": partition, "figures": plain.pop(weights), "compared": plain})
    elif compare:
        click.echo(table(columns))
    else:
        for figure in columns[weights]:
            click.echo(str(figure))
    if report is not None:
        sheets = {name: write_sheets(report.sheets(name), path, examples, threshold) for name, path in paths.items()}
        title = source.attribute.title if source.attribute else "Report"
        note(str(report.write_table(title, columns, sheets)))
    if family_out is not None:
        kept = {figure.name: figure.value for figure in columns[weights] if figure.name in _LISTED}
        record_metrics(family_out / "weights.json", paths[weights], kept)


_LISTED = ("add", "remove", "mask_iou", "remove_psnr")
"""The figures that go into a manifest."""


def _check_fit(path: Path, info: WeightsInfo, source: Source, note: Callable[[str], None]) -> None:
    """Make sure, before minutes of work, that these weights can be measured on this source.

    Raises:
        ConfigurationError: if they are of another attribute, or have seen the pictures.
    """
    family, attribute = source.family, source.attribute
    if family and attribute and info.family == family.name and attribute.name not in info.attributes:
        raise ConfigurationError(
            f"the weights in {str(path)!r} edit {', '.join(info.attributes)}, not {attribute.name}; give others"
        )
    if not source.with_:
        return
    pictures = info.training.get("pictures")
    pictures = pictures if isinstance(pictures, dict) else {}
    origin, names = str(pictures.get("source", "")), {folder.resolve().name for folder in source.with_ + source.without}
    if origin and not any(name in origin for name in names):
        return  # learnt from other pictures altogether
    left_out = pictures.get("holdout")
    if not isinstance(left_out, int | float):
        note(f"note: the weights in {str(path)!r} do not say what their training left out")
    elif left_out < source.holdout:
        raise ConfigurationError(
            f"the weights in {str(path)!r} were trained with --holdout {left_out:g} and have seen pictures that "
            f"--holdout {source.holdout:g} would measure; use --holdout {left_out:g} or less"
            if left_out
            else f"the weights in {str(path)!r} have seen every picture: train with --holdout"
        )


def _networks(family: FamilySpec | None) -> tuple[nn.Module | None, ImageFeatures]:
    from mbu_ops.evaluation.networks import image_features
    from mbu_ops.families.registry import load_target, plugin_code

    features = image_features.pretrained()
    if family is None or family.identity is None:
        return None, features
    build = load_target(family, "identity")
    with plugin_code(family, "building its identity network"):
        return build(), features


def _say_what_is_left_out(figures: list[Figure], note: Callable[[str], None]) -> None:
    measured = {figure.name for figure in figures}
    for name, reason in (
        ("identity_add", "identity: the family has no network that describes whose picture it is"),
        ("kid_remove", "distances of sets: pip install 'mbu-ops[eval]'"),
        ("mask_iou", "mask IoU: nobody knows these pictures' true masks"),
        ("remove_psnr", "PSNR of removals: nobody knows these pictures without the content"),
    ):
        if name not in measured:
            note(f"left out: {reason}")


def _judge(source: Source, path: Path | None, steps: int, note: Callable[[str], None]) -> Judge:
    from mbu_ops.evaluation.judge import SIDE, Judge, train_judge

    if path is not None and path.exists():
        judge = Judge.load(path)
        check_suits(judge, path, source)
        return judge
    judge = train_judge(
        source.training(SIDE, note), steps, report=lambda step, loss: note(f"judge, step {step}: loss {loss:.3f}")
    )
    judge.learnt = {**source.facts, "steps": steps}
    if path is not None:
        judge.save(path)
    return judge


def _examples(
    source: Source, count: int, seed: int, partition: Literal["validation", "test"], note: Callable[[str], None]
) -> Examples:
    from mbu_ops.evaluation.examples import Examples
    from mbu_ops.evaluation.judge import SIDE

    if source.drawn and source.family is not None and source.attribute is not None:
        return Examples.drawn(source.family, source.attribute, SIDE, count, partition)
    try:
        domains = source.unseen(SIDE, note, count, seed, partition)
    except DataError as error:
        larger = "; a larger --holdout keeps more" if source.holdout else ""
        raise DataError(f"{error}{larger}") from error
    if domains is None:  # folders without a holdout are refused at the beginning
        raise DataError("expected pictures that training has not seen")
    return Examples.chosen(domains, count, seed, source.family, source.attribute)


def _plain(figure: Figure) -> dict[str, object]:
    return {name: getattr(figure, name) for name in ("name", "title", "value", "low", "high", "count", "unit")}
