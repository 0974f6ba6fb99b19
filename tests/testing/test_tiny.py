from __future__ import annotations

from typing import Any

import pytest
import torch

import mbu_ops
from mbu_ops.testing import tiny_didd, tiny_maae, tiny_mbu


@pytest.mark.parametrize("tiny", [tiny_mbu, tiny_didd, tiny_maae])
def test_same_seed_same_network_and_global_randomness_left_alone(tiny: Any) -> None:
    before = torch.get_rng_state()
    one, two, other = tiny(3), tiny(3), tiny(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, two.state_dict()[key]) for key, value in one.state_dict().items())
    stem = f"{one.stems()[0]}.weight"
    assert not torch.equal(one.state_dict()[stem], other.state_dict()[stem])
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


@pytest.mark.parametrize("seed", range(3))
def test_edits_of_the_others_are_seen_in_some_places(seed: int) -> None:
    image, guide = torch.rand(8, 3, 16, 16), torch.rand(8, 3, 16, 16)
    views = [tiny_didd(seed).for_content(index) for index in (0, 1)]
    edits = [mbu_ops.Transfer(view).edit(image, guide) for view in views]
    edits.append(mbu_ops.Adjust(tiny_maae(seed)).edit(image, 1.0))
    for edit in edits:
        assert 0.02 < (edit.mask == 0).float().mean() < 0.98
        assert edit.mask.max() > 0.5
