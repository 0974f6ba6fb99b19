"""``mbu-ops weights calibrate``: teach weights to see whether there is something to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbu_ops.data import Source
from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.families.registry import frame_of
from mbu_ops_cli.completion import complete_weights
from mbu_ops_cli.messages import echo, log
from mbu_ops_cli.options import FiniteRange
from mbu_ops_cli.sources import FOLDER, source_options

if TYPE_CHECKING:
    from mbu_ops.weights import WeightsInfo


@click.command(short_help="Teach weights to leave pictures alone where there is nothing to do.")
@click.argument("name", metavar="NAME_OR_PATH", shell_complete=complete_weights)
@source_options
@click.option("--out", type=FOLDER, help="File to write.  [default: the weights themselves]")
@click.option("--steps", type=click.IntRange(min=1), default=1500, show_default=True, help="How long it learns.")
@click.option(
    "--missed",
    type=FiniteRange(min=0, max=0.5),
    default=0.02,
    show_default=True,
    help="Largest share of pictures with something to do that may be left alone by mistake.",
)
@click.option(
    "--count", type=click.IntRange(min=4), default=2000, show_default=True, help="Held-out pictures, at most."
)
def calibrate(name: str, source: Source, out: Path | None, steps: int, missed: float, count: int) -> None:
    """Train a small network that sees whether the content is there, and choose how sure it must be.

    Edits by these weights then leave pictures as they are where there is nothing to do (presence=0 edits all). It
    learns from the training pictures; half of the held-out ones choose the thresholds, the other half are counted. All
    other numbers of the weights stay the same.

    \b
    mbu-ops weights calibrate ./my-hats --with hats --without heads --holdout 0.1
    mbu-ops weights calibrate glasses.safetensors --attribute glasses --data celeba
    """  # noqa: D301 - click wants the control character
    from mbu_ops.weights import load, read_info, resolve, save

    path, _ = resolve(name)
    info = read_info(path)
    _check_suits(info, path, source)
    import torch

    from mbu_ops.evaluation.figures import share
    from mbu_ops.training.presence import probabilities, thresholds, train_presence

    note = log.info

    pretrained = load(path)
    model: Any = pretrained.model
    size = model.config.size
    unseen = source.unseen(size, note, count, seed=1)
    if unseen is None:
        raise ConfigurationError("expected --holdout, a share of the pictures to choose how sure it must be, got none")
    presence = train_presence(
        source.training(size, note), steps, report=lambda step, loss: note(f"step {step}: loss {loss:.3f}")
    )
    dtype = getattr(torch, info.dtype)
    presence = presence.to(dtype).float()  # what the file will hold
    with_, without = (probabilities(presence, pixels) for pixels in (unseen.with_, unseen.without))
    presence.thresholds = thresholds(with_[::2], without[::2], missed)
    facts = {"presence": {**source.facts, "steps": steps, "missed": missed}}
    written = replace(info, training={**info.training, **facts})
    save(out or path, model, written, pretrained.guides, dtype, presence)
    echo(str(out or path))
    with_, without = with_[1::2], without[1::2]
    for doing, sure, idle in (("remove", with_, without), ("add", 1 - without, 1 - with_)):
        least = presence.thresholds[doing]
        echo(f"{doing}: where it is at least {least:.4g} sure")
        echo(str(share("missed", "  something to do, left alone (missed)", sure < least)))
        echo(str(share("untouched", "  nothing to do, left alone", idle < least)))


def _check_suits(info: WeightsInfo, path: Path, source: Source) -> None:
    """Make sure that weights edit one content, and on the frame that the pictures are cut to.

    Raises:
        WeightsError: if they do not.
    """
    from mbu_ops.methods import get_method

    method = get_method(info.method)
    if method.info.contents != 1 or method.info.learns_from != "domains":
        raise WeightsError(f"{path}: expected weights that edit one content, got {info.method!r} weights")
    shown = frame_of(info.family, info.frame)
    if shown != source.frame and not (shown.is_whole and source.frame.is_whole):
        raise WeightsError(
            f"{path}: expected pictures of the frame that the weights see, {shown.name!r}, got {source.frame.name!r}: "
            "name it by --frame"
        )
