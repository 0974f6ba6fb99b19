"""The frames of a family, and how each lies in the first."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ConfigurationError, FamilyError
from mbu_ops.families import FamilySpec, FrameSpec
from mbu_ops.families.frames import check_frames, find_frame

FACE = FrameSpec("face")
EYES = FrameSpec("eyes", within="face", y=0.25, width=0.5, height=0.25)
LEFT = FrameSpec("left", within="eyes", x=0.75, width=0.5)

BAD: dict[str, Callable[[], object]] = {
    "a name in capitals": lambda: FrameSpec("Face"),
    "no name": lambda: FrameSpec(""),
    "a name that is a path": lambda: dataclasses.replace(EYES, name="../eyes"),
    "within something that is no name": lambda: dataclasses.replace(EYES, within=""),
    "not a number": lambda: dataclasses.replace(EYES, x=math.nan),
    "infinitely wide": lambda: dataclasses.replace(EYES, width=math.inf),
    "of no width": lambda: dataclasses.replace(EYES, width=0.0),
    "turned inside out": lambda: dataclasses.replace(EYES, height=-0.5),
    "a width that is true": lambda: dataclasses.replace(EYES, width=True),
    "far away": lambda: dataclasses.replace(EYES, y=11),
    "a part of nothing": lambda: FrameSpec("eyes", y=0.25),
    "frames as a list": lambda: FamilySpec("pets", frames=[FACE]),
    "frames that are names": lambda: FamilySpec("pets", frames=("face",)),
    "a name twice": lambda: check_frames((FACE, EYES, dataclasses.replace(LEFT, name="eyes"))),
    "a first that is within another": lambda: check_frames((dataclasses.replace(EYES, within="head"),)),
    "within one that comes later": lambda: check_frames((FACE, LEFT, EYES)),
    "within itself": lambda: check_frames((FACE, dataclasses.replace(EYES, within="eyes"))),
    "a second first": lambda: check_frames((FACE, FrameSpec("head"))),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed_frames_are_refused(case: str) -> None:
    with pytest.raises(ConfigurationError):
        BAD[case]()


def test_a_frame_seen_from_another_is_that_frame_again_inside_it() -> None:
    face = FrameSpec("face")
    eyes = FrameSpec("eyes", within="face", y=0.25, width=0.5, height=0.25)
    left = FrameSpec("left", within="face", x=0.375, y=0.25, width=0.25, height=0.25)
    assert left.seen_from(eyes).inside(eyes) == left
    assert [eyes.covers(one) for one in (eyes, left, face)] == [True, True, False]
    assert [face.covers(one) for one in (eyes, left, face)] == [True, True, True]
    assert not eyes.covers(FrameSpec("low", within="face", y=0.3, width=0.25, height=0.25))


def test_a_frame_is_found_in_sides_of_the_first() -> None:
    family = FamilySpec("pets", frames=(FACE, EYES, LEFT))
    assert family.frame() == family.frame("face") == FACE
    assert family.frame("eyes") == EYES
    left = family.frame("left")
    assert (left.within, left.x, left.y, left.width, left.height) == ("face", 0.625, 0.25, 0.25, 0.25)


def test_an_unknown_frame_is_called_so() -> None:
    with pytest.raises(FamilyError, match=r"no frame 'eye'\. Did you mean 'eyes'"):
        find_frame((FACE, EYES), "eye")
    with pytest.raises(FamilyError, match=r"no frame 'eyes'\. There is: whole"):
        FamilySpec("pets").frame("eyes")
    assert FamilySpec("pets").frame() == FamilySpec("pets").frame("whole")


SHARES = st.floats(0.1, 2, allow_nan=False)


@given(SHARES, SHARES, SHARES, SHARES)
def test_all_of_a_frame_is_that_frame(x: float, y: float, width: float, height: float) -> None:
    outer = FrameSpec("outer", within="face", x=x, y=y, width=width, height=height)
    whole = FrameSpec("all", within="outer")
    assert whole.is_whole
    assert dataclasses.replace(find_frame((FACE, outer, whole), "all"), name="outer") == outer
