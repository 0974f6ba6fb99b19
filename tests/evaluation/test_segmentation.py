"""Hand-made masks: read with their pictures, and compared at thresholds that other pictures chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.errors import DataError
from mbu_ops.evaluation.segmentation import MaskedImages, best_threshold, overlaps


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Six pictures of 40x40 with a white block, whose value in the mask is 7; the last has none."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for index in range(6):
        pixels, labels = np.full((40, 40, 3), 50, np.uint8), np.full((40, 40), 3, np.uint8)
        if index < 5:
            pixels[10 : 20 + index, 10:30], labels[10 : 20 + index, 10:30] = 255, 7
        Image.fromarray(pixels).save(tmp_path / "images" / f"{index}.png")
        Image.fromarray(labels, "L").save(tmp_path / "masks" / f"{index}.png")
    return tmp_path / "images", tmp_path / "masks"


def test_pictures_that_show_it_come_with_their_masks(folders: tuple[Path, Path]) -> None:
    labelled = MaskedImages.read(*folders, [7], resolution=40)
    assert labelled.images.shape == (5, 3, 40, 40)
    assert labelled.masks.dtype == torch.bool
    assert torch.equal(labelled.masks, labelled.images[:, :1] > 0.6)
    shares = labelled.masks.float().mean((1, 2, 3))
    assert shares[0] == pytest.approx(200 / 1600, abs=0.01)
    assert len(MaskedImages.read(*folders, [3, 7]).images) == 6
    assert len(MaskedImages.read(*folders, [7], 40, least=0.145).images) == 3  # 240, 260 and 280 of 1600 pixels
    assert len(MaskedImages.read(*folders, [7], 40, most=0.145).images) == 2
    dark = MaskedImages.read(*folders, [3], 40, brightest=0.3)  # 50 of 255, and the block's blurred border
    assert len(dark.images) == 6
    with pytest.raises(DataError, match=r"no brighter than 0\.3"):
        MaskedImages.read(*folders, [7], 40, brightest=0.3)


def test_the_frame_may_reach_outside(folders: tuple[Path, Path]) -> None:
    whole = MaskedImages.read(*folders, [7], 40).masks[0, 0]
    wider = MaskedImages.read(*folders, [7], 60, box=(-10, -10, 50, 50)).masks[0, 0]
    assert torch.equal(wider[10:50, 10:50], whole)
    part = MaskedImages.read(*folders, [7], 20, box=(10, 10, 30, 30))
    assert part.masks[0, 0, :9].all()
    assert part.images[0, :, 0, 0].eq(1).all()


def test_what_cannot_be_read_is_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pictures, masks = folders
    with pytest.raises(DataError, match="not one; check the path"):
        MaskedImages.read(pictures, tmp_path / "none", [7])
    with pytest.raises(DataError, match="none of 6 is so"):
        MaskedImages.read(pictures, masks, [9])
    Image.fromarray(np.zeros((40, 30), np.uint8), "L").save(masks / "0.png")
    with pytest.raises(DataError, match="as large as"):
        MaskedImages.read(pictures, masks, [7])
    (masks / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="could not read"):
        MaskedImages.read(pictures, masks, [7])


def test_thresholds_are_chosen_on_other_pictures() -> None:
    truth = torch.zeros(40, 1, 8, 8, dtype=torch.bool)
    truth[:, :, 2:5, 2:6] = True
    soft = torch.where(truth, 0.4, 0.3)
    assert 0.3 < best_threshold(soft, truth) <= 0.4
    found, thresholds = overlaps(soft, truth)
    assert found.eq(1).all()
    assert all(0.3 < threshold <= 0.4 for threshold in thresholds)
    # a picture of its own kind cannot choose its own threshold
    odd = soft.clone()
    odd[0] *= 0.1
    assert overlaps(odd, truth)[0][0] == 0
