"""Masks that people made: pictures that are white where a content is, by the names of the pictures that show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mbu_ops.data.cutting import Picture, Size, cut_file
from mbu_ops.errors import DataError, ImageFileError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec

_WHITE = 128


def handmade_masks(
    folder: Path, pictures: Sequence[Picture], size: Size, frame: FrameSpec = WHOLE_FRAME
) -> tuple[Tensor, Tensor]:
    """Read the masks of pictures, cut as these are.

    Args:
        folder: holds ``NAME.png`` for a picture ``NAME.jpg``, of any size, white where the content is and else black.
        pictures: the pictures, and where the family's first frame lies in each.
        size: height and width of the masks, or the side of square ones.
        frame: which of the family's frames to keep, in the sides of its first.

    Returns:
        ``(K, 1, *size)`` uint8, and which of the pictures they belong to, ``(K,)`` int64.

    Raises:
        DataError: if the folder is missing, has no mask for any picture, or holds a mask that cannot be read or shows
            numbers of parts instead of black and white.
    """
    if not folder.is_dir():
        raise DataError(f"expected a folder of masks, got {str(folder)!r}, which is not one; check the path")
    masks, of = [], []
    for index, picture in enumerate(pictures):
        path = folder / f"{picture.path.stem}.png"
        if not path.is_file():
            continue
        try:
            mask = torch.from_numpy(cut_file(picture._replace(path=path), size, frame).max(-1))
        except ImageFileError as error:
            raise DataError(f"could not read a mask: {error}") from error
        if 0 < int(mask.max()) < _WHITE:
            raise DataError(
                f"expected {str(path)!r} to be white where the content is, got nothing brighter than {int(mask.max())} "
                "of 255: numbers of parts have to be made black and white first"
            )
        masks.append(mask)
        of.append(index)
    if not masks:
        examples = ", ".join(f"{picture.path.stem}.png" for picture in pictures[:3])
        raise DataError(
            f"expected masks by the names of the pictures with the content ({examples} ...) in {str(folder)!r}, found "
            "none"
        )
    return torch.stack(masks)[:, None], torch.tensor(of)
