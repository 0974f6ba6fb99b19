"""What `mbu-ops eval` needs before it measures: options that make sense, weights that fit, a judge and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mbu_ops.data import Source
from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops_cli.commands.train_judge import backbone_for, check_suits
from mbu_ops_cli.messages import log

if TYPE_CHECKING:
    from torch import nn

    from mbu_ops.evaluation.examples import Examples
    from mbu_ops.evaluation.judge import Judge
    from mbu_ops.evaluation.measurement import Follower
    from mbu_ops.evaluation.networks.image_features import ImageFeatures
    from mbu_ops.families.spec import FamilySpec
    from mbu_ops.weights import WeightsInfo


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure and how, as the command's options say."""

    weights: str | None
    compare: tuple[str, ...]
    judge: Path | None
    judges: tuple[Path, Path] | None
    then: str | None
    then_judge: Path | None
    judge_steps: int | None
    choosing: bool
    count: int
    threshold: float
    resolution: int
    partition: Literal["validation", "test"]
    seed: int
    family_out: Path | None


def note(line: str) -> None:
    """Say something on stderr."""
    log.info(line)


def check(source: Source, options: Options) -> None:
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
    if options.choosing and (judge is not None or options.judge_steps is not None):
        raise ConfigurationError("--choosing takes the family's own judge: leave --judge and --judge-steps out")
    if judge is not None and not judge.absolute().parent.is_dir():
        raise ConfigurationError(f"--judge {str(judge)!r}: there is no folder {str(judge.parent)!r}; make it first")
    if (options.then is None) != (options.then_judge is None):
        raise ConfigurationError("--then and --then-judge go together: weights, and who says whether they convince")
    if options.then is not None and source.with_:
        raise ConfigurationError("--then goes with --data and with drawn pictures: folders know one attribute only")


def follower_of(source: Source, options: Options) -> Follower | None:
    """Return the second attribute of chains, if one is wanted.

    Raises:
        ConfigurationError: if its weights have no default guides, or are of no attribute of this family.
        WeightsError: if its judge has learnt something else, or may have seen the pictures that are measured.
    """
    if options.then is None or options.then_judge is None:
        return None
    from mbu_ops.evaluation.judge import Judge
    from mbu_ops.evaluation.measurement import Follower
    from mbu_ops.ops.transfer import Transfer
    from mbu_ops.weights import guide_count, read_info, resolve

    path = resolve(options.then)[0]
    info, judge = read_info(path), Judge.load(options.then_judge)
    family, first = source.family, source.attribute
    others = [one for one in (family.attributes if family else ()) if first is None or one.name != first.name]
    attribute = next((one for one in others if one.name in info.attributes), None)
    if family is None or attribute is None or info.family != family.name or not guide_count(info):
        raise ConfigurationError(
            f"--then {options.then}: expected weights with default guides of another attribute of the same family, got "
            f"{guide_count(info)} guides of {info.family}/{', '.join(info.attributes)}"
        )
    theirs = source.alone(attribute)
    check_suits(judge, options.then_judge, theirs)
    return Follower(path, Transfer.from_pretrained(path, content=attribute.name), judge_of(judge, theirs))


def check_fit(path: Path, info: WeightsInfo, source: Source) -> None:
    """Make sure, before minutes of work, that these weights can be measured on this source.

    Raises:
        ConfigurationError: if they are of another attribute, or have seen the pictures.
    """
    family, attribute = source.family, source.attribute
    if family and attribute and info.family == family.name and attribute.name not in info.attributes:
        raise ConfigurationError(
            f"the weights in {str(path)!r} edit {', '.join(info.attributes)}, not {attribute.name}; give others"
        )
    pictures = info.training.get("pictures")
    pictures = pictures if isinstance(pictures, dict) else {}
    seen, shown = info.frame, None if source.frame.is_whole else source.frame.name
    if family and info.family == family.name and seen != shown and shown is not None:
        raise ConfigurationError(
            f"the weights in {str(path)!r} were trained on the frame {seen or family.frame().name}, not on "
            f"{shown or family.frame().name}: {f'add --frame {seen}' if seen else 'leave --frame out'}"
        )
    if not source.with_:
        return
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


