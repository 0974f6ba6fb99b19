"""Things on a transparent ground are laid where such things lie."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import FrameError
from mbu_ops.functional.cut_outs import laid_like


def thing(height: int, width: int, top: int, left: int, bottom: int, right: int, colour: float = 1.0) -> Tensor:
    picture = torch.zeros(1, 4, height, width)
    picture[:, :3] = 0.3  # what a transparent pixel's colour happens to be
    picture[:, :3, top:bottom, left:right], picture[:, 3:, top:bottom, left:right] = colour, 1
    return picture


def place(laid: Tensor) -> tuple[float, float, float]:
    """Return the middle of what is seen, and how wide it is, in sides of the picture."""
    rows, columns = (laid[0, 3] > 0.5).nonzero().unbind(1)
    height, width = laid.shape[-2:]
    middle = float(columns.min() + columns.max() + 1) / 2 / width, float(rows.min() + rows.max() + 1) / 2 / height
    return *middle, float(columns.max() - columns.min() + 1) / width


@pytest.mark.parametrize(
    "picture", [thing(90, 90, 40, 10, 50, 80), thing(30, 40, 0, 0, 12, 40), thing(9, 9, 4, 4, 5, 8)]
)
def test_it_is_as_wide_as_the_example_and_in_the_same_middle(picture: Tensor) -> None:
    example = thing(96, 224, 30, 40, 60, 180)
    assert place(laid_like(picture, example)) == pytest.approx(place(example), abs=0.1)


def test_an_example_is_laid_as_it_is() -> None:
    example = thing(96, 224, 30, 40, 60, 180)
    laid = laid_like(example, example)
    assert laid.shape == example.shape
    assert torch.allclose(laid[:, 3], example[:, 3], atol=1e-4)


def test_colours_of_what_is_transparent_do_not_bleed() -> None:
    laid = laid_like(thing(90, 90, 40, 10, 50, 80), thing(24, 56, 10, 14, 14, 42))
    assert torch.allclose(laid[:, :3][laid[:, 3:].expand(-1, 3, -1, -1) > 0.05], torch.ones(()), atol=1e-3)


def test_large_pictures_are_shrunk() -> None:
    assert max(laid_like(thing(400, 3000, 100, 0, 300, 3000), thing(96, 224, 30, 40, 60, 180)).shape) == 2048


def test_nothing_cannot_be_laid() -> None:
    with pytest.raises(FrameError, match="transparent all over"):
        laid_like(torch.zeros(1, 4, 20, 20), thing(96, 224, 30, 40, 60, 180))
