"""Read many image files, framed and resized, into one uint8 tensor that stays in memory."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mbu_ops import images
from mbu_ops.data.cutting import Picture, Size, cut_file
from mbu_ops.errors import DataError, ImageFileError, ShapeError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec

_log = logging.getLogger(__name__)

MINIMUM_IMAGES = 8
"""Fewer pictures than this of a domain cannot show what the domain's content is."""


def load_files(
    pictures: Iterable[Picture],
    size: Size,
    frame: FrameSpec = WHOLE_FRAME,
    report: Callable[[str], None] | None = None,
) -> tuple[Tensor, list[int]]:
    """Decode image files, two at a time, into one tensor.

    Args:
        pictures: the files, and where the family's first frame lies in each.
        size: height and width that every frame is resized to, or the side of a square.
        frame: which of the family's frames to keep, in the sides of its first.
        report: called with one line for each file that cannot be read and is skipped; a logged warning by default.

    Returns:
        ``(N, 3, *size)`` uint8 RGB, and which of the pictures the N came from.

    Raises:
        DataError: if fewer than :data:`MINIMUM_IMAGES` of the files are readable images.
    """
    report = report or _log.warning
    files = list(pictures)

    def load(picture: Picture) -> np.ndarray | str:
        try:
            return cut_file(picture, size, frame)
        except ImageFileError as error:
            return f"skipped: {error}"
        except ShapeError as error:
            return f"skipped: {str(picture.path)!r}: {error}"

    loaded_pixels: list[np.ndarray] = []
    kept: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        for index, loaded in enumerate(pool.map(load, files)):
            if isinstance(loaded, str):
                report(loaded)
            else:
                loaded_pixels.append(loaded)
                kept.append(index)
    if len(loaded_pixels) < MINIMUM_IMAGES:
        where = f"{files[0].path.parent}" if files else "the folder"
        raise DataError(
            f"expected at least {MINIMUM_IMAGES} readable images, got {len(loaded_pixels)} of {len(files)} in {where}: "
            "add pictures, or check the path"
        )
    return torch.from_numpy(np.stack(loaded_pixels)).permute(0, 3, 1, 2).contiguous(), kept


def find_files(folders: Sequence[Path], keep: Callable[[Path], bool] | None = None) -> list[Path]:
    """Return the paths of every image in some folders and their subfolders.

    Args:
        folders: where to look.
        keep: which files to take; all of them when ``None``.

    Raises:
        DataError: if a folder is missing, or holds files and none is an image.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"expected a folder of images, got {str(folder)!r}, which is not one; check the path")
        try:
            found += [file.path for file in images.find([str(folder)])] if any(folder.iterdir()) else []
        except ImageFileError as error:
            raise DataError(str(error)) from error
    return [path for path in found if keep is None or keep(path)]


def load_folders(
    folders: Sequence[Path],
    size: Size,
    report: Callable[[str], None] | None = None,
    keep: Callable[[Path], bool] | None = None,
    frame: FrameSpec = WHOLE_FRAME,
) -> tuple[Tensor, tuple[Picture, ...]]:
    """Decode every image in some folders; the largest centred square of each is the family's first frame.

    Args:
        folders: where to look, see :func:`find_files`.
        size: height and width that every frame is resized to, or the side of a square.
        report: called with one line for each file that cannot be read.
        keep: which files to read; all of them when ``None``.
        frame: which of the family's frames to keep, in the sides of its first.

    Returns:
        ``(N, 3, *size)`` uint8 RGB, and the N files.

    Raises:
        DataError: if a folder is missing, or they hold too few readable images.
    """
    files = [Picture(path) for path in find_files(folders, keep)]
    pixels, kept = load_files(files, size, frame, report)
    return pixels, tuple(files[index] for index in kept)


def held_out(path: Path, share: float) -> bool:
    """Return whether a picture is among the share that is kept out of training, which its name alone decides.

    So pictures of one name in several folders (say, sizes) are on the same side, and stay there as folders grow.

    Args:
        path: the picture's path; only its name without folder and ending counts.
        share: how many to keep out, 0 to 1.

    Example:
        >>> held_out(Path("large/bag-17.png"), 0.1) == held_out(Path("small/bag-17.jpg"), 0.1)
        True
    """
    digest = hashlib.sha256(path.stem.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8]) < share * 2**64
