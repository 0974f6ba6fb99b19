"""`mbu-ops eval-masks`: how well masks match hand-made ones, beside the baselines'."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbu_ops.errors import ConfigurationError
from mbu_ops_cli.completion import complete_weights
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import FiniteRange, json_option
from mbu_ops_cli.sources import FOLDER

if TYPE_CHECKING:
    from torch import Tensor


def _box(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4 or not (numbers[0] < numbers[2] and numbers[1] < numbers[3]):
        raise click.BadParameter(f"expected LEFT,TOP,RIGHT,BOTTOM in pixels, got {value!r}")
    return numbers


@click.command(name="eval-masks", short_help="Measure masks against hand-made ones.")
@click.option("--images", type=FOLDER, required=True, help="Folder of pictures.")
@click.option("--masks", type=FOLDER, required=True, help="Folder of indexed PNGs of the same names.")
@click.option(
    "--value",
    type=click.IntRange(0, 255),
    multiple=True,
    required=True,
    help="Mask value of the thing; repeatable.",
)
@click.option(
    "--weights",
    metavar="NAME_OR_PATH",
    shell_complete=complete_weights,
    multiple=True,
    help="Weights to measure; repeatable.",
)
@click.option("--map", "maps", type=FOLDER, multiple=True, help="Classifier of train-judge --map to measure.")
@click.option(
    "--difference",
    metavar="NAME_OR_PATH",
    multiple=True,
    help="Weights whose removals to compare with the input, pixel by pixel: the baseline without masks.",
)
@click.option(
    "--box", callback=_box, metavar="L,T,R,B", help="Training frame in pixels of the pictures.  [default: all of it]"
)
@click.option("--least", type=FiniteRange(0, 1), default=0.01, show_default=True, help="Least share of the frame.")
@click.option("--most", type=FiniteRange(0, 1), default=1.0, show_default=True, help="Greatest share of the frame.")
@click.option(
    "--brightest",
    type=FiniteRange(0, 1),
    default=1.0,
    show_default=True,
    help="Greatest brightness of the thing on average, for weights that know it dark.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the halves.")
@json_option
def eval_masks(
    images: Path,
    masks: Path,
    value: tuple[int, ...],
    weights: tuple[str, ...],
    maps: tuple[Path, ...],
    difference: tuple[str, ...],
    box: Any,
    least: float,
    most: float,
    brightest: float,
    seed: int,
    as_json: bool,
) -> None:
    """Measure how far masks and hand-made masks overlap (intersection over union).

    Each picture is measured at a threshold chosen on the other half of the pictures. Pictures are left out of whose
    frame the thing covers less than --least or more than --most, or in which it is brighter than --brightest.

    \b
    mbu-ops eval-masks --images faces/ --masks labels/ --value 13 --weights faces/hair_women --least 0.15
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if not (weights or maps or difference):
        raise ConfigurationError("expected something to measure: --weights, --map or --difference")
    if not least < most:
        raise ConfigurationError(f"expected --least below --most, got {least:g} and {most:g}")
    import torch

    from mbu_ops.evaluation.activation_map import ActivationMap
    from mbu_ops.evaluation.figures import mean
    from mbu_ops.evaluation.segmentation import MaskedImages, overlaps
    from mbu_ops.ops.remove import Remove
    from mbu_ops.ops.segment import Segment

    def removal_difference(name: str) -> Any:
        remove = Remove.from_pretrained(name)
        return lambda pixels: (remove.edit(pixels).raw - pixels).abs().mean(1, keepdim=True)

    def segmenting(name: str) -> Any:
        return Segment.from_pretrained(name)

    found: dict[str, Any] = {name: segmenting(name) for name in weights}
    found |= {f"activation map, {path.name}": ActivationMap.load(path).segment for path in maps}
    found |= {f"pixel difference, {name}": removal_difference(name) for name in difference}
    labelled = MaskedImages.read(images, masks, value, box=box, least=least, most=most, brightest=brightest)
    if len(labelled.images) < 2:
        raise ConfigurationError(f"expected at least 2 pictures that show it, got {len(labelled.images)}")
    rows = []
    for name, segment in found.items():
        with torch.no_grad():
            soft: Tensor = torch.cat([segment(chunk) for chunk in torch.split(labelled.images, 32)])
        each, thresholds = overlaps(soft, labelled.masks, seed)
        figure = mean("mask_iou", name, each)
        rows.append((figure, float(each.std()), thresholds))
    if as_json:
        echo_json(
            [
                {
                    "name": figure.title,
                    "value": figure.value,
                    "low": figure.low,
                    "high": figure.high,
                    "count": figure.count,
                    "deviation": deviation,
                    "thresholds": list(thresholds),
                }
                for figure, deviation, thresholds in rows
            ]
        )
        return
    for figure, deviation, thresholds in rows:
        echo(f"{figure}  deviation {deviation:.3f}, thresholds {thresholds[0]:g} and {thresholds[1]:g}")
