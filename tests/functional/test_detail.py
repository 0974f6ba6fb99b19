from __future__ import annotations

import pytest
import torch

from mbu_ops.functional.detail import agreement


def test_agreement_knows_structure_from_light() -> None:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    other = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    assert agreement(image, image).min() > 0.999
    assert agreement(image, image * 0.8 + 0.1).mean() > 0.9
    assert agreement(image, other).mean() < 0.4
    assert agreement(image, 1 - image).max() < 0.1
    assert agreement(torch.full_like(image, 0.2), torch.full_like(image, 0.7)).min() > 0.999


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_agrees_with_single(dtype: torch.dtype) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    smooth = (0.8 + 0.05 * torch.sin(5 * x) * torch.cos(4 * y)).expand(1, 3, -1, -1).to(dtype)
    other = (smooth.float() * 0.97).to(dtype)
    expected = agreement(smooth.float(), other.float())
    assert (agreement(smooth, other).float() - expected).abs().max() < 0.02
