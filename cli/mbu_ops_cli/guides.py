"""A contact sheet of a family's guide pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mbu_ops import images
from mbu_ops.families import GuideSpec
from mbu_ops.weights import read_guide

COLUMNS, WIDTH, LINE = 4, 320, 20
"""Pictures in a row, the width of each, and the height of the line that names it, in pixels."""


def write_guides(guides: Sequence[GuideSpec], path: Path, overwrite: bool) -> None:
    """Write all guide pictures side by side, each with its number and title; transparent ones on white.

    Args:
        guides: the pictures.
        path: where to.
        overwrite: whether an existing file may be replaced.

    Raises:
        ImageFileError: if it exists, or cannot be written.
        PluginError: if a guide's picture cannot be read.
    """
    cells = [_cell(number, guide) for number, guide in enumerate(guides)]
    height = max(cell.height for cell in cells)
    rows = math.ceil(len(cells) / COLUMNS)
    sheet = Image.new("RGB", (WIDTH * min(COLUMNS, len(cells)), height * rows), "white")
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % COLUMNS * WIDTH, number // COLUMNS * height))
    images.write(path, np.asarray(sheet), overwrite=overwrite)


def thumbnail(guide: GuideSpec) -> Image.Image:
    """Return a guide's picture, :data:`WIDTH` pixels wide; a transparent one on white.

    Args:
        guide: the picture.

    Raises:
        PluginError: if it cannot be read.

    Example:
        >>> from mbu_ops.families import get_family
        >>> thumbnail(get_family("faces").guides[0]).width
        320
    """
    picture = read_guide(guide)
    drawn = picture.to_pillow().convert("RGBA")
    pixels = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")
    return pixels.resize((WIDTH, max(1, round(WIDTH * picture.height / picture.width))), Image.Resampling.LANCZOS)


def _cell(number: int, guide: GuideSpec) -> Image.Image:
    pixels = thumbnail(guide)
    cell = Image.new("RGB", (WIDTH, pixels.height + LINE), "white")
    cell.paste(pixels, (0, 0))
    ImageDraw.Draw(cell).text((4, pixels.height + 3), f"{number}  {guide.title}", fill="black")
    return cell
