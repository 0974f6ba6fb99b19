"""`mbu-ops train-judge`: a classifier of pictures with the content and without it, and how often it is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.data import Source
from mbu_ops.errors import ConfigurationError, DataError, WeightsError
from mbu_ops_cli.messages import echo, log
from mbu_ops_cli.options import choose_device, device_option
from mbu_ops_cli.sources import FOLDER, source_options

if TYPE_CHECKING:
    from mbu_ops.evaluation.judge import Backbone, Classifier

PEOPLE = re.compile(r"([1-9][0-9]?)/([1-9][0-9]?)")


def check_suits(judge: Classifier, path: Path, source: Source) -> None:
    """Make sure that a judge knows the content, and has not seen the pictures that are measured.

    Raises:
        WeightsError: if it has learnt something else, or from pictures that this source does not train on.
    """
    facts, learnt = source.facts, judge.learnt
    same = all(learnt.get(name) == facts.get(name) for name in ("family", "holdout", "frame", "found"))
    several = learnt.get("attributes")
    same &= facts["attribute"] in (several if isinstance(several, list) else [learnt.get("attribute")])
    known = all(_names(learnt.get(kind)) >= _names(facts[kind]) for kind in ("data", "with", "without"))
    known &= _names(learnt.get("only")) <= _names(facts["only"])  # a judge of more people knows these too
    if not (same and known and bool(learnt.get("drawn")) == bool(facts["drawn"])):
        raise WeightsError(
            f"the judge in {str(path)!r} has learnt from {learnt}, not from {facts}: it may have seen the pictures "
            "that are measured; use another file"
        )


def _names(value: object) -> set[str]:
    return {str(name) for name in value} if isinstance(value, list) else set()


class _Share(click.ParamType[tuple[int, int]]):
    """A share of the people, as in ``1/2``."""

    name = "K/N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = PEOPLE.fullmatch(str(value))
        number, count = (int(part) for part in found.groups()) if found else (0, 0)
        if not 0 < number <= count:
            self.fail(f"expected a part of the people as in 1/2 or 2/3, got {value!r}", param, ctx)
        return number, count


@click.command(short_help="Train a classifier that judges edits, or one that baselines need.")
@source_options
@click.option("--out", type=FOLDER, required=True, help="File to write.")
@click.option(
    "--also",
    metavar="NAME",
    multiple=True,
    help="Another attribute of --data that the same judge learns to tell; repeatable.",
)
@click.option(
    "--people",
    type=_Share(),
    metavar="K/N",
    help="Learn from the K-th of N equal parts of the training people of --data, so that two judges share nobody.",
)
@click.option(
    "--backbone",
    type=click.Choice(["efficientnet_lite0", "small"]),
    help="What the judge is built on: a network that knows ImageNet, or five convolutions.  [default: "
    "efficientnet_lite0; small for pictures that a family draws]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="How long it learns.  [default: 300 with efficientnet_lite0, 1200 otherwise]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of batches and new layers.")
@device_option
@click.option(
    "--map",
    "as_map",
    is_flag=True,
    help="Train one whose activation maps segment, for eval-masks --map, instead of a judge.",
)
@click.option("--count", type=click.IntRange(min=2), default=500, show_default=True, help="Held-out pictures, at most.")
def train_judge(
    source: Source,
    out: Path,
    also: tuple[str, ...],
    people: tuple[int, int] | None,
    backbone: Backbone | None,
    steps: int | None,
    seed: int,
    device: str,
    as_map: bool,
    count: int,
) -> None:
    """Train a classifier on the training pictures and print how often it is right on others.

    \b
    mbu-ops train-judge --attribute avatars/glasses --out judge.safetensors
    mbu-ops eval --attribute avatars/glasses --judge judge.safetensors
    mbu-ops train-judge --attribute glasses --also smile --data celeba --people 1/2 --out first.safetensors

    A judge that chose weights cannot grade them: train two on --people that they do not share, one to choose by and one
    to report by.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if out.exists():
        raise ConfigurationError(f"--out {str(out)!r} exists already; remove it, or name another file")
    if not out.absolute().parent.is_dir():
        raise ConfigurationError(f"--out {str(out)!r}: there is no folder {str(out.parent)!r}; make it first")
    source = replace(source, share=people or (1, 1))
    if as_map and (also or backbone):
        raise ConfigurationError("--map has a network of its own and tells one attribute: leave --also, --backbone out")
    from mbu_ops.evaluation.activation_map import ActivationMap
    from mbu_ops.evaluation.judge import SIDE, STEPS, Judge, train_classifier
    from mbu_ops.evaluation.judge import train_judge as train

    place = choose_device(device)

    note = log.info

    sources = _sources(source, also, people is not None, note)

    def report(step: int, loss: float) -> None:
        note(f"step {step}: loss {loss:.3f}")

    domains = {name: one.training(SIDE, note) for name, one in sources.items()}
    classifier: Classifier
    if as_map:
        steps = steps or STEPS["map"]
        classifier = train_classifier(ActivationMap, domains, steps, seed, report, place)
    else:
        backbone = backbone or backbone_for(source)
        steps = steps or STEPS[backbone]
        classifier = train(domains, steps, seed, report, backbone, place)
    classifier.learnt = {**source.facts, "steps": steps, "seed": seed}
    if also:
        classifier.learnt["attributes"] = list(sources)
    classifier.save(out)
    echo(str(out))
    for name, one in sources.items():
        if len(sources) > 1:
            echo(name)
        for line in _held_out(classifier.of(name) if isinstance(classifier, Judge) else classifier, one, count, note):
            echo(line)


