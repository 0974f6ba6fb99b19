"""Windows: together they hold all that is edited, and no pixel lies in two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.frames import Box, Frame
from mbu_ops.frames.windows import windows

EYES = FrameSpec("eyes", within="face", y=0.4, width=0.6, height=0.3)
BELOW = FrameSpec("below", within="face", y=1.4, width=0.5, height=0.5)

FRAMES = st.builds(
    Frame, st.floats(0, 300), st.floats(0, 200), st.floats(2, 150), st.floats(-180, 180), aspect=st.floats(0.6, 1.5)
)


@given(st.lists(FRAMES, max_size=6))
@example([Frame(0, 0, 3.3125)])  # a part of it is one pixel high, but for rounding
def test_every_frame_lies_in_one_window_and_windows_apart(places: list[Frame]) -> None:
    found = windows(places, [EYES, BELOW], 200, 300)
    assert sorted(number for one in found for number in one.places) == list(range(len(places)))
    covered = np.zeros((200, 300), int)
    for window in found:
        covered[window.region] += 1
        assert window.pixels == covered[window.region].size > 0
        for number in window.places:
            for part in (places[number], places[number].part(EYES), places[number].part(BELOW)):
                if part.rectangle.touches(200, 300):
                    left, top, right, bottom = part.rectangle.bounds(200, 300)
                    assert window.left <= left < right <= window.right
                    assert window.top <= top < bottom <= window.bottom
    assert covered.max(initial=0) <= 1


def test_places_whose_surroundings_meet_share_a_window() -> None:
    left, right = Box(10, 10, 30, 30), Box(45, 10, 65, 30)

    def sharing(other: Box) -> list[tuple[int, ...]]:
        return sorted(one.places for one in windows([left, other, right], [WHOLE_FRAME], 200, 300))

    assert sharing(Box(280, 180, 290, 190)) == [(0, 2), (1,)]
    assert sharing(Box(90, 10, 110, 30)) == [(0, 2), (1,)]
    assert sharing(Box(80, 10, 100, 30)) == [(0, 1, 2)], "what it shares with one, it shares with the other"


def test_no_places_no_windows() -> None:
    assert windows([], [WHOLE_FRAME], 20, 30) == []


@pytest.mark.parametrize("times", [1, 3])
def test_moved_places_lie_on_the_same_pixels(times: int) -> None:
    for place in (Frame(50, 40, 20, 30, 0.7, 1.2, -12), Box(10, 20, 30, 45)):
        moved = place.moved(-4, 6, times)
        assert type(moved) is type(place)
        for (x, y), (new_x, new_y) in zip(place.rectangle.corners, moved.rectangle.corners, strict=True):
            assert (new_x, new_y) == pytest.approx((times * x - 4, times * y + 6))
        assert moved.yaw == place.yaw
        assert moved.moved(4, -6) == place.moved(0, 0, times)
