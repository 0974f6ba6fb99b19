from __future__ import annotations

import pytest
import torch

from mbu_ops.testing import tiny_mbu


def test_same_seed_same_network_and_global_randomness_left_alone() -> None:
    before = torch.get_rng_state()
    one, two, other = tiny_mbu(3), tiny_mbu(3), tiny_mbu(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, two.state_dict()[key]) for key, value in one.state_dict().items())
    assert not torch.equal(one.common_encoder[0].weight, other.common_encoder[0].weight)
    assert not one.training


@pytest.mark.parametrize("seed", range(5))
def test_masks_vary_with_place_image_and_guide(seed: int) -> None:
    model = tiny_mbu(seed)
    images = torch.rand(4, 3, 16, 16)
    masks = model.segment(images)
    assert (masks < 0.05).float().mean() > 0.2
    assert (masks > 0.5).float().mean() > 0.05
    assert (masks[0] - masks[1]).abs().max() > 0.3
    codes = model.encode_guide(images)
    image = images[:1].expand(2, -1, -1, -1)
    first, second = model.transfer(image, codes[:2]).mask
    assert (first - second).abs().max() > 0.1


def test_dtype() -> None:
    assert tiny_mbu(dtype=torch.float64).segment(torch.rand(1, 3, 16, 16).double()).dtype == torch.float64