def _held_out(judge: Classifier, source: Source, count: int, note: Callable[[str], None]) -> list[str]:
    """Return how often a classifier is right on pictures that it has not seen; says why where there are none."""
    from mbu_ops.evaluation.figures import balanced, share
    from mbu_ops.evaluation.judge import SIDE

    try:
        unseen = source.unseen(SIDE, note, count, seed=1)
    except DataError as error:
        note(f"not measured: {error}")
        return []
    if unseen is None:
        note("not measured: without --holdout there are no pictures that it has not seen")
        return []
    with_, without = (pixels.float() / 255 for pixels in (unseen.with_, unseen.without))
    right = judge.says_with(with_), ~judge.says_with(without)
    return [
        str(share("with", "right on pictures with it", right[0])),
        str(share("without", "right on pictures without it", right[1])),
        str(balanced(*right)),
    ]


def _sources(source: Source, also: tuple[str, ...], shared: bool, note: Callable[[str], None]) -> dict[str, Source]:
    """Return the pictures of each attribute that a judge is to tell.

    Raises:
        ConfigurationError: if the pictures know one attribute only, or one is named twice.
        FamilyError: if there is no such attribute.
    """
    if (also or shared) and not source.data:
        raise ConfigurationError("--also and --people go with --data: other pictures know one attribute, and no people")
    name = source.attribute.name if source.attribute else "content"
    if not also or source.family is None:
        return {name: source}
    if len(source.contents) > 1:
        raise ConfigurationError("--also goes with --attribute: --attributes trains one judge that tells two apart")
    from mbu_ops.families.registry import get_attribute

    sources = {name: source}
    for other in also:
        attribute = get_attribute(source.family, other)
        if attribute.name in sources:
            raise ConfigurationError(f"expected different attributes, got {attribute.name} twice; leave one out")
        if not attribute.with_rule:
            raise ConfigurationError(f"no labels of --data show {attribute.name!r}, as far as its family says")
        sources[attribute.name] = source.alone(attribute)
    return {name: _labelled(one, note) for name, one in sources.items()}


def _labelled(source: Source, note: Callable[[str], None]) -> Source:
    """Return the pictures without the folders whose labels do not tell the attribute, if others' do."""
    from mbu_ops.data.celeba import CelebA

    attribute = source.attribute
    if attribute is None:
        return source
    rules = (*attribute.with_rule, *attribute.without_rule)
    needed = {label.removeprefix("!") for rule in rules for label in rule} | set(attribute.balance)
    missing = {folder: sorted(needed - set(CelebA.read(folder).names)) for folder in source.data}
    kept = tuple(folder for folder in source.data if not missing[folder])
    if not kept:
        return source  # reading it says what is missing
    for folder in set(source.data) - set(kept):
        note(f"{attribute.name}: learnt without {folder.name}, which has no label {', '.join(missing[folder])}")
    return replace(source, data=kept)


def backbone_for(source: Source) -> Backbone:
    """Return what a judge is built on unless somebody says otherwise: drawings look like no photo that it knows."""
    return "small" if source.drawn else "efficientnet_lite0"
