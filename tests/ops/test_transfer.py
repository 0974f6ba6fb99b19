from __future__ import annotations

import pytest
import torch

from mbu_ops.errors import ShapeError
from mbu_ops.functional.mask import resize
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.look import Look
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import OpTester


class TestTransfer(OpTester):
    op_class = Transfer
    guides = 1


def test_is_the_papers_blend_with_a_floor_under_the_mask(model: MBU) -> None:
    image, guide = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)  # the model's own size: no resizing
    mask, raw, *_ = model.transfer(image, model.encode_guide(guide))
    mask = ((mask - 0.1) / 0.1).clamp(0, 1)
    torch.testing.assert_close(Transfer(model)(image, guide), mask * raw + (1 - mask) * image)


def test_threshold_and_softness(model: MBU) -> None:
    image, guide = torch.rand(1, 3, 30, 30), torch.rand(1, 3, 30, 30)
    assert torch.equal(Transfer(model, Look(threshold=1.0))(image, guide), image)
    assert set(Transfer(model, Look(threshold=0.5, softness=0.0)).edit(image, guide).mask.unique().tolist()) == {
        0.0,
        1.0,
    }
    plain = Transfer(model, Look(threshold=0.0, softness=1.0)).edit(image, guide).mask
    layer = model.transfer(resize(image, (16, 16)), Transfer(model).encode(guide))
    torch.testing.assert_close(plain, resize(layer.mask, (30, 30)))


def test_guide_decides_what_is_added(model: MBU) -> None:
    image, guides = torch.rand(1, 3, 24, 24), torch.rand(2, 3, 24, 24)
    add = Transfer(model)
    assert not torch.equal(add(image, guides[:1]), add(image, guides[1:]))


def test_edits_follow_the_picture_at_native_size(model: MBU) -> None:
    """The mask comes from the small frame, but the background keeps every detail of a large picture."""
    image = torch.rand(1, 3, 200, 150)
    edit = Transfer(model).edit(image, torch.rand(1, 3, 20, 20))
    untouched = (edit.mask == 0).expand_as(image)
    assert 0.02 < untouched.float().mean() < 0.98
    assert torch.equal(edit.image[untouched], image[untouched])


def test_codes_of_other_weights_are_refused(model: MBU) -> None:
    op, other = Transfer(model), torch.rand(1, 5, 2, 2)
    expected = r"expected code of shape \(N, 4, 4, 4\).*got \(1, 5, 2, 2\).*the weights that made them"
    with pytest.raises(ShapeError, match=expected):
        op.edit_code(torch.rand(1, 3, 16, 16), other)
    with pytest.raises(ShapeError, match=expected):
        op.bind(code=other)
    with pytest.raises(ShapeError, match="expected guides"):
        Transfer(model, guides=other)
