from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from mbu_ops.functional.mask import binarise, change_mask, dilate, resize


@given(st.floats(0, 0.9), st.floats(0.01, 1), st.integers(0, 2**16))
def test_ramp_is_exactly_0_up_to_the_threshold_and_never_falls(threshold: float, softness: float, seed: int) -> None:
    mask = torch.rand(500, generator=torch.Generator().manual_seed(seed)).sort().values
    soft = binarise(mask, threshold, softness)
    assert (soft[mask <= threshold] == 0).all()
    assert (soft[mask >= threshold + softness + 1e-5] == 1).all()
    assert (soft.diff() >= 0).all()


def test_hard_mask_is_the_indicator() -> None:
    mask = torch.tensor([0.0, 0.1, 0.11, 1.0])
    assert binarise(mask, 0.1).tolist() == [0, 0, 1, 1]
    assert binarise(mask.half(), 0.5).dtype == torch.float16


def test_ramp_passes_gradients() -> None:
    mask = torch.rand(20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: binarise(m, 0.3, 0.4), mask)
    (gradient,) = torch.autograd.grad(binarise(mask, 0.3, 0.4).sum(), mask)
    assert torch.equal(gradient > 0, (mask > 0.3) & (mask < 0.7))


def test_resize_returns_the_same_tensor_at_the_same_size() -> None:
    image = torch.rand(1, 3, 8, 9)
    assert resize(image, (8, 9)) is image


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3), (31, 29)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_resize_keeps_dtype_range_and_flat_pictures(size: tuple[int, int], dtype: torch.dtype) -> None:
    image = torch.rand(2, 3, 16, 16).to(dtype)
    result = resize(image, size)
    assert result.shape == (2, 3, *size)
    assert result.dtype == dtype
    assert result.min() >= image.min() - 1e-3
    assert result.max() <= image.max() + 1e-3
    torch.testing.assert_close(resize(torch.full_like(image, 0.25), size), torch.full_like(result, 0.25))


def test_shrinking_is_antialiased() -> None:
    stripes = torch.arange(64).remainder(2).float().expand(1, 1, 64, 64)
    assert (resize(stripes, (9, 9)) - 0.5).abs().max() < 0.1
    assert (F.interpolate(stripes, (9, 9), mode="bilinear") - 0.5).abs().max() > 0.3, "plain bilinear would alias"


def test_resize_gradients() -> None:
    image = torch.rand(1, 1, 4, 6, dtype=torch.float64, requires_grad=True)
    for size in ((3, 9), (8, 8), (2, 2)):
        assert torch.autograd.gradcheck(lambda x, size=size: resize(x, size), image)


def test_dilation_takes_the_largest_value_around() -> None:
    mask = torch.zeros(1, 1, 5, 5)
    mask[0, 0, 2, 2] = 0.8
    assert torch.equal(dilate(mask, 0), mask)
    grown = dilate(mask, 1)
    assert torch.equal(grown[0, 0, 1:4, 1:4], torch.full((3, 3), 0.8))
    assert grown.sum() == pytest.approx(9 * 0.8)
    assert torch.equal(dilate(mask, 2), torch.full((1, 1, 5, 5), 0.8))


def test_a_change_is_averaged_over_its_square_and_strengthened() -> None:
    before = torch.rand(1, 3, 11, 11) * 0.1
    after = before.clone()
    after[0, :, 5, 5] += torch.tensor([0.25, -0.5, 0.125])  # the colour that changes most counts
    mask = change_mask(before, after)
    assert mask.shape == (1, 1, 11, 11)
    torch.testing.assert_close(mask[0, 0, 3:8, 3:8], torch.full((5, 5), 3 * 0.5 / 25))
    assert torch.equal(mask.nonzero()[:, 2:].amin(0), torch.tensor([3, 3]))
    assert torch.equal(mask.nonzero()[:, 2:].amax(0), torch.tensor([7, 7]))
    strong = change_mask(before, after, gain=10.0, window=1)
    torch.testing.assert_close(strong.max(), torch.tensor(1.0))
    assert strong.count_nonzero() == 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_change_masks_keep_the_dtype_and_end_at_1(dtype: torch.dtype) -> None:
    before, after = torch.zeros(2, 3, 8, 8, dtype=dtype), torch.ones(2, 3, 8, 8, dtype=dtype)
    mask = change_mask(before, after)
    assert mask.dtype == dtype
    assert mask.max() == 1
    assert not change_mask(after, after).any()


def test_change_masks_pass_gradients_to_both_drawings() -> None:
    before, after = (torch.rand(1, 3, 6, 6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda one, two: change_mask(one, two, 0.5), (before, after))
    for gradient in torch.autograd.grad(change_mask(before, after, 0.5).sum(), (before, after)):
        assert gradient.abs().sum() > 0
