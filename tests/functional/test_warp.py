from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ShapeError
from mbu_ops.functional.warp import crop, paste

Sides = tuple[int, int, int, int]


@st.composite
def images_and_boxes(draw: st.DrawFn) -> tuple[torch.Tensor, Sides]:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return torch.rand(2, 3, height, width), (left, top, right, bottom)


@given(images_and_boxes())
def test_pasting_the_crop_back_gives_the_image(case: tuple[torch.Tensor, Sides]) -> None:
    image, box = case
    assert torch.equal(paste(image, crop(image, box), box), image)


@given(images_and_boxes())
def test_paste_fills_the_box_and_nothing_else(case: tuple[torch.Tensor, Sides]) -> None:
    image, box = case
    before = image.clone()
    patch = torch.full_like(crop(image, box), 2.0)
    result = paste(image, patch, box)
    inside = torch.zeros_like(image, dtype=torch.bool)
    inside[..., box[1] : box[3], box[0] : box[2]] = True
    assert torch.equal(crop(result, box), patch)
    assert torch.equal(result[~inside], image[~inside])
    assert torch.equal(image, before), "paste must copy"


def test_gradients() -> None:
    box = (1, 0, 3, 2)
    image = torch.rand(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    patch = torch.rand(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda i, p: paste(i, p, box), (image, patch))
    assert torch.autograd.gradcheck(lambda i: crop(i, box), image)


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, -1, 2, 2), (0, 0, 5, 2), (0, 0, 2, 4), (2, 0, 2, 2), (0, 3, 2, 2)])
def test_box_outside_or_empty(box: Sides) -> None:
    image = torch.rand(1, 3, 3, 4)
    with pytest.raises(ShapeError, match="the image is 4x3 pixels"):
        crop(image, box)
    with pytest.raises(ShapeError, match="the image is 4x3 pixels"):
        paste(image, image, box)


def test_patch_that_does_not_fill_the_box() -> None:
    with pytest.raises(ShapeError, match=r"\(1, 3, 2, 2\).*got \(1, 3, 1, 2\)"):
        paste(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 1, 2), (0, 0, 2, 2))
