"""Varying how photos were taken: pictures of one place alike, masks only where they lie."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mbu_ops.data import capture

Change = Callable[[Tensor, int], Tensor]


@pytest.mark.parametrize("change", [capture.lit, capture.softened])
@given(seed=st.integers(0, 2**20), height=st.integers(9, 40), width=st.integers(9, 40), pictures=st.integers(1, 2))
@settings(max_examples=25, deadline=None)
def test_pictures_of_one_place_are_changed_alike_and_masks_are_not(
    change: Change, seed: int, height: int, width: int, pictures: int
) -> None:
    torch.manual_seed(seed)
    photo, mask = torch.rand(4, 3, height, width), torch.rand(4, 1, height, width)
    changed = change(torch.cat([photo] * pictures + [mask], 1), pictures)
    assert changed.shape == (4, 3 * pictures + 1, height, width)
    assert 0 <= changed.min() <= changed.max() <= 1
    assert torch.equal(changed[:, -1:], mask)
    torch.testing.assert_close(changed[:, :3], changed[:, -4:-1])


@pytest.mark.parametrize("change", [capture.lit, capture.softened])
def test_each_picture_is_changed_in_its_own_way(change: Change) -> None:
    torch.manual_seed(0)
    photo = torch.rand(1, 3, 32, 48).expand(32, 3, 32, 48)
    changed = change(photo, 1)
    assert len(changed.flatten(1).unique(dim=0)) > 8


def test_the_global_seed_decides() -> None:
    pixels = torch.rand(4, 7, 32, 32)
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        results.append(capture.softened(capture.lit(capture.mirrored(capture.moved(pixels)), 2), 2))
    assert torch.equal(*results)


def test_some_are_much_darker() -> None:
    torch.manual_seed(0)
    grey = capture.lit(torch.full((400, 3, 4, 4), 0.4)).mean((1, 2, 3))
    assert (grey < 0.25).float().mean() > 0.1
    assert (grey > 0.35).float().mean() > 0.4


def test_moving_takes_all_channels_along() -> None:
    torch.manual_seed(0)
    plane = torch.rand(3, 1, 24, 32)
    moved = capture.moved(plane.expand(3, 7, 24, 32))
    assert torch.equal(moved[:, 0], moved[:, 6])
    assert not torch.allclose(moved[:, :1], plane, atol=1e-2)


def test_half_are_mirrored() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 8).expand(400, 1, 2, 8)
    turned = capture.mirrored(ramp)[:, 0, 0, 0] == 1
    assert 0.4 < turned.float().mean() < 0.6
