"""Doubling a network's resolution: the pictures stay, each pixel doubled."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mbu_ops.methods.mbu import MBU, MBUConfig


@pytest.mark.parametrize("patch", [1, 2])
def test_the_refined_network_draws_the_same_pictures(patch: int) -> None:
    torch.manual_seed(0)
    coarse = MBU(MBUConfig(8 * patch, (4, 8, 12), (4, 8), 3, patch=patch)).eval()
    fine = coarse.refined()
    assert (fine.config.resolution, fine.config.patch) == (16 * patch, 2 * patch)
    assert not fine.training
    image = torch.rand(2, 3, 16 * patch, 16 * patch)
    before, after = coarse.remove(F.avg_pool2d(image, 2)), fine.remove(image)
    for one, two in ((before.mask, after.mask), (before.bias, after.bias)):
        torch.testing.assert_close(F.interpolate(one, scale_factor=2), two)
