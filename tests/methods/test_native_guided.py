"""Guided native networks: a guide photo's own pixels, moved onto a photo and brought to its light."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import mbu_ops
from mbu_ops.errors import GuideWarning
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import render
from mbu_ops.methods import get_method
from mbu_ops.methods.native import Native
from mbu_ops.methods.native_dial import NativeDial
from mbu_ops.methods.native_guided import CONFIGS, Adder, GuidedPlanes, NativeGuided
from mbu_ops.methods.presence import OwnPresence
from mbu_ops.testing import tiny_maae, tiny_native, tiny_native_guided
from mbu_ops.weights import WeightsInfo, save

from ..slow_to_trace import SlowToExport, SlowToTrace

SIZE = 16, 16


class TestTransfer(SlowToExport):
    """Adding what a guide shows."""

    op_class = mbu_ops.Transfer
    guides = 1

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> NativeGuided:
        return tiny_native_guided(seed, dtype)


class TestSwap(SlowToTrace):
    """Removing, then adding."""

    op_class = mbu_ops.Swap
    guides = 1

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> NativeGuided:
        return tiny_native_guided(seed, dtype)


def planes(kept: float, guide_flow: tuple[float, float] = (0.0, 0.0), light: float = 1.0) -> GuidedPlanes:
    """Planes that are the same everywhere."""
    one = torch.ones(1, 1, *SIZE)
    still, moved = torch.zeros(1, 2, 2, 2), torch.tensor(guide_flow).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    return GuidedPlanes(one, kept * one, still, moved, torch.full((1, 3, 2, 2), light), one)


def test_it_is_a_method_that_takes_pixels() -> None:
    assert get_method("native_guided") is NativeGuided
    assert NativeGuided.info.takes_pixels
    assert NativeGuided.info.follows_guides


def test_the_guides_own_pixels_are_as_sharp_as_the_guide() -> None:
    photo, guide = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    layer = planes(0, (-2 / 16, 0.0)).layer(resize(photo, SIZE))
    edit = render(photo, layer, guide=guide)
    torch.testing.assert_close(edit.image[..., 8:], guide[..., :-8], atol=1e-5, rtol=0)
    darker = render(photo, planes(0, light=0.5).layer(resize(photo, SIZE)), guide=guide).image
    torch.testing.assert_close(darker, guide / 2, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kept", [0.0, 0.3, 1.0])
def test_the_layer_shows_what_training_saw(kept: float) -> None:
    image, guide = torch.rand(2, 1, 3, *SIZE)
    some = planes(kept, (1 / 16, 0.0), 0.8)
    shown = render(image, some.layer(image), guide=guide).raw
    torch.testing.assert_close(shown, some.shown(image, guide), atol=1e-5, rtol=0)


def test_a_code_is_the_guide_and_where_it_shows_the_content() -> None:
    model, guide = tiny_native_guided(), torch.rand(2, 3, *SIZE)
    code = model.encode_guide(guide)
    assert code.shape[1:] == model.code_shape
    assert torch.equal(code[:, :3], guide)
    assert bool((code[:, 3] == 1).all())
    torch.testing.assert_close(code[:, 4:], model.segment(guide))


def test_of_a_thing_alone_all_is_taken_that_is_opaque() -> None:
    model, image = tiny_native_guided(), torch.rand(2, 3, *SIZE)
    things = torch.rand(2, 4, *SIZE)
    things[1, 3] = 1  # opaque all over: a photo whose content is everywhere
    planes = model.planes(image, model.encode_guide(things))
    assert not planes.kept[0].any()
    assert not planes.flow[0].any()
    assert torch.equal(planes.mask[0], model.adder.window[0])
    assert bool((planes.worn[1] == 1).all())
    assert not torch.equal(planes.mask[1], model.adder.window[0])
    shown = planes.shown(image, things[:, :3])[0]
    taken = planes.taken(things[:, :3])[0]
    torch.testing.assert_close(shown, torch.lerp(image[0], taken, planes.worn[0]))


def test_a_thing_alone_is_bent_as_a_whole_only() -> None:
    adder, image, photo = Adder(CONFIGS["eyes"]), torch.rand(1, 3, 96, 224), torch.rand(1, 5, 96, 224)
    nn.init.normal_(adder.arrows.weight, std=0.3)
    photo[:, 3] = 1
    thing = photo.clone()
    thing[..., 3, 0, 0] = 0.99  # a little of it is transparent
    with torch.no_grad():
        free, stiff = (adder(image, code).guide_flow for code in (photo, thing))
    x, y = torch.linspace(-1, 1, 28).expand(12, -1), torch.linspace(-1, 1, 12)[:, None].expand(-1, 28)
    bends = torch.stack([torch.ones_like(x), x, y, x * y, x * x], -1).flatten(0, 1)
    nearest = bends @ torch.linalg.lstsq(bends, free[0].flatten(1).T).solution
    torch.testing.assert_close(stiff[0].flatten(1).T, nearest, atol=1e-3, rtol=0)
    assert float((free - stiff).abs().max()) > 0.01


def test_other_guides_give_other_pictures_and_codes_stand_in_for_photos() -> None:
    add, photo = mbu_ops.Transfer(tiny_native_guided()), torch.rand(1, 3, 40, 40)
    guides = torch.rand(2, 1, 3, *SIZE)
    first, second = (add(photo, guide) for guide in guides)
    assert (first - second).abs().max() > 0.05
    torch.testing.assert_close(add.edit_code(photo, add.encode(guides[0])).image, first)
    torch.testing.assert_close(add.bind(code=add.encode(guides[0]))(photo), first)


def test_a_mixture_lies_between_two_guides() -> None:
    model, photo = tiny_native_guided(), torch.rand(1, 3, 40, 40)
    guides = torch.rand(2, 1, 3, *SIZE)
    op = mbu_ops.Interpolate(model)
    torch.testing.assert_close(op(photo, *guides, 0.0), mbu_ops.Transfer(model)(photo, guides[0]))
    half = op(photo, *guides, 0.5)
    assert all((half - op(photo, *guides, end)).abs().max() > 0.01 for end in (0.0, 1.0))


def test_a_step_of_a_chain_takes_the_guide_photos_pixels(tmp_path: Path) -> None:
    model = tiny_native_guided()
    info = WeightsInfo("native_guided", model.config_to_dict(model.config), 16, attributes=("hat",))
    save(tmp_path / "hats.safetensors", model, info, presence=OwnPresence(model))
    fine = torch.rand(3, 64, 64)
    Image.fromarray((fine.permute(1, 2, 0).numpy() * 255).astype(np.uint8)).save(tmp_path / "guide.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuideWarning)  # noise shows no hat
        chain = mbu_ops.chain(f"add:{tmp_path / 'hats.safetensors'}@{tmp_path / 'guide.png'},presence=0")
    (step,) = chain.steps
    assert step.guide.shape == (1, 3, 64, 64)
    assert torch.equal(step.op.pictured(step.code)[:, :3], step.code[:, :3])
    photo, add = torch.rand(1, 3, 64, 64), mbu_ops.Transfer(step.model, step.op.look)
    torch.testing.assert_close(chain(photo), add(photo, step.guide))
    assert (chain(photo) - add.edit_code(photo, step.code).image).abs().max() > 0.01


def test_at_first_the_guide_lies_where_it_lies() -> None:
    adder, images = Adder(CONFIGS["eyes"]), torch.rand(2, 3, 96, 224)
    with torch.no_grad():
        found = adder(images, torch.cat([torch.rand(2, 3, 96, 224), torch.ones(2, 2, 96, 224)], 1))
    assert not found.guide_flow.any()
    assert bool((found.light == 1).all())
    assert found.mask.mean() < 0.2
    assert bool(((found.kept > 0) & (found.kept < 1)).all())


def test_it_begins_as_a_remover_or_as_itself() -> None:
    remover, image = tiny_native(), torch.rand(2, 3, *SIZE)
    model = NativeGuided.continued(remover, remover.config)
    assert isinstance(model, NativeGuided)
    model.less.window.fill_(1)
    torch.testing.assert_close(model.remove(image).bias, remover.remove(image).bias)
    assert NativeGuided.continued(model, model.config) is model
    assert NativeGuided.continued(tiny_maae(), model.config) is None
    # and others begin as its remover
    again = Native.continued(model, model.config)
    assert again is not None
    again.window.fill_(1)
    torch.testing.assert_close(again.remove(image).bias, remover.remove(image).bias)
    dial = NativeDial.continued(model, model.config)
    assert isinstance(dial, NativeDial)
    dial.less.window.fill_(1)
    torch.testing.assert_close(dial.remove(image).bias, remover.remove(image).bias)
    assert NativeGuided.continued(remover, replace(model.config, channels=16)) is None


def test_the_fast_form_draws_the_same() -> None:
    model, images = tiny_native_guided(), torch.rand(2, 3, *SIZE)
    form, code = model.for_inference(), model.encode_guide(images.flip(0))
    assert not any(weight.requires_grad for weight in form.parameters())
    ours, theirs = (render(images, one.transfer(images, code), guide=images.flip(0)).image for one in (model, form))
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=0)
