"""Native dials: one network for less and one for more, that move the photo's own pixels and redraw few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mbu_ops
from mbu_ops.functional.render import render
from mbu_ops.methods import get_method
from mbu_ops.methods.native import CONFIGS as ONE_WAY
from mbu_ops.methods.native import Native, Planes
from mbu_ops.methods.native_dial import CONFIGS, NativeDial
from mbu_ops.methods.presence import OwnPresence
from mbu_ops.testing import tiny_maae, tiny_native, tiny_native_dial
from mbu_ops.weights import WeightsInfo, load, save

from ..slow_to_trace import SlowToExport, SlowToTrace

SIZE = 16, 16


class TestAdjust(SlowToExport):
    """Turning a content up and down."""

    op_class = mbu_ops.Adjust

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> NativeDial:
        return tiny_native_dial(seed, dtype)

    def make_inputs(
        self, batch: int = 2, height: int = 24, width: int = 20, dtype: torch.dtype = torch.float32
    ) -> tuple[Any, ...]:
        return *super().make_inputs(batch, height, width, dtype), torch.linspace(1, -0.9, batch).to(dtype)

    def one_in(self, op: Any, inputs: tuple[Any, ...]) -> nn.Module:
        return op.bind(self._one(inputs[1]))


class TestRemove(SlowToTrace):
    """Removing with pixels that move."""

    op_class = mbu_ops.Remove

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> NativeDial:
        return tiny_native_dial(seed, dtype)


def planes(flow: tuple[float, float] = (0.0, 0.0), mask: float = 0.0, gate: float = 1.0) -> Planes:
    """Grey planes that are the same everywhere."""
    one = torch.ones(1, 1, *SIZE)
    arrows = torch.tensor(flow).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    return Planes(0.5 * one.expand(1, 3, -1, -1), mask * one, mask * (1 - gate) * one, arrows)


def test_it_is_a_method_with_a_dial() -> None:
    assert get_method("native_dial") is NativeDial
    assert {"adjust", "transfer", "remove"} <= NativeDial.info.verbs
    assert all(config.flow and replace(config, flow=False) == ONE_WAY[name] for name, config in CONFIGS.items())


def test_each_way_is_its_own_network() -> None:
    model, images = tiny_native_dial(), torch.rand(3, 3, *SIZE)
    layer = model.adjust(images, torch.tensor([-1.0, 1.0, 0.5]))
    code = torch.tensor([1.0, 0.5]).view(2, 1, 1, 1)
    ways = {0: model.remove(images[:1]), 1: model.transfer(images[1:], code).one(0)}
    ways[2] = model.transfer(images[1:], code).one(1)
    for index, way in ways.items():
        torch.testing.assert_close(layer.one(index).bias, way.bias)
        torch.testing.assert_close(layer.one(index).mask, way.mask)


def test_a_batch_that_goes_one_way_asks_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = tiny_native_dial(), torch.rand(2, 3, *SIZE)
    mixed = model.adjust(images, torch.tensor([0.5, -0.5]))
    for network, strength, index in ((model.less, 0.5, 0), (model.more, -0.5, 1)):
        with monkeypatch.context() as patch:
            patch.setattr(network, "planes", None)
            layer = model.adjust(images, torch.full((2,), strength))
        torch.testing.assert_close(layer.one(index).bias, mixed.one(index).bias)


@pytest.mark.parametrize("model", [tiny_native(), tiny_native_dial()], ids=["native", "dial"])
def test_the_fast_form_draws_the_same_and_does_not_learn(model: Any) -> None:
    image, form = torch.rand(3, 3, *SIZE), model.for_inference()
    assert type(form) is type(model)
    assert not any(weight.requires_grad for weight in form.parameters())
    assert all(weight.requires_grad for weight in model.parameters())
    ours, theirs = model.remove(image), form.remove(image)
    torch.testing.assert_close(theirs.bias, ours.bias, atol=1e-4, rtol=0)
    torch.testing.assert_close(theirs.mask, ours.mask, atol=1e-3, rtol=0)


def test_strength_0_is_the_photo_bit_for_bit_and_half_is_half() -> None:
    model, photo = tiny_native_dial(), torch.rand(1, 3, 50, 40)
    adjust = mbu_ops.Adjust(model)
    assert torch.equal(adjust(photo, 0.0), photo)
    full, half = (model.adjust(photo[..., :16, :16], torch.tensor([strength])) for strength in (1.0, 0.5))
    assert full.own is not None
    assert half.own is not None
    assert full.own.flow is not None
    assert half.own.flow is not None
    torch.testing.assert_close(2 * half.own.flow, full.own.flow)
    apart = [(adjust(photo, strength) - photo).abs().mean() for strength in (0.4, 0.7, 1.0)]
    assert 0 < apart[0] < apart[1] < apart[2]


def test_gradients_reach_the_strength_and_the_photo() -> None:
    strength = torch.tensor([0.6], requires_grad=True)
    photo = torch.rand(1, 3, *SIZE, requires_grad=True)
    mbu_ops.Adjust(tiny_native_dial())(photo, strength).square().sum().backward()
    assert strength.grad is not None
    assert photo.grad is not None
    assert strength.grad.abs() > 0
    assert torch.isfinite(photo.grad).all()


def test_what_only_moves_is_as_sharp_as_the_photo() -> None:
    """Two pixels to the right of a frame of 16 are eight of a photo of 64: none is drawn."""
    photo = torch.rand(1, 3, 64, 64)
    seen = torch.nn.functional.interpolate(photo, SIZE, mode="area")
    layer = planes((-2 / 16, 0.0)).layer(seen)
    edit = render(photo, layer)
    torch.testing.assert_close(edit.image[..., 8:], photo[..., :-8], atol=1e-5, rtol=0)
    assert bool((edit.mask == 1).all())


def test_the_layer_shows_what_training_saw() -> None:
    image = torch.rand(1, 3, *SIZE)
    for some in (planes((1 / 16, 0.0), 0.7, 0.4), planes((0.0, -1.5 / 16), 1.0, 0.0), planes()):
        shown = render(image, some.layer(image)).raw
        torch.testing.assert_close(shown, some.shown(image), atol=1e-5, rtol=0)


def test_flows_end_where_the_mask_does() -> None:
    model, image = tiny_native_dial(), torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        model.more.paint.bias[12:16] = -100
        model.more.paint.weight[12:16] = 0  # the mask
        flow = model.more.planes(image).flow
    assert flow is not None
    assert not flow.any()


def test_no_flow_is_longer_than_an_eighth_of_the_frame() -> None:
    model = tiny_native_dial()
    with torch.no_grad():
        assert model.more.arrows is not None
        model.more.arrows.weight *= 1e4
        model.more.paint.bias[12:16] = 100  # the mask
        flow = model.more.planes(torch.rand(2, 3, *SIZE)).flow
    assert flow is not None
    assert 0.05 < flow.abs().max() <= 0.125


@pytest.mark.parametrize("flow", [False, True])
def test_both_ways_begin_as_a_remover(flow: bool) -> None:
    remover, image = tiny_native(), torch.rand(2, 3, *SIZE)
    model = NativeDial.continued(remover, replace(remover.config, flow=flow))
    assert isinstance(model, NativeDial)
    for network in (model.less, model.more):
        network.window.fill_(1)
        torch.testing.assert_close(network.planes(image).shown(image), remover.planes(image).shown(image))
    assert model.less.paint.weight is not model.more.paint.weight


def test_it_begins_as_itself_and_as_nothing_else() -> None:
    model = tiny_native_dial()
    assert NativeDial.continued(model, model.config) is model
    assert NativeDial.continued(tiny_maae(), model.config) is None
    assert NativeDial.continued(tiny_native(), replace(model.config, channels=16)) is None


def test_a_remover_begins_as_one_of_another_frame() -> None:
    small = tiny_native()
    tall = Native.continued(small, replace(small.config, height=32))
    assert tall is not None
    assert tall.planes(torch.rand(2, 3, 32, 16)).mask.shape == (2, 1, 32, 16)
    assert all(torch.equal(one, two) for one, two in zip(small.parameters(), tall.parameters(), strict=True))
    assert Native.continued(small, replace(small.config, patch=1)) is None


def test_weights_hold_both(tmp_path: Path) -> None:
    model, image = tiny_native_dial(), torch.rand(1, 3, *SIZE)
    info = WeightsInfo("native_dial", model.config_to_dict(model.config), 16, attributes=("smile",))
    save(tmp_path / "dial.safetensors", model, info, presence=OwnPresence(model))
    loaded = load(tmp_path / "dial.safetensors")
    for ours, theirs in ((model.less, loaded.model.less), (model.more, loaded.model.more)):
        theirs.window.fill_(1)
        assert (ours.planes(image).shown(image) - theirs.planes(image).shown(image)).abs().mean() < 0.02
    assert isinstance(loaded.presence, OwnPresence)
