"""Figures and their intervals."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.evaluation.figures import balanced, intersection_over_union, largest, mean, peak_signal_to_noise, share


@given(st.integers(1, 300), st.integers(0, 300))
def test_a_share_lies_in_its_interval_and_that_in_zero_to_one(count: int, true: int) -> None:
    true = min(true, count)
    figure = share("x", "x", torch.arange(count) < true)
    assert figure.value == pytest.approx(true / count)
    assert 0 <= figure.low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= figure.high <= 1
    assert figure.count == count


def test_wilson_s_interval_at_known_points() -> None:
    # 81 of 263: Newcombe, Statistics in Medicine 1998, table I, method 3
    figure = share("x", "x", torch.arange(263) < 81)
    assert (round(figure.low, 4), round(figure.high, 4)) == (0.2553, 0.3662)


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_either_kind_counts_the_same_however_many_there_are(with_: int, without: int, data: st.DataObject) -> None:
    right, other = data.draw(st.integers(0, with_)), data.draw(st.integers(0, without))
    sides = torch.arange(with_) < right, torch.arange(without) < other
    figure, turned = balanced(*sides), balanced(*reversed(sides))
    assert figure.value == pytest.approx((right / with_ + other / without) / 2)
    assert -1e-9 <= figure.low <= figure.value + 1e-9
    assert figure.value - 1e-9 <= figure.high <= 1 + 1e-9
    assert (turned.value, turned.low, turned.high) == pytest.approx((figure.value, figure.low, figure.high))
    assert figure.count == with_ + without


def test_the_interval_of_balanced_is_newcombe_s() -> None:
    # 56 of 70 and 48 of 80: their difference, 0.2, lies in 0.0524 to 0.3339 (Newcombe 1998, table II, method 10); its
    # distances down and up are those of half the difference where the second share is turned round
    figure = balanced(torch.arange(70) < 56, torch.arange(80) < 32)
    assert (round(2 * figure.low - 1, 4), round(2 * figure.high - 1, 4)) == (0.0524, 0.3339)


def test_a_mean_and_its_interval() -> None:
    figure = mean("x", "x", torch.tensor([1.0, 3.0] * 200))
    assert figure.value == 2
    assert figure.high - 2 == pytest.approx(1.96 / math.sqrt(400), rel=0.1)  # the normal interval, for so many
    assert 2 - figure.low == pytest.approx(1.96 / math.sqrt(400), rel=0.1)
    sure = mean("x", "x", torch.tensor([1.0] * 30 + [0.99]), "share")
    assert sure.high <= 1
    assert mean("x", "x", torch.tensor([1.0, 3.0] * 200)) == figure
    alone = mean("x", "x", torch.tensor([5.0]))
    assert (alone.value, alone.low, alone.high) == (5, None, None)
    assert "[" not in str(alone)


def test_one_changed_pixel_among_many_images_is_seen() -> None:
    changes = torch.zeros(200)
    changes[7] = 1 / 255
    assert "0.00392" in str(largest("x", "x", changes))


def test_overlap() -> None:
    masks = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]).bool().view(3, 1, 2, 2)
    truth = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]).bool().view(3, 1, 2, 2)
    assert intersection_over_union(masks, truth).tolist() == pytest.approx([1 / 3, 1, 0])


def test_signal_to_noise_is_finite_for_equal_images() -> None:
    image = torch.rand(2, 3, 4, 4)
    assert peak_signal_to_noise(image, image).tolist() == pytest.approx([100, 100])


def test_lines_show_unit_and_count() -> None:
    assert "93.8%" in str(share("a", "added", torch.arange(16) < 15))
    assert "n=16" in str(share("a", "added", torch.arange(16) < 15))
    assert "20.0 dB" in str(mean("p", "psnr", torch.tensor([20.0, 20.0]), "dB"))
