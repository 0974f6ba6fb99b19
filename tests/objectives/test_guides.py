"""Default guide codes: real codes of the images, as many as asked for, the same ones every time."""

from __future__ import annotations

import torch

from mbu_ops.methods.mbu import MBU, MBUConfig
from mbu_ops.objectives.guides import choose_guides


def test_guides_are_codes_of_the_images() -> None:
    torch.manual_seed(0)
    model = MBU(MBUConfig(16, (4, 8, 12), (4, 8), 3)).eval()
    with_, without = torch.rand(20, 3, 16, 16), torch.rand(6, 3, 16, 16)
    guides = choose_guides(model, with_, without, count=5)
    assert 1 <= len(guides) <= 5
    codes = model.encode_guide(with_)
    distances = torch.cdist(guides.flatten(1), codes.flatten(1))
    assert torch.allclose(distances.min(1).values, torch.zeros(len(guides)), atol=1e-4)
    assert len(set(distances.argmin(1).tolist())) == len(guides)
    assert torch.equal(guides, choose_guides(model, with_, without, count=5))


def test_no_more_guides_than_images() -> None:
    model = MBU(MBUConfig(16, (4, 8, 12), (4, 8), 3)).eval()
    assert len(choose_guides(model, torch.rand(3, 3, 16, 16), torch.rand(2, 3, 16, 16), count=8)) <= 3
