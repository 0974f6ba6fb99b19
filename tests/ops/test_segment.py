from __future__ import annotations

import torch

from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import OpTester


class TestSegment(OpTester):
    op_class = Segment
    guides = 0


def test_is_the_mask_of_the_images_own_content(model: MBU) -> None:
    image = torch.rand(2, 3, 16, 16)  # the model's own size: no resizing
    mask = model.transfer(image, model.encode_guide(image)).mask
    edit = Segment(model).edit(image)
    torch.testing.assert_close(Segment(model)(image), mask)
    torch.testing.assert_close(edit.mask, mask)
    assert torch.equal(edit.raw, image)
    assert edit.image is image


def test_threshold_makes_it_hard(model: MBU) -> None:
    image = torch.rand(2, 3, 30, 20)
    soft, hard = Segment(model)(image), Segment(model, threshold=0.4)(image)
    assert torch.equal(hard, (soft > 0.4).float())
    assert 0 < hard.mean() < 1
    assert torch.equal(Segment(model, threshold=0.4).edit(image).mask, hard)
