"""`mbu-ops edit`: redraw a photo to fit a mask that was edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.batch import Existing
from mbu_ops.errors import ImageFileError
from mbu_ops_cli.labelled import check_part_count
from mbu_ops_cli.limits import limit_options
from mbu_ops_cli.masks import (
    FILE,
    align_option,
    aligner_of,
    face_option,
    family_of,
    family_option,
    read_mask,
    weights_of,
    weights_option,
)
from mbu_ops_cli.messages import echo
from mbu_ops_cli.options import choose_device, device_option, existing_option, may_write, strip_option

if TYPE_CHECKING:
    from mbu_ops.images.file import Strip


@click.command(short_help="Redraw a photo to fit an edited mask.")
@click.option("-i", "--input", "source", type=FILE, required=True, help="The photo.")
@click.option("--mask", type=FILE, required=True, help="Its mask as parse wrote it, edited: PNG, of the photo's size.")
@click.option("-o", "--output", "out", type=FILE, required=True, help="File to write.")
@family_option
@weights_option
@face_option
@align_option
@strip_option
@existing_option
@limit_options
@device_option
def edit(
    source: Path,
    mask: Path,
    out: Path,
    family: str,
    weights: str | None,
    face: str | None,
    no_align: bool,
    existing: Existing,
    strip: Strip | None,
    device: str,
) -> None:
    """Redraw a photo to fit a mask that you edited: hair off the forehead, a wider mouth, raised brows.

    \b
    mbu-ops parse -i photo.jpg -o mask.png
    ... paint in mask.png ...
    mbu-ops edit -i photo.jpg --mask mask.png -o result.jpg

    Only what changed in the mask is redrawn, and a few pixels around it.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    from mbu_ops_cli.commands.chain import parse_face

    which = parse_face(face, placed=no_align)
    spec, anatomy = family_of(family)
    if not may_write(out, existing, source, mask):
        return
    found = weights_of(spec, anatomy, weights, "edit")
    import torch

    from mbu_ops import images
    from mbu_ops.frames.parts import FramedReshape
    from mbu_ops.ops.reshape import Reshape

    photo = images.read(source)
    labels = read_mask(mask, anatomy)
    if tuple(labels.shape[-2:]) != (photo.height, photo.width):
        raise ImageFileError(
            f"{mask}: expected a mask of the photo's size, {photo.width} x {photo.height}, got {labels.shape[-1]} x "
            f"{labels.shape[-2]}: edit the one that mbu-ops parse writes for this photo"
        )
    place = choose_device(device)
    op = Reshape.from_pretrained(found, device=place)
    check_part_count(found, op.part_count, anatomy)
    redraw = FramedReshape(op, aligner_of(spec, no_align, place), which)
    with torch.inference_mode():
        result = redraw(photo.to_tensor()[None].to(place), labels.to(place))[0].cpu()
    kept = replace(photo, kind=photo.kind.without(strip))
    images.write(out, result, kept, overwrite=existing == "overwrite")
    echo(str(out))
