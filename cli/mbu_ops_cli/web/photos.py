"""The photo of the page: read within limits, searched for places, shown small, edited, and written for download."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import mbu_ops
from mbu_ops import images
from mbu_ops.errors import GuideWarning, MBUOpsError
from mbu_ops.families import FamilySpec, get_family
from mbu_ops.families.aligning import aligner
from mbu_ops.families.names import with_article
from mbu_ops.frames.aligners import GuardedAligner
from mbu_ops.images import ImageFile, Limits, limited
from mbu_ops_cli.limits import TIMEOUT
from mbu_ops_cli.options import choose_device
from mbu_ops_cli.web.choices import Order, Upload, in_plain_words

if TYPE_CHECKING:
    from mbu_ops.families.aligning import FrameLike

MAX_PIXELS = 64_000_000
"""Larger pictures are refused: phones take 50 million pixels at most of times, and each needs some 50 bytes here."""

SHOWN = 1024
"""Longest side of pictures on the page."""

Strokes = NDArray[np.uint8]
"""What was painted over a picture, ``(h, w, 4)`` RGBA."""

RECIPE = "look.toml"
"""Name of the file that keeps the steps."""

_YELLOW, _DARK = (255, 214, 10), (20, 20, 20)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that the page was given.

    Attributes:
        upload: its file.
        file: what is in it, upright.
        places: what was found in it, the largest first.
        problem: why there is nothing to edit in it, in words of the page; empty if there is.
    """

    upload: Upload
    file: ImageFile
    places: tuple[FrameLike, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a photo.

    Attributes:
        before: the photo, small.
        after: the result, small; the mask where that is the result.
        mask: what changed, small.
        files: the files to download: the result, and its mask if it has one.
        notices: what to tell about it.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    files: tuple[Path, ...]
    notices: tuple[str, ...] = field(default=())

    @property
    def middle(self) -> int:
        """Where the middle of what changed is, in per cent of the width: there one compares best."""
        columns = np.flatnonzero(self.mask.any((0, 2)))
        return round(100 * float(columns.mean()) / self.mask.shape[1]) if columns.size else 50


@functools.cache
def finder(name: str) -> GuardedAligner | None:
    """Return what finds a family's places in photos; None where it takes photos whole."""
    family = get_family(name)
    return None if family.aligner is None else GuardedAligner(family, aligner(family, choose_device("auto")))


def open_photo(upload: Upload, family: FamilySpec) -> Photo:
    """Read a photo and look for what can be edited in it.

    Args:
        upload: its file.
        family: whose places to look for.

    Raises:
        ImageFileError: if it is no picture that can be read, or too large.
    """
    try:
        with _limited():
            file = images.read(upload.path)
    except MBUOpsError as error:
        raise type(error)(in_plain_words(str(error), [upload])) from None
    return searched(Photo(upload, file), family)


def _limited() -> AbstractContextManager[None]:
    return limited(Limits(max_pixels=MAX_PIXELS, timeout=TIMEOUT))


def searched(photo: Photo, family: FamilySpec) -> Photo:
    """Return a photo with the places of a family in it."""
    found = finder(family.name)
    if found is None:
        return Photo(photo.upload, photo.file)
    with torch.inference_mode():
        places = found.find(photo.file.to_tensor()[None].to(choose_device("auto")))
    if places:
        return Photo(photo.upload, photo.file, places)
    problem = (
        f"expected {with_article(family.noun)} in the photo, found none: choose another photo, in which it is larger, "
        "upright and not covered"
    )
    return Photo(photo.upload, photo.file, problem=problem)


def preview(file: ImageFile) -> Image.Image:
    """Return a picture as the page shows it: RGB on white, no side longer than :data:`SHOWN`."""
    shown = Image.fromarray(file.in_8_bits())
    if file.alpha is not None:
        alpha = file.alpha if file.alpha.dtype == np.uint8 else (file.alpha >> 8).astype(np.uint8)
        shown = Image.composite(shown, Image.new("RGB", shown.size, "white"), Image.fromarray(alpha))
    shown.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return shown


def with_boxes(photo: Photo) -> NDArray[np.uint8]:
    """Return the photo as the page shows it, each place in a frame with its number."""
    shown = preview(photo.file)
    scale = shown.width / photo.file.width
    draw = ImageDraw.Draw(shown)
    line = max(2, round(max(shown.size) / 200))
    font = ImageFont.load_default(max(20, round(max(shown.size) / 18)))
    for number, place in reversed(list(enumerate(photo.places, 1))):
        corners = [(x * scale, y * scale) for x, y in place.rectangle.corners]
        draw.line([*corners, corners[0], corners[1]], _DARK, 3 * line, "curve")
        draw.line([*corners, corners[0], corners[1]], _YELLOW, line, "curve")
        left, top = min(corners, key=sum)
        box = draw.textbbox((max(0.0, left) + line, max(0.0, top) + line), str(number), font)
        draw.rectangle((box[0] - 2 * line, box[1] - line, box[2] + 2 * line, box[3] + 2 * line), _YELLOW)
        draw.text((max(0.0, left) + line, max(0.0, top) + line), str(number), _DARK, font)
    return np.asarray(shown)


def run(photo: Photo, order: Order, folder: Path) -> Outcome:
    """Edit a photo as it was asked for.

    Args:
        photo: the photo.
        order: what to do.
        folder: where to write the files to download.

    Raises:
        MBUOpsError: as :func:`mbu_ops.edit`; messages name pictures as they came.
    """
    spec = order.chain(private=True)
    with _limited(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GuideWarning)
        try:
            found = mbu_ops.edit(
                str(spec),
                photo.file,
                family=order.family,
                which=order.which,
                views=order.views,
                with_mask=not spec.makes_mask,
            )
        except MBUOpsError as error:
            raise type(error)(in_plain_words(str(error), order.uploads)) from error
    notices = [in_plain_words(str(one.message), order.uploads) for one in caught if one.category is GuideWarning]
    image, mask = (None, found) if spec.makes_mask else found
    if not mask.pixels.any():
        notices.append(
            "Nothing was changed: the weights see nothing to do here. Of steps that have it, presence=0 "
            "under 'Fine tuning' edits all the same."
        )
    done = outcome(photo, image, mask, folder, order.result, notices)
    recipe = folder / RECIPE
    recipe.write_text(order.recipe, encoding="utf-8")
    return replace(done, files=(*done.files, recipe))


def outcome(
    photo: Photo,
    image: ImageFile | None,
    mask: ImageFile,
    folder: Path,
    name: str,
    notices: Sequence[str] = (),
) -> Outcome:
    """Write the files of a result, and return them with what the page shows.

    Args:
        photo: the photo.
        image: the edited one; None where the mask is the result.
        mask: what changed.
        folder: where to write.
        name: of the result.
        notices: what to tell.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name]
    if image is None:
        images.write(files[0], mask.pixels, mask, overwrite=True)
    else:
        images.write(files[0], image.pixels, photo.file, overwrite=True)
        files.append(folder / f"{files[0].stem}.mask.png")
        images.write(files[1], mask.pixels, mask, overwrite=True)
    before, small = np.asarray(preview(photo.file)), np.asarray(preview(mask))
    after = small if image is None else np.asarray(preview(image))
    return Outcome(before, after, small, tuple(files), tuple(notices))
