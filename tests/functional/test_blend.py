from __future__ import annotations

import pytest
import torch

from mbu_ops.functional.blend import blend

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
def test_is_image_at_0_and_raw_at_1_bit_for_bit(dtype: torch.dtype) -> None:
    image, raw = torch.rand(2, 3, 16, 16).to(dtype), torch.rand(2, 3, 16, 16).to(dtype)
    mask = (torch.rand(2, 1, 16, 16) > 0.5).to(dtype)
    result = blend(image, raw, mask)
    assert torch.equal(result, torch.where(mask > 0, raw, image))
    assert result.dtype == dtype


def test_is_the_papers_formula() -> None:
    image, raw, mask = torch.rand(2, 3, 5, 7), torch.rand(2, 3, 5, 7), torch.rand(2, 1, 5, 7)
    torch.testing.assert_close(blend(image, raw, mask), mask * raw + (1 - mask) * image)


def test_gradients() -> None:
    image, raw = (torch.rand(1, 3, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    mask = torch.rand(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(blend, (image, raw, mask))
