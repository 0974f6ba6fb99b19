"""Varied pictures: pixels and labels move together, as far as they may, and only pixels change colour."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.data import variation
from mbu_ops.data.variation import Variation, blurred, recoloured, varied
from mbu_ops.errors import ConfigurationError


@pytest.fixture
def _colours_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the geometry alone to change pictures."""
    monkeypatch.setattr(variation, "recoloured", lambda pixels, _strength, _random: pixels)


def blocks(count: int = 8) -> Tensor:
    """Labels 0 to 4 in squares of 16 pixels."""
    coarse = torch.randint(0, 5, (count, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    return coarse.repeat_interleave(16, -1).repeat_interleave(16, -2).to(torch.uint8)


def shown(labels: Tensor) -> Tensor:
    """Pictures whose pixels say what their labels are."""
    return (labels.float() / 4).expand(-1, 3, -1, -1).contiguous()


@pytest.mark.parametrize("strength", [0.1, 1.0, 2.0])
@pytest.mark.usefixtures("_colours_stay")
def test_pixels_and_labels_move_together(strength: float) -> None:
    labels = blocks()
    pixels, named = varied(shown(labels), labels, Variation(strength), np.random.default_rng(0))
    around = named.float()
    inside = F.max_pool2d(around, 7, 1, 3) == -F.max_pool2d(-around, 7, 1, 3)  # pixels of borders are blended
    assert inside.float().mean() > 0.4
    torch.testing.assert_close(pixels.mean(1, keepdim=True)[inside], around[inside] / 4)
    assert (labels != named).float().mean() > 0.05 * strength


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 2), st.integers(0, 1000), st.sampled_from([1, 2, 7, 16]))
def test_labels_stay_those_that_the_picture_shows(strength: float, seed: int, side: int) -> None:
    numbers = torch.tensor([3, 200, 254], dtype=torch.uint8)
    labels = numbers[torch.randint(0, 3, (3, 1, side, side), generator=torch.Generator().manual_seed(seed))]
    random = np.random.default_rng(seed)
    pixels = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(seed))
    pixels, named = varied(pixels, labels, Variation(strength, blurs=True), random)
    assert (named.shape, named.dtype) == (labels.shape, torch.uint8)
    for one, before in zip(named, labels, strict=True):
        assert set(one.flatten().tolist()) <= set(before.flatten().tolist())
    assert pixels.shape == (3, 3, side, side)
    assert pixels.isfinite().all()
    assert pixels.min() >= 0
    assert pixels.max() <= 1


@pytest.mark.parametrize("seed", range(20))
def test_blurred_white_is_no_more_than_white(seed: int) -> None:
    white, labels = torch.ones(16, 3, 7, 7), torch.zeros(16, 1, 7, 7, dtype=torch.uint8)
    pixels, _ = varied(white, labels, Variation(0.65, blurs=True), np.random.default_rng(seed))
    assert pixels.max() <= 1


def test_each_picture_is_varied_in_its_own_way() -> None:
    labels = blocks(1).expand(3, -1, -1, -1)
    pixels, named = varied(shown(labels), labels, Variation(0.5), np.random.default_rng(0))
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not torch.equal(pixels[one], pixels[other])
        assert not torch.equal(named[one], named[other])


class Extreme:
    """Draws the largest of one number that is asked for, and the middle of all others."""

    def __init__(self, which: int) -> None:
        self.which = which
        self.asked = 0

    def uniform(self, low: float, high: float, size: int) -> np.ndarray:
        self.asked += 1
        return np.full(size, high if self.asked == self.which + 1 else (low + high) / 2)


ANGLE, SCALE, STRETCH, RIGHT, DOWN = range(5)


