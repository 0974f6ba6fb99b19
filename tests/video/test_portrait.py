"""The library's own portrait, moved, zoomed and turned, with noise: real networks on a face that moves."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mbu_ops.video import edit

from ..portraits import portrait
from .clips import read_video, write_video

COUNT, SIDE = 12, 224


def matrix(number: int) -> np.ndarray:
    """From pixels of a frame to those of the portrait, ``(3, 3)``."""
    time = number / 25
    angle, scale = math.radians(5 * math.sin(6 * time)), 1.4 * (1 + 0.15 * math.sin(4 * time))
    x, y = 230 + 20 * math.sin(5 * time), 130 + 12 * math.cos(5 * time)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    half = SIDE / 2
    return np.array(
        [[cosine, -sine, x - (cosine - sine) * half], [sine, cosine, y - (sine + cosine) * half], [0, 0, 1]]
    )


def shown(number: int) -> np.ndarray:
    coefficients = tuple(matrix(number)[:2].ravel())
    frame = portrait().transform((SIDE, SIDE), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    noisy = np.asarray(frame) + np.random.default_rng(number).normal(0, 4, (SIDE, SIDE, 3))
    return noisy.clip(0, 255).round().astype(np.uint8)


def held_still(frames: list[np.ndarray]) -> np.ndarray:
    """The frames with their motion taken out, as means over 4 x 4 pixels."""
    still = []
    for number, frame in enumerate(frames):
        back = tuple((np.linalg.inv(matrix(number)) @ matrix(0))[:2].ravel())
        moved = Image.fromarray(frame).transform((SIDE, SIDE), Image.Transform.AFFINE, back, Image.Resampling.BICUBIC)
        still.append(np.asarray(moved, np.float64).reshape(SIDE // 4, 4, SIDE // 4, 4, 3).mean((1, 3)))
    return np.stack(still)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "share"), [("native_dial", 0.8), ("mbu", 0.99)])
def test_steadied_edits_of_a_moving_face_flicker_less(tmp_path: Path, method: str, share: float) -> None:
    source = write_video(tmp_path / "in.mkv", [shown(number) for number in range(COUNT)])
    before, change = held_still(read_video(source)[0]), {}
    for steady in (False, True):
        report = edit(source, tmp_path / f"{steady}.mkv", "remove:smile", method=method, views=1, steady=steady)
        assert (report.frames, report.tracks) == (COUNT, 1)
        after = held_still(read_video(tmp_path / f"{steady}.mkv")[0])
        if not steady:
            edited = np.abs(after - before).mean((0, 3)) > 4
            edited[:8] = edited[-8:] = edited[:, :8] = edited[:, -8:] = False
        change[steady] = np.mean([np.abs(two - one)[edited].mean() for one, two in pairwise(after)])
    assert edited.sum() > 20
    assert change[True] < share * change[False]
