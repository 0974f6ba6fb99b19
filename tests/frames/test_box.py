from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ConfigurationError
from mbu_ops.frames.box import Box


@given(st.integers(0, 9999), st.integers(0, 9999), st.integers(1, 9999), st.integers(1, 9999))
def test_text_round_trip(left: int, top: int, width: int, height: int) -> None:
    box = Box(left, top, left + width, top + height)
    assert Box.parse(str(box)) == box
    assert (box.width, box.height) == (width, height)
    assert box.sides == (left, top, left + width, top + height)


def test_spaces_are_ignored() -> None:
    assert Box.parse(" 1, 2 ,3,4 ") == Box(1, 2, 3, 4)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,2,3,4", "1;2;3;4"])
def test_text_that_is_no_box(text: str) -> None:
    with pytest.raises(ConfigurationError, match="four whole numbers left,top,right,bottom"):
        Box.parse(text)


@pytest.mark.parametrize("sides", [(-1, 0, 1, 1), (0, -1, 1, 1), (2, 0, 2, 1), (0, 3, 1, 2)])
def test_empty_or_negative(sides: tuple[int, int, int, int]) -> None:
    with pytest.raises(ConfigurationError, match="0 <= left < right"):
        Box(*sides)


def test_reading_a_box_loads_no_torch() -> None:
    code = "import sys; from mbu_ops.frames.box import Box; Box.parse('0,0,1,1'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
