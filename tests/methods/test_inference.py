"""The fast forms draw what the networks draw, and leave them as they are."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from mbu_ops.methods.blocks import DomainBatchNorm2d
from mbu_ops.methods.inference import FEW_POSITIONS
from mbu_ops.methods.mbu import MBU, MBUConfig
from mbu_ops.methods.networks import ContentNetworks
from mbu_ops.methods.press import Press
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.swap import Swap
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import OpTester, tiny_mbu

SIZES = {
    "plain": MBUConfig(resolution=16, common_widths=(8, 16), separate_widths=(6,), separate_channels=4),
    "patches": MBUConfig(
        resolution=32, common_widths=(8, 12, 16), separate_widths=(6, 6), separate_channels=4, patch=2
    ),
    "one block": MBUConfig(resolution=16, common_widths=(16,), separate_widths=(), separate_channels=4),
}


@torch.no_grad()
def trained(kind: type[ContentNetworks], config: MBUConfig) -> ContentNetworks:
    """Return networks whose two sets of statistics are neither trivial nor alike, as training leaves them."""
    torch.manual_seed(0)
    model = kind(config)
    for norm in model.modules():
        if isinstance(norm, DomainBatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            for centre in (norm.bias, norm.running_mean, norm.content_mean):
                centre.normal_(0, 0.5)
            for spread in (norm.weight, norm.running_var, norm.content_var):
                spread.uniform_(0.3, 2)
    return model.eval()


def results(model: Any, image: torch.Tensor, code: torch.Tensor) -> dict[str, torch.Tensor]:
    added, removed = model.transfer(image, code), model.remove(image)
    assert added.own is removed.own is None, "nothing of the image's own pixels"
    layers = {"raw": added.bias, "mask": added.mask, "removed": removed.bias, "own": removed.mask}
    return layers | {"segment": model.segment(image)}


@pytest.mark.parametrize("kind", [MBU, Press])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("count", [1, FEW_POSITIONS + 1], ids=["few", "many"])
class TestSameAsTheNetworks:
    def test_every_verb(self, kind: type[ContentNetworks], sizes: str, count: int) -> None:
        model = trained(kind, SIZES[sizes])
        fast: Any = model.for_inference()
        image = torch.rand(count, 3, *[model.config.resolution] * 2)
        code = model.encode_guide(image.flip(0))
        torch.testing.assert_close(fast.encode_guide(image.flip(0)), code, rtol=0, atol=1e-4)
        expected = results(model, image, code)
        for name, result in results(fast, image, code).items():
            torch.testing.assert_close(result, expected[name], rtol=0, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")

    def test_gradients_of_image_and_code(self, kind: type[ContentNetworks], sizes: str, count: int) -> None:
        model = trained(kind, SIZES[sizes]).double()
        image = torch.rand(count, 3, *[model.config.resolution] * 2, dtype=torch.float64)
        code = model.encode_guide(image).detach()
        found = []
        for one in (model, model.for_inference()):
            leaves = image.clone().requires_grad_(), code.clone().requires_grad_()
            torch.stack([value.square().sum() for value in results(one, *leaves).values()]).sum().backward()
            found.append([leaf.grad for leaf in leaves])
        torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize("kind", [MBU, Press])
def test_networks_stay_as_they_are(kind: type[ContentNetworks]) -> None:
    model = trained(kind, SIZES["patches"]).train()
    before = copy.deepcopy(model.state_dict())
    fast: Any = model.for_inference()
    assert model.training
    assert not fast.training
    assert (fast.info, fast.contents, fast.config, fast.code_shape) == (model.info, 1, model.config, model.code_shape)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.requires_grad for weight in model.parameters())
    assert not any(weight.requires_grad for weight in fast.parameters())
    image = torch.rand(1, 3, 32, 32)
    drawn = fast.remove(image)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    assert torch.equal(fast.remove(image).bias, drawn.bias)


def test_content_statistics_are_those_of_removal() -> None:
    model = trained(MBU, SIZES["plain"])
    image = torch.rand(2, 3, 16, 16)
    code = model.encode_guide(image)
    before: Any = model.for_inference()
    for norm in model.modules():
        if isinstance(norm, DomainBatchNorm2d):
            norm.content_mean += 1
    after: Any = model.for_inference()
    assert torch.equal(before.transfer(image, code).mask, after.transfer(image, code).mask)
    assert not torch.allclose(before.remove(image).mask, after.remove(image).mask, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_types(dtype: torch.dtype) -> None:
    model = tiny_mbu()
    image = torch.rand(3, 3, 16, 16)
    code = model.encode_guide(image)
    expected = results(model, image, code)
    for fast in (tiny_mbu(dtype=dtype).for_inference(), tiny_mbu().for_inference().to(dtype)):
        for name, result in results(fast, image.to(dtype), code.to(dtype)).items():
            assert result.dtype == dtype
            assert (result.float() - expected[name]).abs().mean() < (0.05 if dtype.itemsize == 2 else 1e-5), name


def test_a_class_that_draws_differently_is_not_replaced() -> None:
    class Darker(MBU):
        def segment(self, image: torch.Tensor) -> torch.Tensor:
            return super().segment(image) / 2

    model = Darker(SIZES["plain"])
    assert model.for_inference() is model


class Fast(OpTester):
    """What every op promises, with the fast form of its network."""

    def make_op(self, dtype: torch.dtype = torch.float32) -> nn.Module:
        return self.op_class(tiny_mbu(dtype=dtype).for_inference())

    def test_gradients_reach_everything(self) -> None:
        op, inputs = self.make_op(), self.make_inputs()
        tensors = [value.requires_grad_() for value in inputs]
        op(*inputs).square().mean().backward()
        for tensor in tensors:
            assert tensor.grad is not None
            assert tensor.grad.abs().sum() > 0

    def test_state_dict(self) -> None:
        op, inputs = self.make_op(), self.make_inputs()
        other = self.op_class(tiny_mbu(seed=1).for_inference())
        other.load_state_dict(op.state_dict())
        assert torch.equal(other(*inputs), op(*inputs))
        assert torch.equal(copy.deepcopy(op)(*inputs), op(*inputs))


class TestTransfer(Fast):
    op_class = Transfer
    guides = 1


class TestRemove(Fast):
    op_class = Remove


class TestSegment(Fast):
    op_class = Segment


class TestSwap(Fast):
    op_class = Swap
    guides = 1


del Fast, OpTester  # pytest would collect the lists themselves