def judges_of(source: Source, options: Options) -> tuple[Judge, Judge] | None:
    """Return the judges of both contents of a pair, if they are wanted.

    Raises:
        WeightsError: if one has learnt something else, or may have seen the pictures that are measured.
    """
    if options.judges is None:
        return None
    from mbu_ops.evaluation.judge import Judge
    from mbu_ops.families.registry import get_attribute

    judges = [Judge.load(path) for path in options.judges]
    if source.family is not None and source.data:
        for number, (path, content) in enumerate(zip(options.judges, source.contents, strict=True)):
            alone = source.alone(get_attribute(source.family, content))
            check_suits(judges[number], path, alone)
            judges[number] = judge_of(judges[number], alone)
    return judges[0], judges[1]


def networks_of(family: FamilySpec | None) -> tuple[nn.Module | None, ImageFeatures]:
    """Return what describes whose picture it is, if the family has it, and what describes how pictures look.

    Raises:
        MissingPackageError: if the package that holds their weights is not installed.
        PluginError: if the family's function fails.
        WeightsError: if their weights are damaged.
    """
    from mbu_ops.evaluation.networks import image_features
    from mbu_ops.families.registry import load_target, plugin_code

    features = image_features.pretrained()
    if family is None or family.identity is None:
        return None, features
    build = load_target(family, "identity")
    with plugin_code(family, "building its identity network"):
        return build(), features


def kept_judge(source: Source, options: Options) -> Judge | None:
    """Return the judge that is kept in a file, or the family's own where no file is named and nothing is to be trained.

    Raises:
        WeightsError: if it is none, has learnt something else, or may have seen the pictures that are measured.
    """
    from mbu_ops.evaluation.judge import Judge

    path = options.judge
    if path is not None and path.exists():
        judge = Judge.load(path)
        check_suits(judge, path, source)
        return judge_of(judge, source)
    if path is None and options.judge_steps is None:
        own = family_judge(source, "choose" if options.choosing else "report")
        if own is not None:
            return own
    if options.choosing:
        raise ConfigurationError(
            "--choosing takes the family's judge for choosing weights, and there is none for these pictures; train one "
            "(train-judge --people 1/2), and name it by --judge"
        )
    return None


def judge_of(judge: Judge, source: Source) -> Judge:
    """Return a judge telling what these pictures differ in, if it tells several contents."""
    if len(judge.contents) == 1 or source.attribute is None:
        return judge
    return judge.of(source.attribute.name)


def family_judge(source: Source, role: Literal["report", "choose"]) -> Judge | None:
    """Return the judge that a family brings for an attribute; None where it brings none, or pictures are drawn.

    Raises:
        MissingPackageError: if the package that holds it is not installed.
        PluginError: if the family's function cannot be loaded or fails.
    """
    family, attribute = source.family, source.attribute
    if family is None or family.judges is None or attribute is None or source.drawn or not source.frame.is_whole:
        return None
    from mbu_ops.families.registry import load_target, plugin_code

    build = load_target(family, "judges")
    with plugin_code(family, "reading its judge"):
        judge: Judge = build(role)
    # one attribute of a pair is the first against the second, which no judge of single attributes tells
    known = len(source.contents) == 1 and attribute.name in judge.contents
    return judge.of(attribute.name) if known else None


def trained_judge(source: Source, path: Path | None, steps: int | None) -> Judge:
    """Train a judge, and keep it if there is a path."""
    from mbu_ops.evaluation.judge import SIDE, STEPS, train_judge

    backbone = backbone_for(source)
    steps = steps or STEPS[backbone]
    judge = train_judge(
        {source.attribute.name if source.attribute else "content": source.training(SIDE, note)},
        steps,
        report=lambda step, loss: note(f"judge, step {step}: loss {loss:.3f}"),
        backbone=backbone,
    )
    judge.learnt = {**source.facts, "steps": steps}
    if path is not None:
        judge.save(path)
    return judge


def examples_of(source: Source, options: Options) -> Examples:
    """Return the pictures to measure on.

    Raises:
        DataError: if there are too few.
        PluginError: if drawing them fails.
    """
    from mbu_ops.evaluation.examples import Examples

    side = options.resolution
    if source.drawn and source.family is not None and source.attribute is not None:
        return Examples.drawn(source.family, source.attribute, side, options.count, options.partition)
    try:
        domains = source.unseen(side, note, options.count, options.seed, options.partition)
    except DataError as error:
        larger = "; a larger --holdout keeps more" if source.holdout else ""
        raise DataError(f"{error}{larger}") from error
    if domains is None:  # folders without a holdout are refused at the beginning
        raise DataError("expected pictures that training has not seen")
    return Examples.chosen(domains, options.count, options.seed, source.family, source.attribute)
