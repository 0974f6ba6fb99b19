"""Stretching and moving training pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mbu_ops.data.domains import Domains
from mbu_ops.data.layout import place
from mbu_ops.errors import ConfigurationError
from mbu_ops.families import Layout


def square(side: int = 40) -> Tensor:
    """A dark square of 10 pixels in the middle of white."""
    image = torch.ones(1, 3, side, side)
    image[..., 15:25, 15:25] = 0
    return image


def extent(image: Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is dark."""
    dark = image[0, 0] < 0.5
    rows, columns = torch.nonzero(dark.any(1)), torch.nonzero(dark.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        (Layout(), (15, 15, 25, 25)),
        (Layout(width=(2, 2)), (10, 15, 30, 25)),
        (Layout(height=(0.5, 0.5)), (15, 17, 25, 23)),
        (Layout(right=(0.25, 0.25)), (25, 15, 35, 25)),
        (Layout(down=(-0.25, -0.25)), (15, 5, 25, 15)),
        (Layout(width=(2, 2), right=(0.25, 0.25)), (20, 15, 40, 25)),
    ],
)
def test_things_go_where_they_are_sent(placement: Layout, expected: tuple[int, int, int, int]) -> None:
    placed = extent(place(square(), placement, np.random.default_rng(0)))
    assert placed == pytest.approx(expected, abs=1)


def test_a_taper_narrows_the_top() -> None:
    image = torch.ones(1, 3, 40, 40)
    image[..., 10:30] = 0
    placed = place(image, Layout(taper=(0.5, 0.5)), np.random.default_rng(0))[0, 0] < 0.5
    assert int(placed[0].sum()) == pytest.approx(10, abs=1)
    assert int(placed[20].sum()) == pytest.approx(15, abs=1)
    assert int(placed[-1].sum()) == pytest.approx(20, abs=1)


def test_a_warp_bends_a_little_and_in_its_own_way() -> None:
    image = torch.ones(1, 3, 64, 64)
    image[..., 16:48, 16:48] = 0
    placed = place(image.expand(8, -1, -1, -1), Layout(warp=0.03), np.random.default_rng(0))
    changed = ((placed < 0.5) != (image < 0.5)).float().mean((1, 2, 3))
    assert changed.min() > 0.005
    assert changed.max() < 0.15
    assert len({image.numpy().tobytes() for image in placed}) == 8


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": (0.0, 1.0)},
        {"height": (2.0, 1.0)},
        {"right": 0.1},
        {"down": (0.0, 0.1, 0.2)},
        {"taper": (0.0, 1.0)},
        {"warp": -1},
        {"warp": (0.0, 0.1)},
        {"width": ("1", "2")},
    ],
)
def test_malformed_ranges_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Layout(**wrong)


def test_what_comes_in_from_outside_looks_like_the_border() -> None:
    placed = place(square(), Layout(width=(0.5, 0.5), height=(0.5, 0.5), down=(0.4, 0.4)), np.random.default_rng(0))
    assert placed[..., 0, :].min() > 0.99
    assert placed[..., :, 0].min() > 0.99


def test_each_image_is_placed_in_its_own_way_within_the_range() -> None:
    placement = Layout(right=(-0.2, 0.2))
    placed = place(square().expand(32, -1, -1, -1), placement, np.random.default_rng(0))
    lefts = [extent(image[None])[0] for image in placed]
    assert len(set(lefts)) > 8
    assert min(lefts) >= 6
    assert max(lefts) <= 24


def test_nothing_to_place_is_nothing_done() -> None:
    image = square()
    assert place(image, None, np.random.default_rng(0)) is image


def test_batches_are_placed_by_seed_and_step_alone() -> None:
    pixels = (square() * 255).to(torch.uint8).expand(8, -1, -1, -1)
    domains = Domains(pixels, pixels, with_layout=Layout(down=(0.1, 0.3)))
    without, with_ = domains.batch(4, seed=1, step=5)
    domains.batch(4, seed=1, step=6)
    torch.rand(3)
    again = domains.batch(4, seed=1, step=5)
    assert torch.equal(without, again[0])
    assert torch.equal(with_, again[1])
    assert extent(without[:1]) == (15, 15, 25, 25)
    assert extent(with_[:1])[1] >= 18
