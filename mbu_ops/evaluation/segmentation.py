"""How well masks match hand-made ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from mbu_ops import images
from mbu_ops.errors import DataError, ImageFileError
from mbu_ops.evaluation.figures import intersection_over_union
from mbu_ops.images.reader import read_bytes

MASK_SUFFIX = ".png"
_MASK_FORMAT = "PNG"


@dataclass(frozen=True, slots=True)
class MaskedImages:
    """Images with hand-made masks of one thing.

    Attributes:
        images: ``(N, 3, R, R)`` RGB in [0, 1].
        masks: ``(N, 1, R, R)`` bool.
    """

    images: Tensor
    masks: Tensor

    @classmethod
    def read(
        cls,
        pictures: Path,
        masks: Path,
        values: Sequence[int],
        resolution: int = 128,
        box: tuple[float, float, float, float] | None = None,
        least: float = 0.01,
        most: float = 1.0,
        brightest: float = 1.0,
    ) -> MaskedImages:
        """Read pictures and, under the same names, indexed PNGs whose values say what each pixel shows.

        Args:
            pictures: folder of pictures.
            masks: folder of masks, as large as their pictures.
            values: which values are the thing.
            resolution: side of the square everything is resized to.
            box: left, top, right, bottom of the training frame in pixels of the pictures; it may reach outside, where
                the edge is repeated. All of the picture when ``None``.
            least: leave out pictures of whose frame the thing covers less.
            most: leave out pictures of whose frame it covers more.
            brightest: leave out pictures in which it is brighter than this on average (luma of Rec. 601; 0 is black),
                for weights that know it dark.

        Raises:
            DataError: if a folder is missing, a mask does not fit its picture, or nothing is left.
        """
        for folder in (pictures, masks):
            if not folder.is_dir():
                raise DataError(f"expected a folder, got {str(folder)!r}, which is not one; check the path")
        kept: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]] = []
        found = [file.path for file in images.find([str(pictures)])] if any(pictures.iterdir()) else []
        for path in found:
            mask = masks / f"{path.stem}{MASK_SUFFIX}"
            if mask.is_file():
                image, truth = _framed(path, mask, values, resolution, box)
                if least <= truth.mean() <= most and _brightness(image, truth) <= brightest:
                    kept.append((image, truth))
        if not kept:
            raise DataError(
                f"expected pictures in {str(pictures)!r} with masks of the same names in {str(masks)!r} that show "
                f"{', '.join(map(str, values))} on {least:g} to {most:g} of the frame, no brighter than "
                f"{brightest:g}; none of {len(found)} is so"
            )
        return cls(
            torch.from_numpy(np.stack([image for image, _ in kept])).permute(0, 3, 1, 2).float() / 255,
            torch.from_numpy(np.stack([truth for _, truth in kept]))[:, None],
        )


def _brightness(image: NDArray[np.uint8], truth: NDArray[np.bool_]) -> float:
    return float((image[truth] @ np.array([0.299, 0.587, 0.114])).mean() / 255) if truth.any() else 0.0


def _framed(
    path: Path, mask: Path, values: Sequence[int], resolution: int, box: tuple[float, float, float, float] | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    try:
        pixels = images.read(path).in_8_bits()
        with Image.open(BytesIO(read_bytes(mask)), formats=[_MASK_FORMAT]) as opened:
            if flaw := images.current_limits().flaw(*opened.size, bits=8, scans=0, file_bytes=0):
                raise DataError(f"{str(mask)!r}: {flaw}")
            labels = np.asarray(opened)
    except (ImageFileError, OSError, UnidentifiedImageError) as error:
        raise DataError(f"could not read {str(path)!r} and its mask: {error}") from error
    if labels.ndim != 2 or labels.shape != pixels.shape[:2]:
        raise DataError(
            f"expected {str(mask)!r} to be an indexed picture as large as {str(path)!r}, {pixels.shape[:2]}; got "
            f"{labels.shape}"
        )
    truth = np.isin(labels, values).astype(np.uint8) * 255
    height, width = labels.shape
    left, top, right, bottom = box or (0, 0, width, height)
    margin = int(max(0, -left, -top, right - width, bottom - height)) + 1
    region = (left + margin, top + margin, right + margin, bottom + margin)
    size = (resolution, resolution)
    framed = [
        np.asarray(
            Image.fromarray(np.pad(part, [(margin, margin)] * 2 + [(0, 0)] * (part.ndim - 2), mode="edge")).resize(
                size, Image.Resampling.BILINEAR, box=region
            )
        )
        for part in (pixels, truth)
    ]
    return framed[0], framed[1] > 127


def best_threshold(masks: Tensor, truth: Tensor) -> float:
    """Return the threshold of soft masks with the largest mean overlap, among 0.01, 0.02 ... 0.99.

    Args:
        masks: ``(N, 1, H, W)`` in [0, 1].
        truth: ``(N, 1, H, W)`` bool.

    Example:
        >>> soft = torch.tensor([[[[0.2, 0.6]]]])
        >>> 0.2 < best_threshold(soft, torch.tensor([[[[False, True]]]])) <= 0.6
        True
    """
    steps = [step / 100 for step in range(1, 100)]
    return max(steps, key=lambda step: float(intersection_over_union(masks >= step, truth).mean()))


def overlaps(masks: Tensor, truth: Tensor, seed: int = 0) -> tuple[Tensor, tuple[float, float]]:
    """Return each picture's overlap, at a threshold chosen on the other half of the pictures.

    Args:
        masks: ``(N, 1, H, W)`` in [0, 1], N at least 2.
        truth: ``(N, 1, H, W)`` bool.
        seed: of the halves.

    Returns:
        ``(N,)`` intersections over unions, and the two thresholds.
    """
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(masks)))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    found = torch.empty(len(masks))
    thresholds = []
    for chosen, measured in (halves, halves[::-1]):
        thresholds.append(best_threshold(masks[chosen], truth[chosen]))
        found[measured] = intersection_over_union(masks[measured] >= thresholds[-1], truth[measured]).float()
    return found, (thresholds[1], thresholds[0])
