"""What of glasses hides the face."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops_faces.lenses import hides

HEIGHT, WIDTH = 96, 224
LEFT, RIGHT = (slice(30, 66), slice(40, 100)), (slice(30, 66), slice(124, 184))


def a_face(skin: float) -> Tensor:
    """Return skin, with brows and pupils as dark as they are."""
    face = torch.full((1, 3, HEIGHT, WIDTH), skin)
    for rows, columns in (LEFT, RIGHT):
        middle = (columns.start + columns.stop) // 2
        face[..., rows.start : rows.start + 6, columns] *= 0.3
        face[..., 44:52, middle - 4 : middle + 4] *= 0.1
    return face


def glasses() -> Tensor:
    """Return the mask of two lenses and a bridge."""
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    for lens in (LEFT, RIGHT):
        mask[(..., *lens)] = 1
    mask[..., 34:40, 100:124] = 1
    return mask


@pytest.mark.parametrize("skin", [0.15, 0.4, 0.8])
def test_eyes_behind_clear_lenses_are_nothing_to_cut_out(skin: float) -> None:
    mask = glasses()
    left = hides("glasses", a_face(skin), mask, "eyes")
    assert left is not None
    assert (left <= mask).all()
    for lens in (LEFT, RIGHT):
        inside = left[(..., *lens)]
        assert inside[..., 12:-12, 12:-12].max() == 0
        assert inside[..., :8, :].min() == 1
        assert inside[..., -8:].min() == 1
    assert left[..., 34:40, 100:124].min() == 1


@pytest.mark.parametrize("skin", [0.15, 0.4, 0.8])
@pytest.mark.parametrize("dark", [0.1, 0.5])
def test_dark_lenses_hide_the_eyes(skin: float, dark: float) -> None:
    mask = glasses()
    left = hides("glasses", a_face(skin) * (1 - (1 - dark) * mask), mask, "eyes")
    assert left is not None
    assert torch.equal(left, mask)


def test_each_picture_is_looked_at_by_itself() -> None:
    mask, face = glasses(), a_face(0.6)
    both = torch.cat([face, face * (1 - 0.9 * mask)])
    left = hides("glasses", both, mask.repeat(2, 1, 1, 1), "eyes")
    assert left is not None
    assert [float(one.mean() / mask.mean()) < 1 for one in left] == [True, False]


def test_what_shows_no_glasses_stays_empty() -> None:
    nothing = torch.zeros(2, 1, HEIGHT, WIDTH)
    left = hides("glasses", torch.rand(2, 3, HEIGHT, WIDTH), nothing, "eyes")
    assert left is not None
    assert torch.equal(left, nothing)


def test_of_a_whole_face_frames_are_as_thick() -> None:
    mask, face = torch.zeros(1, 1, 256, 256), torch.full((1, 3, 256, 256), 0.6)
    mask[..., 90:140, 50:110] = 1
    left = hides("glasses", face, mask, "face")
    assert left is not None
    assert 0.1 < left.sum() / mask.sum() < 0.9


def test_of_other_contents_nothing_is_said() -> None:
    assert hides("smile", torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32), "face") is None


def test_a_frame_without_eyes_says_nothing_of_glasses() -> None:
    with pytest.raises(ConfigurationError, match="shows the eyes"):
        hides("glasses", torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32), "lower_face")
