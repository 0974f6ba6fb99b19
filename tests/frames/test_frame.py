"""A frame is plain data that can be checked, written down and placed, without torch."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mbu_ops.errors import ConfigurationError, ShapeError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.frames import Box, Frame

numbers = st.floats(-2000, 2000)


@pytest.mark.parametrize("field", ["x", "y", "side", "angle"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite(field: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match="expected a frame of finite numbers"):
        replace(Frame(5, 5, 5), **{field: value})


@pytest.mark.parametrize("side", [-10, 0, 0.999])
def test_sides_of_less_than_a_pixel(side: float) -> None:
    with pytest.raises(ConfigurationError, match="at least 1 pixel"):
        Frame(5, 5, side)


def test_a_frame_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Frame(5, 5, 5).x = 6


@settings(deadline=None)
@given(numbers, numbers, st.floats(1, 2000), st.floats(-720, 720))
def test_corners_are_those_of_a_square(x: float, y: float, side: float, angle: float) -> None:
    corners = Frame(x, y, side, angle).corners
    assert len(corners) == 4
    assert sum(one for one, _ in corners) / 4 == pytest.approx(x, abs=1e-6)
    assert sum(one for _, one in corners) / 4 == pytest.approx(y, abs=1e-6)
    (left, top), (right, above), (beyond, below), _ = corners
    assert math.hypot(right - left, above - top) == pytest.approx(side)
    assert math.hypot(beyond - right, below - above) == pytest.approx(side)
    across, down = (right - left, above - top), (beyond - right, below - above)
    assert across[0] * down[0] + across[1] * down[1] == pytest.approx(0, abs=1e-6 * side * side)
    assert across[0] * down[1] - across[1] * down[0] > 0, "not mirrored"


def test_positive_angles_are_clockwise_as_seen() -> None:
    upright, turned = Frame(50, 50, 20), Frame(50, 50, 20, 10)
    assert upright.corners == ((40, 40), (60, 40), (60, 60), (40, 60))
    assert turned.corners[0][0] > upright.corners[0][0], "the top left corner goes right"
    assert turned.corners[1][1] > upright.corners[1][1], "the top right corner goes down"


def test_json_holds_all_of_a_frame() -> None:
    frame = Frame(12.5, 7, 33.25, -4.5, 0.75)
    assert Frame(**json.loads(json.dumps(asdict(frame)))) == frame


def test_a_frame_on_whole_pixels_cuts_them_out() -> None:
    image = torch.rand(1, 3, 80, 90)
    frame = Frame(40, 41, 64)
    assert frame.bounds(image) == (8, 9, 72, 73)
    torch.testing.assert_close(frame.cut(image), image[..., 9:73, 8:72], rtol=0, atol=1e-4)


@pytest.mark.parametrize("side", [1, 7.3, 40, 300, 5000])
@pytest.mark.parametrize("size", [(1, 1), (1, 600), (50, 60)])
def test_any_frame_can_be_cut_out_and_put_back(side: float, size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    frame = Frame(size[1] / 2, size[0] / 2, side, 33)
    content = frame.cut(image)
    assert content.shape[-1] == content.shape[-2] <= 1024
    left, top, right, bottom = frame.bounds(image)
    assert 0 <= left < right <= size[1]
    assert 0 <= top < bottom <= size[0]


def test_parts_of_a_frame() -> None:
    face = Frame(50, 40, 20, 90, 0.7)
    assert face.part(WHOLE_FRAME) is face
    eyes = face.part(FrameSpec("eyes", within="face", y=0.25, width=1.0, height=0.5))
    # turned by a quarter: what is up in the frame is right in the photo
    assert (eyes.x, eyes.y) == pytest.approx((55, 40))
    assert (eyes.side, eyes.height, eyes.angle, eyes.score) == (20, 10, 90, 0.7)
    image = torch.rand(1, 3, 80, 90)
    assert eyes.cut(image).shape[-2:] == (16, 32)
    assert face.part(FrameSpec("dot", within="face", width=0.01, height=0.01)).side == 1


def test_parts_of_a_box() -> None:
    box, image = Box(10, 20, 50, 60), torch.rand(1, 3, 80, 90)
    assert box.part(WHOLE_FRAME) is box
    half = box.part(FrameSpec("top", within="whole", y=0.25, height=0.5))
    assert half.bounds(image) == (10, 20, 50, 40)
    assert half.cut(image).shape[-1] == 2 * half.cut(image).shape[-2]


def test_frames_outside_the_image() -> None:
    image = torch.rand(1, 3, 40, 50)
    for call in (Frame(500, 20, 30).cut, Frame(500, 20, 30).bounds):
        with pytest.raises(ShapeError, match="touches the image of 50x40 pixels"):
            call(image)


def test_making_a_frame_loads_no_torch() -> None:
    code = "import sys; from mbu_ops import Frame; Frame(1, 2, 3); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("yaw", [float("nan"), -90.1, 91])
def test_nobody_looks_further_away_than_sideways(yaw: float) -> None:
    with pytest.raises(ConfigurationError, match="yaw within 90 degrees"):
        Frame(1, 1, 10, yaw=yaw)
    assert Frame(50, 40, 20, yaw=-90).part(FrameSpec("eyes", within="face", height=0.5)).yaw == -90


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1])
def test_scores_are_shares(score: float) -> None:
    with pytest.raises(ConfigurationError, match="score from 0 to 1"):
        Frame(1, 1, 10, score=score)


def test_frames_beyond_any_photo_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="finite numbers"):
        Frame(8, 8, 1e308)


def test_a_frame_made_larger_keeps_its_shape() -> None:
    eyes = Frame(50, 40, 20).part(FrameSpec("eyes", within="face", height=0.5))
    assert (replace(eyes, side=40).side, replace(eyes, side=40).height) == (40, 20)
    assert replace(Frame(50, 40, 20), side=40) == Frame(50, 40, 40)
