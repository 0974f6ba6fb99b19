"""Numbers of parts as colours, and rows of pictures as one picture."""

from __future__ import annotations

import pytest
import torch

from mbu_ops.functional.grid import grid
from mbu_ops.functional.palette import palette_image, spread_palette


def test_colours_can_be_told_apart() -> None:
    palette = spread_palette(255)
    assert palette.shape == (255, 3)
    assert palette.dtype == torch.float32
    assert palette.min() >= 0
    assert palette.max() <= 1
    assert torch.pdist(palette).min() > 0.005
    assert torch.pdist(spread_palette(20)).min() > 0.1, "those of few parts at a glance"


def test_the_first_part_is_black_and_the_others_are_not() -> None:
    palette = spread_palette(9)
    assert palette[0].eq(0).all()
    assert (palette[1:].amax(1) >= 0.6).all()
    assert (palette[1:].amin(1) < 0.5 * palette[1:].amax(1)).all(), "nor grey"


@pytest.mark.parametrize("count", [1, 2, 19])
def test_more_parts_leave_the_first_colours_as_they_are(count: int) -> None:
    assert torch.equal(spread_palette(count), spread_palette(30)[:count])


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64])
def test_each_label_becomes_its_colour(kind: torch.dtype) -> None:
    palette = torch.rand(5, 3, dtype=torch.float64)
    labels = torch.randint(0, 5, (2, 1, 4, 6)).to(kind)
    picture = palette_image(labels, palette)
    assert picture.shape == (2, 3, 4, 6)
    assert picture.dtype == torch.float64
    for number in range(5):
        there = (labels == number)[:, 0]
        assert torch.equal(picture.movedim(1, -1)[there], palette[number].expand(int(there.sum()), 3))


def test_labels_beyond_the_palette_are_no_colour() -> None:
    with pytest.raises(IndexError):
        palette_image(torch.full((1, 1, 2, 2), 5), spread_palette(5))


def test_rows_lie_below_each_other_and_pictures_beside() -> None:
    colours, greys = torch.rand(3, 3, 4, 5), torch.rand(3, 1, 4, 5)
    sheet = grid([colours, greys])
    assert sheet.shape == (3, 8, 15)
    for column in range(3):
        there = slice(5 * column, 5 * column + 5)
        assert torch.equal(sheet[:, :4, there], colours[column])
        assert torch.equal(sheet[:, 4:, there], greys[column].expand(3, -1, -1))


def test_a_sheet_is_a_picture() -> None:
    sheet = grid([torch.full((1, 3, 1, 1), value) for value in (-1.0, 0.5, 2.0)])
    assert sheet[0, :, 0].tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("other", [(2, 3, 4, 4), (3, 3, 4, 5), (3, 2, 4, 4)])
def test_rows_that_do_not_fit_are_no_sheet(other: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError):
        grid([torch.rand(3, 3, 4, 4), torch.rand(other)])
