"""Read many image files, framed and resized, into one uint8 tensor that stays in memory."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mbu_ops import images
from mbu_ops.errors import DataError, ImageFileError

Frame = tuple[float, float, float, float]
"""Left, top, right, bottom of the square to keep, as fractions of the image's width and height."""

MINIMUM_IMAGES = 8
"""Fewer pictures than this of a domain cannot show what the domain's content is."""


def load_files(
    files: Iterable[Path], resolution: int, frame: Frame | None = None, report: Callable[[str], None] | None = None
) -> tuple[Tensor, list[int]]:
    """Decode image files, two at a time, into one tensor.

    Args:
        files: paths of the images.
        resolution: side of the square every image is resized to.
        frame: what part of each image to keep; the largest centred square when ``None``.
        report: called with one line for each file that cannot be read (stderr by default); such files are skipped.

    Returns:
        ``(N, 3, resolution, resolution)`` uint8 RGB, and which of ``files`` the N came from.

    Raises:
        DataError: if fewer than :data:`MINIMUM_IMAGES` of the files are readable images.
    """
    report = report or (lambda line: print(line, file=sys.stderr))
    files = list(files)

    def load(path: Path) -> np.ndarray | str:
        try:
            return _framed(path, resolution, frame)
        except ImageFileError as error:
            return f"skipped: {error}"

    pictures: list[np.ndarray] = []
    kept: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        for index, loaded in enumerate(pool.map(load, files)):
            if isinstance(loaded, str):
                report(loaded)
            else:
                pictures.append(loaded)
                kept.append(index)
    if len(pictures) < MINIMUM_IMAGES:
        where = f"{files[0].parent}" if files else "the folder"
        raise DataError(
            f"expected at least {MINIMUM_IMAGES} readable images, got {len(pictures)} of {len(files)} in {where}: "
            "add pictures, or check the path"
        )
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), kept


def load_folders(
    folders: Sequence[Path],
    resolution: int,
    report: Callable[[str], None] | None = None,
    keep: Callable[[Path], bool] | None = None,
) -> Tensor:
    """Decode every image in some folders and their subfolders; see :func:`load_files`.

    Args:
        folders: where to look.
        resolution: side of the square every image is resized to.
        report: called with one line for each file that cannot be read.
        keep: which files to read; all of them when ``None``.

    Raises:
        DataError: if a folder is missing, or they hold too few readable images.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"expected a folder of images, got {str(folder)!r}, which is not one; check the path")
        found += [file.path for file in images.find([str(folder)])] if any(folder.iterdir()) else []
    return load_files([path for path in found if keep is None or keep(path)], resolution, report=report)[0]


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


def _framed(path: Path, resolution: int, frame: Frame | None) -> np.ndarray:
    pixels = images.read(path).in_8_bits()
    height, width = pixels.shape[:2]
    if frame is None:
        side = min(height, width)
        box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    else:
        box = (frame[0] * width, frame[1] * height, frame[2] * width, frame[3] * height)
    size = (resolution, resolution)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, box=box))
