"""`mbu-ops eval`: how good edits are, on pictures that training has not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops_cli.options import FiniteRange, echo_json, json_option
from mbu_ops_cli.progress import progress
from mbu_ops_cli.sources import FOLDER, Source, source_options
from mbu_ops_cli.train_judge import JUDGE_STEPS, check_suits

if TYPE_CHECKING:
    from torch import nn

    from mbu_ops.evaluation.examples import Examples
    from mbu_ops.evaluation.figures import Figure
    from mbu_ops.evaluation.judge import Judge
    from mbu_ops.evaluation.measurement import Follower
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
    "--then",
    metavar="NAME_OR_PATH",
    help="Another attribute's weights: measure chains too, in which it is added after this one was added or removed.",
)
@click.option("--then-judge", type=FOLDER, help="Its judge, by train-judge on the same --data.")
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
    then: str | None,
    then_judge: Path | None,
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
    All that it draws: mbu-ops eval --family avatars
    CelebA's layout:  mbu-ops eval --attribute glasses --data celeba/
    Two folders:      mbu-ops eval --with hats/ --without nohats/ --holdout 0.1 --weights my-hats

    The judge is a small classifier of pictures with the content and without it; with --judge FILE it is kept for the
    next time. Every figure comes with its 95% interval and the number of pictures. Where the true mask or the true
    picture is known (drawn pictures know both), mask and removal are compared with them.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    options = Options(
        weights=weights,
        compare=compare,
        judge=judge,
        then=then,
        then_judge=then_judge,
        judge_steps=judge_steps,
        count=count,
        threshold=threshold,
        partition=partition,
        seed=seed,
        family_out=family_out,
    )
    if source.attribute is None and source.family is not None and not source.with_:
        echoed = _measure_all(source, options, out, as_json)
    else:
        echoed = _measure(source, options, out, as_json)
    if as_json:
        echo_json(echoed)


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure and how, as the command's options say."""

    weights: str | None
    compare: tuple[str, ...]
    judge: Path | None
    then: str | None
    then_judge: Path | None
    judge_steps: int
    count: int
    threshold: float
    partition: Literal["validation", "test"]
    seed: int
    family_out: Path | None


def _measure_all(source: Source, options: Options, out: Path | None, as_json: bool) -> dict[str, object]:
    """Measure each attribute of a family that draws its pictures by its own weights."""
    if options.weights or options.compare or options.judge or options.then or options.family_out:
        raise ConfigurationError(
            "without an --attribute, all of the family's are measured with their own weights and judges: leave "
            "--weights, --compare, --judge, --then and --family-out out, or name an --attribute"
        )
    found: dict[str, object] = {}
    for attribute in source.family.attributes if source.family else ():
        if not as_json:
            click.echo(f"{'' if not found else chr(10)}{attribute.name}")
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
    _check(source, options)
    from mbu_ops.evaluation.measurement import STAGES, Edits, Instruments, measure
    from mbu_ops.evaluation.report import Report, table
    from mbu_ops.evaluation.sheets import write_sheets
    from mbu_ops.weights import read_info, resolve
    from mbu_ops.weights.manifest import listed_entry, record_metrics

    paths = {name: resolve(name)[0] for name in (weights, *options.compare)}
    for path in paths.values():
        _check_fit(path, read_info(path), source, _note)
    follower = _follower(source, options)
    if options.family_out is not None:
        listed_entry(options.family_out / "weights.json", paths[weights])
    digests = {name: _digest(path) for name, path in paths.items()}
    settings = {name: getattr(options, name) for name in ("partition", "count", "seed", "threshold")}
    settings |= {"pictures": source.facts, "regions": digests[weights]}
    if follower is not None:
        settings["then"] = _digest(follower.weights)
    report = None if out is None else Report(out, settings)
    examples = _examples(source, options.count, options.seed, options.partition, _note)
    measured = {name: report.figures(name, digests[name]) if report else None for name in paths}
    if pending := [name for name, figures in measured.items() if figures is None]:
        describe, features = _networks(source.family)
        judge = _judge(source, options.judge, options.judge_steps, _note)
        instruments = Instruments(judge, describe, features, follower)
        regions = Edits.make(paths[weights], examples, options.seed).regions if options.compare else None
        with progress(len(STAGES) * len(pending), "measuring") as advance:
            for name in pending:
                if options.compare:
                    _note(f"measuring {name}")
                measured[name] = figures = measure(
                    paths[name], examples, instruments, options.seed, options.threshold, regions, lambda _: advance()
                )
                if report is not None:
                    report.add(name, digests[name], figures)
    columns = {name: figures or [] for name, figures in measured.items()}
    _say_what_is_left_out(columns[weights], _note)
    if not as_json:
        click.echo(table(columns) if options.compare else "\n".join(map(str, columns[weights])))
    if report is not None:
        sheets = {
            name: write_sheets(report.sheets(name), path, examples, options.threshold, follower)
            for name, path in paths.items()
        }
        title = source.attribute.title if source.attribute else "Report"
        _note(str(report.write_table(title, columns, sheets)))
    if options.family_out is not None:
        kept = {figure.name: figure.value for figure in columns[weights] if figure.name in _LISTED}
        record_metrics(options.family_out / "weights.json", paths[weights], kept)
    plain = {name: [_plain(figure) for figure in figures] for name, figures in columns.items()}
    figures_of_weights = plain.pop(weights)
    return {"weights": weights, "partition": options.partition, "figures": figures_of_weights, "compared": plain}


def _note(line: str) -> None:
    click.echo(line, err=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check(source: Source, options: Options) -> None:
    """Refuse what cannot be measured, before minutes of work."""
    if source.with_ and not source.holdout:
        raise ConfigurationError(
            "expected --holdout, the share that training left out: what it has seen proves nothing"
        )
    if source.with_ and options.partition != "validation":
        raise ConfigurationError("--partition goes with --data and with drawn pictures; folders have a --holdout")
    family_out = options.family_out
    if family_out is not None and (source.family is None or not (family_out / "weights.json").is_file()):
        raise ConfigurationError(
            "--family-out needs an --attribute, and its family's package with a weights.json in it"
        )
    judge = options.judge
    if judge is not None and not judge.absolute().parent.is_dir():
        raise ConfigurationError(f"--judge {str(judge)!r}: there is no folder {str(judge.parent)!r}; make it first")
    if (options.then is None) != (options.then_judge is None):
        raise ConfigurationError("--then and --then-judge go together: weights, and who says whether they convince")


def _follower(source: Source, options: Options) -> Follower | None:
    """Return the second attribute of chains, if one is wanted.

    Raises:
        ConfigurationError: if its weights have no default guides, or are of no attribute of this family.
        WeightsError: if its judge has learnt something else, or may have seen the pictures that are measured.
    """
    if options.then is None or options.then_judge is None:
        return None
    from mbu_ops.evaluation.judge import Judge
    from mbu_ops.evaluation.measurement import Follower
    from mbu_ops.weights import read_info, resolve

    path = resolve(options.then)[0]
    info, judge = read_info(path), Judge.load(options.then_judge)
    known = source.family.attributes if source.family else ()
    attribute = next((one for one in known if one.name in info.attributes), None)
    if attribute is None or not info.guides:
        raise ConfigurationError(
            f"--then {options.then}: expected weights with default guides of another attribute of the same family"
        )
    check_suits(judge, options.then_judge, replace(source, attribute=attribute))
    return Follower(path, judge)


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
