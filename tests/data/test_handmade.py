"""Hand-made masks: cut as their pictures are, and what is wrong with them named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.data.cutting import Picture
from mbu_ops.data.handmade import handmade_masks
from mbu_ops.errors import DataError
from mbu_ops.families.frames import FrameSpec

PICTURES = (Picture(Path("a/1.jpg")), Picture(Path("a/2.jpg"), (0.5, 0.0, 1.0, 1.0)), Picture(Path("a/3.jpg")))


def write(folder: Path, name: str, white: int = 255) -> None:
    folder.mkdir(exist_ok=True)
    mask = np.zeros((40, 80), np.uint8)
    mask[10:30, 40:60] = white
    Image.fromarray(mask).save(folder / name)


def test_masks_are_cut_as_their_pictures(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        write(tmp_path, name)
    masks, of = handmade_masks(tmp_path, PICTURES, 40)
    assert of.tolist() == [0, 1]
    assert masks.shape == (2, 1, 40, 40)
    assert masks.dtype == torch.uint8
    square, half = masks[:, 0] > 127
    assert square.nonzero().aminmax(dim=0).min.tolist() == [10, 20]  # the centred square begins at 20
    assert half.nonzero().aminmax(dim=0).min.tolist() == [10, 0]
    assert square.sum() == half.sum() == 400


def test_masks_are_of_any_size_and_frame(tmp_path: Path) -> None:
    write(tmp_path, "3.png")
    right = FrameSpec("right", within="whole", x=0.75, width=0.5, y=0.5, height=1.0)
    masks, of = handmade_masks(tmp_path, PICTURES, (20, 10), right)
    assert of.tolist() == [2]
    assert bool((masks[0, 0, 5:15] > 127).all())
    assert int(masks[0, 0, :4].max()) < 20  # the filter looks past the edge


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder of masks"):
        handmade_masks(tmp_path / "none", PICTURES, 8)
    with pytest.raises(DataError, match=r"with the content .1.png, 2.png, 3.png .*found none"):
        handmade_masks(tmp_path, PICTURES, 8)
    write(tmp_path, "1.png", white=3)
    with pytest.raises(DataError, match="nothing brighter than 3 of 255: numbers of parts"):
        handmade_masks(tmp_path, PICTURES, 8)
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="could not read a mask"):
        handmade_masks(tmp_path, PICTURES, 8)
