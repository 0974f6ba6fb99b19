from __future__ import annotations

import pytest
import torch
from torch import nn

from mbu_ops.functional.blend import blend
from mbu_ops.functional.mask import binarise
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.edit import Edit, compose, edit_with
from mbu_ops.ops.remove import Remove


def random_edit(image: torch.Tensor, softness: float) -> Edit:
    mask, raw = binarise(torch.rand_like(image[:, :1]), 0.5, softness), torch.rand_like(image)
    return Edit(blend(image, raw, mask), mask, raw)


@pytest.mark.parametrize("first_softness", [0.0, 0.5])
@pytest.mark.parametrize("second_softness", [0.0, 0.5])
def test_compose_is_one_blend_of_the_first_image(first_softness: float, second_softness: float) -> None:
    image = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    first = random_edit(image, first_softness)
    second = random_edit(first.image, second_softness)
    both = compose(first, second)
    torch.testing.assert_close(blend(image, both.raw, both.mask), second.image, rtol=0, atol=1e-12)
    assert torch.equal(both.mask == 0, (first.mask == 0) & (second.mask == 0))
    assert both.mask.max() <= 1
    assert both.raw.min() >= 0
    assert both.raw.max() <= 1


def test_compose_has_finite_gradients_where_no_mask_is() -> None:
    image = torch.rand(1, 3, 2, 2)
    logits = torch.full((1, 1, 2, 2), 0.2, requires_grad=True)
    mask = binarise(logits, 0.5, 0.5)
    edit = Edit(blend(image, 1 - image, mask), mask, 1 - image)
    compose(edit, edit).raw.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_edit_with_an_op_and_with_any_module(model: MBU) -> None:
    image = torch.rand(1, 3, 20, 20)
    op = Remove(model)
    assert all(torch.equal(a, b) for a, b in zip(edit_with(op, image), op.edit(image), strict=True))
    plain = edit_with(nn.Hardtanh(0, 0.5), image)
    assert torch.equal(plain.image, image.clamp(max=0.5))
    assert torch.equal(blend(image, plain.raw, plain.mask), plain.image)
