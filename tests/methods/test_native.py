"""Native: a layer of the photo's own pixels, in a region of a photo of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mbu_ops
from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.render import render
from mbu_ops.methods import get_method
from mbu_ops.methods.native import CONFIGS, Native
from mbu_ops.objectives import build_objective
from mbu_ops.testing import OpTester, tiny_native
from mbu_ops.weights import WeightsInfo, load, save


class TestRemove(OpTester):
    """Removing by a layer that moves, keeps and redraws."""

    op_class = mbu_ops.Remove

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Native:
        return tiny_native(seed, dtype)


class TestAdjust(OpTester):
    """With a strength for each image."""

    op_class = mbu_ops.Adjust

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Native:
        return tiny_native(seed, dtype)

    def make_inputs(
        self, batch: int = 2, height: int = 24, width: int = 20, dtype: torch.dtype = torch.float32
    ) -> tuple[Any, ...]:
        return *super().make_inputs(batch, height, width, dtype), torch.linspace(0.7, -0.9, batch).to(dtype)

    def one_in(self, op: Any, inputs: tuple[Any, ...]) -> Any:
        return op.bind(self._one(inputs[1]))


def removal(image: torch.Tensor) -> Layer:
    return tiny_native().remove(image)


def test_a_layer_has_planes_of_the_frame_and_a_coarse_flow() -> None:
    assert get_method("native") is Native
    model = Native("lite").eval()
    side = model.config.resolution
    layer = model.remove(torch.rand(2, 3, side, side))
    assert layer.own is not None
    assert layer.own.flow is not None
    assert layer.own.low is not None
    assert layer.mask.shape == layer.own.gain.shape == (2, 1, side, side)
    assert layer.bias.shape == layer.own.low.shape == (2, 3, side, side)
    assert layer.own.flow.shape == (2, 2, side // 8, side // 8)


@given(st.integers(0, 2**31), st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_nothing_is_moved_further_than_its_reach(seed: int, strength: float) -> None:
    model = tiny_native(seed)
    with torch.no_grad():
        model.flow.weight *= strength
        model.light.weight *= strength
    layer = model.remove(torch.rand(2, 3, 16, 16))
    assert layer.own is not None
    assert layer.own.flow is not None
    assert layer.own.flow.abs().max() <= model.config.reach
    assert layer.bias.abs().max() <= model.config.light
    for share in (layer.mask, layer.own.gain):
        assert 0 <= share.min() <= share.max() <= 1


def test_what_no_mask_covers_is_the_photo_bit_for_bit() -> None:
    photo = torch.rand(2, 3, 60, 52)
    edit = mbu_ops.Remove(tiny_native()).edit(photo)
    assert 0 < (edit.mask == 0).float().mean() < 1
    kept = (edit.mask == 0).expand_as(photo)
    assert torch.equal(edit.image[kept], photo[kept])
    assert not torch.allclose(edit.image, photo, atol=0.05)


def test_kept_pixels_are_as_sharp_as_the_photo() -> None:
    """Where all of the photo is kept and nothing moves, detail that the network cannot see is there."""
    model = tiny_native()
    with torch.no_grad():
        model.flow.weight.zero_()
        model.light.weight.zero_()
        assert model.paint.bias is not None
        model.paint.weight[12:20] = 0  # the mask and the gain
        model.paint.bias[12:20] = 20
    photo = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(mbu_ops.Remove(model)(photo), photo, atol=1e-5, rtol=0)
    with torch.no_grad():
        model.paint.bias[16:20] = -20
    redrawn = mbu_ops.Remove(model)(photo)
    steps, wanted = ((one[..., 1:] - one[..., :-1]).abs().mean() for one in (redrawn, photo))
    assert steps < 0.5 * wanted


def test_full_strength_removes_and_none_does_nothing() -> None:
    model, image = tiny_native(), torch.rand(3, 3, 16, 16)
    removed, adjusted = model.remove(image), model.adjust(image, torch.full((3,), -1.0))
    torch.testing.assert_close(render(image, adjusted).image, render(image, removed).image)
    assert torch.equal(mbu_ops.Adjust(model)(image, 0.0), image)
    half = mbu_ops.Adjust(model)(image, -0.01)
    assert 0 < (half - image).abs().mean() < 0.2 * (mbu_ops.Adjust(model)(image, -1.0) - image).abs().mean()


def test_more_than_there_is_moves_the_other_way_and_redraws_nothing() -> None:
    model, image = tiny_native(), torch.rand(2, 3, 16, 16)
    less, more = (model.adjust(image, torch.full((2,), strength)) for strength in (-1.0, 1.0))
    assert less.own is not None
    assert more.own is not None
    assert less.own.flow is not None
    assert more.own.flow is not None
    torch.testing.assert_close(more.own.flow, -less.own.flow)
    torch.testing.assert_close(more.bias, -less.bias)
    assert more.own.gain.min() == 1


def test_weights_files_hold_it(tmp_path: Path) -> None:
    model, image = tiny_native(), torch.rand(2, 3, 16, 16)
    info = WeightsInfo(
        "native", model.config_to_dict(model.config), 16, family="faces", attributes=("glasses",), frame="eyes"
    )
    path = tmp_path / "native.safetensors"
    save(path, model, info, dtype=torch.float32)
    pretrained = load(path)
    assert pretrained.frame.name == "eyes"
    assert torch.equal(pretrained.model.segment(image), model.segment(image))
    assert mbu_ops.Remove.from_pretrained(path).frame.within == "face"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"widths": (16,)}, r"widths must be two or more multiples of 8, got \(16,\)"),
        ({"widths": (16, 12)}, r"widths must be two or more multiples of 8, got \(16, 12\)"),
        ({"blocks": 65}, "blocks must lie between 1 and 64, got 65"),
        ({"reach": 1.5}, "reach must lie between 0 and 1, got 1.5"),
        ({"light": 2.0}, "light must lie between 0 and 1, got 2.0"),
        ({"resolution": 150}, r"resolution must be a multiple of patch \* 2\*\*3 = 16, got 150"),
    ],
)
def test_sizes_that_cannot_work_are_refused(wrong: dict[str, Any], expected: str) -> None:
    values = Native.config_to_dict(CONFIGS["lite"]) | wrong
    with pytest.raises(ConfigurationError, match=expected):
        Native.config_from_dict(values)


def test_it_says_that_it_cannot_be_trained_here() -> None:
    with pytest.raises(ConfigurationError, match="expected a method that can be trained here, got native"):
        build_objective(tiny_native())
