"""`mbu-ops train-judge`: a classifier of pictures with the content and without it, and how often it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.errors import ConfigurationError, DataError, WeightsError
from mbu_ops_cli.sources import FOLDER, Source, source_options

if TYPE_CHECKING:
    from mbu_ops.evaluation.judge import Classifier

JUDGE_STEPS = 1200


def check_suits(judge: Classifier, path: Path, source: Source) -> None:
    """Make sure that a judge knows the content, and has not seen the pictures that are measured.

    Raises:
        WeightsError: if it has learnt something else, or from pictures that this source does not train on.
    """
    facts, learnt = source.facts, judge.learnt
    same = all(learnt.get(name) == facts.get(name) for name in ("family", "attribute", "holdout", "frame", "found"))
    known = all(_names(learnt.get(kind)) >= _names(facts[kind]) for kind in ("data", "with", "without"))
    known &= _names(learnt.get("only")) <= _names(facts["only"])  # a judge of more people knows these too
    if not (same and known and bool(learnt.get("drawn")) == bool(facts["drawn"])):
        raise WeightsError(
            f"the judge in {str(path)!r} has learnt from {learnt}, not from {facts}: it may have seen the pictures "
            "that are measured; use another file"
        )


def _names(value: object) -> set[str]:
    return {str(name) for name in value} if isinstance(value, list) else set()


@click.command(short_help="Train a classifier that judges edits, or one that baselines need.")
@source_options
@click.option("--out", type=FOLDER, required=True, help="File to write.")
@click.option("--steps", type=click.IntRange(min=1), default=JUDGE_STEPS, show_default=True, help="How long it learns.")
@click.option(
    "--map",
    "as_map",
    is_flag=True,
    help="Train one whose activation maps segment, for eval-masks --map, instead of a judge.",
)
@click.option("--count", type=click.IntRange(min=2), default=500, show_default=True, help="Held-out pictures, at most.")
def train_judge(source: Source, out: Path, steps: int, as_map: bool, count: int) -> None:
    """Train a classifier on the training pictures and print how often it is right on others.

    \b
    mbu-ops train-judge --attribute avatars/glasses --out judge.safetensors
    mbu-ops eval --attribute avatars/glasses --judge judge.safetensors
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if out.exists():
        raise ConfigurationError(f"--out {str(out)!r} exists already; remove it, or name another file")
    if not out.absolute().parent.is_dir():
        raise ConfigurationError(f"--out {str(out)!r}: there is no folder {str(out.parent)!r}; make it first")
    from mbu_ops.evaluation.activation_map import ActivationMap
    from mbu_ops.evaluation.figures import share
    from mbu_ops.evaluation.judge import SIDE, Judge, train_classifier

    def note(line: str) -> None:
        click.echo(line, err=True)

    kind: type[Classifier] = ActivationMap if as_map else Judge
    classifier = train_classifier(
        kind, source.training(SIDE, note), steps, report=lambda step, loss: note(f"step {step}: loss {loss:.3f}")
    )
    classifier.learnt = {**source.facts, "steps": steps}
    classifier.save(out)
    click.echo(str(out))
    try:
        unseen = source.unseen(SIDE, note, count, seed=1)
    except DataError as error:
        note(f"not measured: {error}")
        return
    if unseen is None:
        note("not measured: without --holdout there are no pictures that it has not seen")
        return
    with_, without = (pixels.float() / 255 for pixels in (unseen.with_, unseen.without))
    click.echo(str(share("with", "right on pictures with it", classifier.says_with(with_))))
    click.echo(str(share("without", "right on pictures without it", ~classifier.says_with(without))))
