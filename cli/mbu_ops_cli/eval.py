"""`mbu-ops eval`: how good edits are, on pictures that training has not seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops_cli.options import echo_json, json_option
from mbu_ops_cli.sources import FOLDER, Source, source_options

if TYPE_CHECKING:
    from mbu_ops.evaluation.examples import Examples
    from mbu_ops.evaluation.figures import Figure
    from mbu_ops.evaluation.judge import Judge


@click.command(name="eval", short_help="Measure how good edits are, on pictures that training has not seen.")
@source_options
@click.option("--weights", metavar="NAME_OR_PATH", help="Weights to measure.  [default: the attribute's own]")
@click.option("--judge", type=FOLDER, help="Keep the judge in this file, and use the one that is there.")
@click.option(
    "--judge-steps", type=click.IntRange(min=1), default=1200, show_default=True, help="How long to train a new judge."
)
@click.option(
    "--count", type=click.IntRange(min=2), default=200, show_default=True, help="Pictures of each kind, at most."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Mask value from which a pixel counts as content, for the mask's overlap.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of pictures and guides.")
@click.option(
    "--family-out", type=FOLDER, help="Package of the family's plugin: write the figures into its weights.json."
)
@json_option
def evaluate(
    source: Source,
    weights: str | None,
    judge: Path | None,
    judge_steps: int,
    count: int,
    threshold: float,
    seed: int,
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
    if family_out is not None and (source.family is None or not (family_out / "weights.json").is_file()):
        raise ConfigurationError(
            "--family-out needs an --attribute, and its family's package with a weights.json in it"
        )
    from mbu_ops.evaluation.measure import measure

    def note(line: str) -> None:
        click.echo(line, err=True)

    examples = _examples(source, count, seed, note)
    figures = measure(weights, examples, _judge(source, judge, judge_steps, note), seed, threshold)
    if family_out is not None and source.family is not None and source.attribute is not None:
        _record(family_out / "weights.json", source.attribute.name, figures)
    if as_json:
        echo_json({"weights": weights, "figures": [_plain(figure) for figure in figures]})
    else:
        for figure in figures:
            click.echo(str(figure))


def _judge(source: Source, path: Path | None, steps: int, note: Callable[[str], None]) -> Judge:
    from mbu_ops.evaluation.judge import SIDE, Judge, train_judge

    if path is not None and path.exists():
        return Judge.load(path)
    judge = train_judge(
        source.training(SIDE, note), steps, report=lambda step, loss: note(f"judge, step {step}: loss {loss:.3f}")
    )
    if path is not None:
        judge.save(path)
    return judge


def _examples(source: Source, count: int, seed: int, note: Callable[[str], None]) -> Examples:
    from mbu_ops.evaluation.examples import Examples
    from mbu_ops.evaluation.judge import SIDE

    if source.drawn and source.family is not None and source.attribute is not None:
        return Examples.drawn(source.family, source.attribute, SIDE, count)
    domains = source.validation(SIDE, note)
    if domains is None:
        raise DataError("expected pictures that training has not seen: a validation partition, or a larger --holdout")
    return Examples.chosen(domains, count, seed, source.family, source.attribute)


def _record(manifest: Path, attribute: str, figures: list[Figure]) -> None:
    from mbu_ops.weights.manifest import record_metrics

    kept = ("add", "remove", "mask_iou", "remove_psnr")
    record_metrics(manifest, attribute, {figure.name: figure.value for figure in figures if figure.name in kept})


def _plain(figure: Figure) -> dict[str, object]:
    return {name: getattr(figure, name) for name in ("name", "title", "value", "low", "high", "count", "unit")}
