"""Where edits may change a face: on the portrait, in the frame that its box names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mbu_ops.data.pairs import found_regions
from mbu_ops.families import get_family
from mbu_ops.functional.mask import resize
from mbu_ops_faces.regions import regions

from ..portraits import portrait, texture

FACES = get_family("faces")


def framed(side: int = 128) -> Tensor:
    """The portrait as a model sees it."""
    box = FACES.samples[0].box
    assert box is not None
    face = portrait().crop(box).resize((side, side), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(face)).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def face() -> Tensor:
    return regions("glasses", framed())[0, 0]


def test_the_region_is_a_mask_of_the_images_size(face: Tensor) -> None:
    assert face.shape == (128, 128)
    assert face.dtype == torch.float32
    assert 0 <= face.min() < face.max() <= 1
    assert ((face < 0.01) | (face > 0.99)).float().mean() > 0.9


def test_it_is_the_face_and_not_the_corners(face: Tensor) -> None:
    assert 0.15 < face.mean() < 0.6
    for y, x in ((0.45, 0.35), (0.45, 0.65), (0.6, 0.5), (0.75, 0.5)):  # eyes, nose and mouth
        assert face[int(y * 128), int(x * 128)] == 1, (y, x)
    for corner in (face[:16, :16], face[:16, -16:], face[-16:, :16], face[-16:, -16:]):
        assert corner.max() == 0
    middle = face[:, 64].nonzero()
    assert 0.05 < middle.min() / 128 < 0.35, "up to the forehead, not the hair"
    assert middle.max() / 128 > 0.8, "down to the chin"


@pytest.mark.parametrize("attribute", ["hair_women", "hair_men"])
def test_hair_is_bounded_by_no_landmark(attribute: str) -> None:
    assert regions(attribute, framed()) is None
    assert found_regions(FACES, FACES.attributes[0], torch.zeros(1, 3, 32, 32, dtype=torch.uint8)) is not None


def test_a_face_that_is_mirrored_or_moved_takes_its_region_along(face: Tensor) -> None:
    mirrored = regions("smile", framed().flip(-1))
    assert mirrored is not None
    assert (mirrored[0, 0].flip(-1) - face).abs().mean() < 0.05
    down = torch.cat([framed()[:, :, :1].expand(-1, -1, 8, -1), framed()[:, :, :-8]], 2)
    moved = regions("smile", down)
    assert moved is not None
    assert (moved[0, 0, 8:] - face[:-8]).abs().mean() < 0.05 < (moved[0, 0] - face).abs().mean()


@pytest.mark.parametrize("side", [48, 256])
def test_sizes(face: Tensor, side: int) -> None:
    found = regions("facial_hair", framed(side))
    assert found is not None
    assert found.shape == (1, 1, side, side)
    assert (resize(found, (128, 128))[0, 0] - face).abs().mean() < 0.03


def test_images_of_a_batch_are_found_each_by_itself(face: Tensor) -> None:
    noise = torch.from_numpy(np.array(texture(128, 128))).permute(2, 0, 1)[None].float() / 255
    batch = torch.cat([noise, framed(), framed().flip(-1)])
    found = regions("glasses", batch)
    assert found is not None
    assert found.shape == (3, 1, 128, 128)
    torch.testing.assert_close(found[1, 0], face, atol=0.02, rtol=0)
    assert not torch.equal(found[1], found[2])
    assert found.isfinite().all()


def test_half_precision_comes_back_as_it_came(face: Tensor) -> None:
    found = regions("glasses", framed().half())
    assert found is not None
    assert found.dtype == torch.float16
    assert (found[0, 0].float() - face).abs().mean() < 0.02


def test_the_family_names_it() -> None:
    pixels = (framed() * 255).round().to(torch.uint8)
    found = found_regions(FACES, FACES.attributes[0], pixels)
    assert found is not None
    expected = regions("glasses", pixels.float() / 255)
    assert expected is not None
    assert torch.equal(found, (expected * 255).round().to(torch.uint8))
