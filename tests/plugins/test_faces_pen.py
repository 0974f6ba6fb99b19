"""Glasses drawn on photos of eyes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mbu_ops.errors import ConfigurationError, DTypeError, FamilyError, ShapeError
from mbu_ops.functional.mask import dilate, resize
from mbu_ops_faces.pen import Drawn, draw, glasses

DISTANCE = 40
"""Pixels from pupil to pupil."""

REACH = 14
"""Pixels that a shadow, or noise in a lens, may lie beside what was drawn."""


def skin(count: int, height: int, width: int) -> Tensor:
    """Something smooth of a face's brightness."""
    torch.manual_seed(0)
    return 0.35 + 0.4 * resize(torch.rand(count, 3, 4, 5), (height, width))


def drawn(photos: Tensor, frame: str = "eyes", seed: int = 1) -> Drawn:
    torch.manual_seed(seed)
    return glasses(photos, frame)


@pytest.fixture(scope="module")
def photos() -> Tensor:
    return skin(16, 44, 104)


@pytest.fixture(scope="module")
def result(photos: Tensor) -> Drawn:
    return drawn(photos)


def test_pictures_and_masks_have_the_photos_size_and_stay_in_range(photos: Tensor, result: Drawn) -> None:
    assert result.pictures.shape == photos.shape
    assert result.masks.shape == (16, 1, 44, 104)
    for values in result:
        assert values.isfinite().all()
        assert 0 <= values.min() <= values.max() <= 1
    assert result.masks.max() > 0.9


def test_every_photo_gets_glasses_of_its_own(photos: Tensor, result: Drawn) -> None:
    assert ((result.pictures - photos).abs().amax((1, 2, 3)) > 0.02).all()
    assert (result.masks.mean((1, 2, 3)) > 0.04).all()
    assert (result.masks.flatten(1)[:-1] - result.masks.flatten(1)[1:]).abs().mean(1).min() > 0.01


def test_nothing_changes_far_from_what_was_drawn(photos: Tensor) -> None:
    faces = skin(8, 170, 170)
    pictures, masks = drawn(faces, "face")
    far = dilate((masks > 0).float(), REACH) == 0
    assert 0.5 < far.float().mean() < 1
    assert ((pictures - faces).abs() * far).max() < 1e-5
    assert masks[:, :, 110:].max() == 0, "no glasses on the mouth"


def test_most_lenses_lie_over_the_eyes(result: Drawn) -> None:
    for x in (52 - DISTANCE // 2, 52 + DISTANCE // 2):
        assert (result.masks[:, 0, 20:26, x - 2 : x + 2].amax((1, 2)) > 0.15).float().mean() > 0.95


def test_many_are_dark_and_many_are_clear() -> None:
    pictures, _ = drawn(torch.full((128, 3, 22, 52), 0.6))
    eyes = pictures[:, :, 10:13, 15:18].mean((1, 2, 3))
    assert 0.25 < (eyes < 0.3).float().mean() < 0.55
    assert 0.3 < (eyes > 0.45).float().mean() < 0.7


def test_seeds_repeat_what_is_drawn(photos: Tensor, result: Drawn) -> None:
    again, other = drawn(photos), drawn(photos, seed=2)
    assert torch.equal(again.pictures, result.pictures)
    assert torch.equal(again.masks, result.masks)
    assert (other.masks - result.masks).abs().mean() > 0.01


def test_the_face_and_the_eyes_show_the_same_glasses() -> None:
    side = 170
    face = drawn(torch.full((4, 3, side, side), 0.5), "face").masks[:, :, 75 - 22 : 75 + 22, 85 - 52 : 85 + 52]
    eyes = drawn(torch.full((4, 3, 44, 104), 0.5), "eyes").masks
    assert (face - eyes).abs().mean() < 0.01


def test_sizes_do_not_change_the_glasses() -> None:
    small = drawn(torch.full((4, 3, 44, 104), 0.5)).masks
    large = drawn(torch.full((4, 3, 88, 208), 0.5)).masks
    assert (resize(large, (44, 104)) - small).abs().mean() < 0.03


def test_the_photos_stay_as_they_are(photos: Tensor) -> None:
    before = photos.clone()
    drawn(photos)
    assert torch.equal(before, photos)


def test_dtypes_stay() -> None:
    pictures, masks = drawn(skin(1, 44, 104).half())
    assert pictures.dtype == masks.dtype == torch.float16


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(16, 50), st.integers(16, 60), st.sampled_from(["eyes", "face", "head"]))
def test_any_size_can_be_drawn_on(count: int, height: int, width: int, frame: str) -> None:
    for flat in (0.0, 1.0):
        pictures, masks = glasses(torch.full((count, 3, height, width), flat), frame)
        assert pictures.shape == (count, 3, height, width)
        assert masks.shape == (count, 1, height, width)
        assert pictures.isfinite().all()
        assert 0 <= pictures.min() <= pictures.max() <= 1


def test_wrong_pictures() -> None:
    with pytest.raises(ShapeError, match="add a batch dimension"):
        glasses(torch.rand(3, 44, 104), "eyes")
    with pytest.raises(ShapeError, match="at least 16x16"):
        glasses(torch.rand(1, 3, 8, 104), "eyes")
    with pytest.raises(DTypeError, match="floating-point"):
        glasses(torch.zeros(1, 3, 44, 104, dtype=torch.uint8), "eyes")


def test_frames_that_do_not_show_the_eyes() -> None:
    with pytest.raises(ConfigurationError, match="shows the eyes, got 'lower_face'"):
        glasses(torch.rand(1, 3, 44, 104), "lower_face")
    with pytest.raises(FamilyError, match="no frame 'ear'"):
        glasses(torch.rand(1, 3, 44, 104), "ear")


def test_the_pen_draws_glasses_and_nothing_else() -> None:
    photo = skin(1, 44, 104)
    torch.manual_seed(1)
    made = draw("glasses", photo, "eyes")
    assert made is not None
    assert torch.equal(made.masks, drawn(photo).masks)
    assert draw("smile", photo, "eyes") is None
