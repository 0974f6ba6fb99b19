"""Cutting: today's cut to the bit, frames within frames, and what lies beyond a picture's border."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mbu_ops.data.celeba import FACE_FRAME
from mbu_ops.data.cutting import Picture, cut, cut_file, first_frame, frame_within
from mbu_ops.errors import ShapeError
from mbu_ops.families import FrameSpec
from mbu_ops.families.frames import WHOLE_FRAME

EYES = FrameSpec("eyes", within="face", x=0.5, y=0.25, width=0.5, height=0.25)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("width", "height"), [(50, 30), (30, 50), (41, 30), (178, 218), (89, 109)])
@pytest.mark.parametrize("side", [16, 64])
def test_the_whole_frame_is_what_pillow_makes_of_its_box(tmp_path: Path, width: int, height: int, side: int) -> None:
    """So runs and figures of before these frames stay what they were."""
    pixels = noise(height, width)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    shorter = min(width, height)
    square = ((width - shorter) / 2, (height - shorter) / 2, (width + shorter) / 2, (height + shorter) / 2)
    face = (4 / 178 * width, 36 / 218 * height, 174 / 178 * width, 206 / 218 * height)
    for frame, box in ((None, square), (FACE_FRAME, face)):
        wanted = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS, box=box))
        assert np.array_equal(cut_file(Picture(tmp_path / "a.png", frame), side), wanted)
        assert np.array_equal(cut_file(Picture(tmp_path / "a.png", frame), side, FrameSpec("face")), wanted)


def test_a_frame_within_the_first_one_has_its_own_height_and_width() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:15, 20:40] = 200  # EYES of the centred square, which begins at column 10
    sides = frame_within(first_frame(60, 40), EYES)
    assert sides == (20, 5, 40, 15)
    shown = cut(pixels, sides, (10, 20), Image.Resampling.NEAREST)
    assert shown.shape == (10, 20, 3)
    assert (shown == 200).all()


def test_the_order_of_pixels_stays() -> None:
    pixels = noise(24, 24)
    assert np.array_equal(cut(pixels, (4, 8, 20, 16), (8, 16), Image.Resampling.NEAREST), pixels[8:16, 4:20])


def test_beyond_the_border_the_border_goes_on() -> None:
    pixels = noise(8, 8)
    wanted = np.pad(pixels, ((4, 4), (4, 4), (0, 0)), mode="edge")
    assert np.array_equal(cut(pixels, (-4, -4, 12, 12), 16, Image.Resampling.NEAREST), wanted)
    near, far = cut(pixels, (-4, 0, 4, 8), 8), cut(pixels, (0, 0, 8, 8), 8)
    assert np.abs(near[:, 4:].astype(int) - far[:, :4]).max() == 0  # what is there is cut as if it were all


@settings(deadline=None)
@given(
    st.floats(-60, 60), st.floats(-60, 60), st.floats(1, 200), st.floats(1, 200), st.integers(1, 20), st.integers(1, 20)
)
def test_any_frame_gives_its_size_or_says_that_it_shows_nothing(
    left: float, top: float, width: float, height: float, rows: int, columns: int
) -> None:
    pixels = np.full((30, 40, 3), 77, np.uint8)
    outside = left >= 40 or top >= 30 or left + width <= 0 or top + height <= 0
    if outside:
        with pytest.raises(ShapeError, match="touches the picture of 40 x 30"):
            cut(pixels, (left, top, left + width, top + height), (rows, columns))
    else:
        shown = cut(pixels, (left, top, left + width, top + height), (rows, columns))
        assert shown.shape == (rows, columns, 3)
        assert (shown == 77).all()


def test_a_frame_far_larger_than_its_picture_takes_no_memory() -> None:
    shown = cut(noise(400, 400), (-2e6, -2e6, 2e6, 2e6), 32)
    assert shown.shape == (32, 32, 3)


def test_rounding_fills_nothing_in() -> None:
    """All of an aligned picture, as a frame within its face frame."""
    head = FrameSpec("head", within="face", y=73 / 170, width=178 / 170, height=218 / 170)
    sides = frame_within(first_frame(178, 218, FACE_FRAME), head)
    assert np.allclose(sides, (0, 0, 178, 218))
    pixels = noise(218, 178)
    assert np.array_equal(cut(pixels, sides, (218, 178)), pixels)


def test_numbers_of_parts_are_not_mixed() -> None:
    labels = np.random.default_rng(0).choice(np.array([0, 7, 18], np.uint8), (30, 30))
    shown = cut(labels, (-5, 3, 33.3, 20.7), (13, 29), Image.Resampling.NEAREST)
    assert shown.shape == (13, 29)
    assert set(np.unique(shown)) <= {0, 7, 18}


def test_the_whole_frame_is_the_first() -> None:
    assert frame_within((1, 2, 3, 4), WHOLE_FRAME) == (1, 2, 3, 4)
