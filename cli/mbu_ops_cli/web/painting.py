"""A mask of parts, painted on the page: what the strokes say, and the photo redrawn to fit it."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mbu_ops import images
from mbu_ops.errors import ConfigurationError
from mbu_ops.families import Anatomy, FamilySpec
from mbu_ops.frames.choice import Which, choose
from mbu_ops.frames.parts import FramedParse, FramedReshape
from mbu_ops.images.memory import edited, mask_file
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import Reshape
from mbu_ops_cli.masks import aligner_of, family_of, weights_of
from mbu_ops_cli.options import choose_device
from mbu_ops_cli.web.choices import parts_name, result_name
from mbu_ops_cli.web.photos import Outcome, Photo, Strokes, outcome

Labels = NDArray[np.uint8]
"""Which part each pixel shows, ``(H, W)``."""

Region = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels of the photo."""

OPAQUE = 128
"""Strokes cover what they hide at least half of."""

AROUND = 0.25
"""How much is shown around a place, in its widths."""

CANVAS = 768
"""Longest side of what is painted on."""

TINT = 0.45
"""How much of the parts' colours is laid over the photo."""


def hex_colours(anatomy: Anatomy) -> list[str]:
    """Return the colours of parts as pages write them.

    Example:
        >>> from mbu_ops.families import get_family
        >>> hex_colours(get_family("faces").anatomy)[0]
        '#000000'
    """
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in anatomy.colours]


def parts_of(photo: Photo, family: FamilySpec, which: Which) -> Labels:
    """Return the parts of a photo, as ``mbu-ops parse`` finds them.

    Raises:
        FrameError: if there is nothing in it to take apart.
    """
    place = choose_device("auto")
    spec, anatomy = family_of(family.name)
    op = Parse.from_pretrained(weights_of(spec, anatomy, None, "parse"), device=place)
    parse = FramedParse(op, aligner_of(spec, False, place), which)
    with torch.inference_mode():
        labels: Labels = parse(photo.file.to_tensor()[None].to(place))[0, 0].cpu().numpy()
    return labels


def region(photo: Photo, which: Which) -> Region:
    """Return the rectangle around what may be painted: the places found, and some of what is around them."""
    whole = 0, 0, photo.file.width, photo.file.height
    if not photo.places:
        return whole
    corners = [corner for place in choose(photo.places, which) for corner in place.rectangle.corners]
    columns, rows = zip(*corners, strict=True)
    margin = AROUND * (max(columns) - min(columns))
    sides = min(columns) - margin, min(rows) - margin, max(columns) + margin, max(rows) + margin
    left, top, right, bottom = (round(side) for side in sides)
    return max(left, 0), max(top, 0), min(right, whole[2]), min(bottom, whole[3])


def tinted(photo: Photo, labels: Labels, anatomy: Anatomy, box: Region) -> Image.Image:
    """Return a rectangle of the photo as the page shows it, its parts in their colours."""
    left, top, right, bottom = box
    pixels = Image.fromarray(photo.file.in_8_bits()[top:bottom, left:right])
    colours = Image.fromarray(np.array(anatomy.colours, np.uint8)[labels[top:bottom, left:right]])
    scale = CANVAS / max(pixels.size)
    size = max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale))
    pixels, colours = pixels.resize(size, Image.Resampling.BICUBIC), colours.resize(size, Image.Resampling.NEAREST)
    return Image.blend(pixels, colours, TINT)


def painted(labels: Labels, strokes: Strokes, anatomy: Anatomy, box: Region) -> Labels:
    """Return a mask of parts with strokes over it: each pixel of one becomes the part whose colour is nearest.

    Args:
        labels: the mask.
        strokes: ``(h, w, 4)`` RGBA, of any size, over the rectangle.
        anatomy: the parts.
        box: the rectangle of the mask.

    Raises:
        ConfigurationError: if nothing was painted.

    Example:
        >>> from mbu_ops.families import get_family
        >>> strokes = np.zeros((2, 2, 4), np.uint8)
        >>> strokes[0, 0] = (*get_family("faces").anatomy.colours[1], 255)
        >>> painted(np.zeros((4, 6), np.uint8), strokes, get_family("faces").anatomy, (2, 0, 6, 4))[0].tolist()
        [0, 0, 1, 1, 0, 0]
    """
    left, top, right, bottom = box
    layer = np.asarray(Image.fromarray(strokes).resize((right - left, bottom - top), Image.Resampling.NEAREST))
    covered = layer[..., 3] >= OPAQUE
    if not covered.any():
        raise ConfigurationError("expected a part painted over the photo, got none: choose a colour and paint with it")
    apart = layer[covered][:, None, :3].astype(np.int32) - np.array(anatomy.colours, np.int32)
    changed = labels.copy()
    changed[top:bottom, left:right][covered] = np.square(apart).sum(2).argmin(1)
    return changed


@functools.cache
def _redraw(family: str) -> Reshape:
    spec, anatomy = family_of(family)
    return Reshape.from_pretrained(weights_of(spec, anatomy, None, "edit"), device=choose_device("auto"))


def redraw(photo: Photo, labels: Labels, family: FamilySpec, which: Which, folder: Path) -> Outcome:
    """Redraw a photo to fit a mask, as ``mbu-ops edit`` does.

    Args:
        photo: the photo.
        labels: its mask, painted.
        family: whose parts the mask shows.
        which: which of the places found to redraw.
        folder: where to write the files to download: the result, what changed, and the mask of parts.

    Raises:
        FrameError: if there is nothing in the photo to redraw.
    """
    place = choose_device("auto")
    spec, anatomy = family_of(family.name)
    op = FramedReshape(_redraw(family.name), aligner_of(spec, False, place), which)
    pixels = photo.file.to_tensor()[None].to(place)
    with torch.inference_mode():
        result = op(pixels, torch.from_numpy(labels)[None, None].to(place))
        changed = (result != pixels).any(1).to(pixels.dtype)
    image, mask = edited(photo.file, result[0].cpu()), mask_file(changed.cpu())
    name = photo.upload.name
    done = outcome(photo, image, mask, folder, result_name(name))
    images.write_labels(folder / parts_name(name), labels, anatomy.colours, overwrite=True)
    return Outcome(done.before, done.after, done.mask, (*done.files, folder / parts_name(name)), done.notices)