def moved(labels: Tensor, which: int, strength: float = 1.0) -> Tensor:
    """Labels of a single picture of which only one thing is varied, as far as it may be."""
    drawn: Any = Extreme(which)
    return varied(shown(labels), labels, Variation(strength), drawn)[1][0, 0]


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_pictures_move_by_8_per_cent_and_the_border_goes_on(strength: float) -> None:
    labels = torch.randint(0, 5, (1, 1, 100, 100)).to(torch.uint8)
    way, plain = int(8 * strength), labels[0, 0]
    right, down = moved(labels, RIGHT, strength), moved(labels, DOWN, strength)
    assert torch.equal(right[:, :-way], plain[:, way:])
    assert torch.equal(right[:, -way:], plain[:, -1:].expand(-1, way))
    assert torch.equal(down[:-way], plain[way:])
    assert torch.equal(down[-way:], plain[-1:].expand(way, -1))


def test_pictures_turn_by_20_degrees() -> None:
    labels = torch.zeros(1, 1, 101, 101, dtype=torch.uint8)
    labels[..., 49:52, 88:91] = 1  # 39 pixels to the right of the middle
    rows, columns = torch.nonzero(moved(labels, ANGLE)).float().mean(0).sub(50).tolist()
    assert math.hypot(rows, columns) == pytest.approx(39, abs=0.7)
    assert abs(math.degrees(math.atan2(rows, columns))) == pytest.approx(20, abs=1)


def test_pictures_grow_by_a_quarter_and_are_stretched_a_little() -> None:
    labels = torch.zeros(1, 1, 100, 100, dtype=torch.uint8)
    labels[..., 30:70, 30:70] = 1
    for which, strength, sizes in (
        (SCALE, 1.0, (50, 50)),
        (SCALE, 0.5, (44.7, 44.7)),
        (STRETCH, 1.0, (40, 40 / 1.06)),
        (STRETCH, 2.0, (40, 40 / 1.12)),
    ):
        there = moved(labels, which, strength).bool()
        assert (int(there.any(1).sum()), int(there.any(0).sum())) == pytest.approx(sizes, abs=1.1)


def test_colours_change_within_bounds_and_by_strength() -> None:
    pixels = torch.rand(64, 3, 8, 8)
    changes = []
    for strength in (0.05, 0.5, 2.0):
        result = recoloured(pixels, strength, np.random.default_rng(0))
        assert result.shape == pixels.shape
        assert result.min() >= 0
        assert result.max() <= 1
        changes.append(float((result - pixels).abs().mean()))
    assert 0 < changes[0] < 0.03 < changes[1] < changes[2]
    grey = torch.full((64, 3, 4, 4), 0.5)
    result = recoloured(grey, 1.0, np.random.default_rng(0))
    torch.testing.assert_close(result, result[:, :1, :1, :1].expand_as(result), msg="grey stays grey and even")
    assert result.flatten(1)[:, 0].std() > 0.05


def test_a_quarter_of_the_pictures_are_blurred() -> None:
    pixels = torch.rand(400, 3, 9, 9)
    result = blurred(pixels, 1.0, np.random.default_rng(0))
    same = (result == pixels).flatten(1).all(1)
    assert 60 < int((~same).sum()) < 140
    assert result[~same].std() < 0.8 * pixels[~same].std()
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("blurs", [False, True])
def test_colours_change_as_strongly_and_pictures_are_blurred_for_readers_only(
    monkeypatch: pytest.MonkeyPatch, blurs: bool
) -> None:
    asked: list[tuple[str, float]] = []

    def note(name: str, pixels: Tensor, strength: float) -> Tensor:
        asked.append((name, strength))
        return pixels

    for name in ("recoloured", "blurred"):
        monkeypatch.setattr(variation, name, lambda pixels, strength, _, name=name: note(name, pixels, strength))
    labels = blocks()
    varied(shown(labels), labels, Variation(0.7, blurs), np.random.default_rng(0))
    assert asked == [("recoloured", 0.7), ("blurred", 0.7)][: 1 + blurs]


@pytest.mark.parametrize("strength", [0.0, -0.1, 2.01, float("nan"), float("inf")])
def test_strengths_that_cannot_be_are_refused(strength: float) -> None:
    with pytest.raises(ConfigurationError, match=f"above 0 and at most 2, got {strength}"):
        Variation(strength)


def test_strengths_at_the_bounds_are_taken() -> None:
    assert [Variation(strength).strength for strength in (1e-6, 2.0)] == [1e-6, 2.0]
