"""Native: what is redrawn in a region of a photo of any size; all else is the photo's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mbu_ops
from mbu_ops.errors import ConfigurationError
from mbu_ops.frames.box import Box
from mbu_ops.frames.framed import Framed
from mbu_ops.functional.render import render
from mbu_ops.methods import get_method
from mbu_ops.methods.config import config_from_dict
from mbu_ops.methods.native import CONFIGS, Native, NativeConfig, Planes
from mbu_ops.methods.presence import OwnPresence, Presence
from mbu_ops.testing import OpTester, tiny_native
from mbu_ops.weights import WeightsInfo, load, save


class TestRemove(OpTester):
    """Removing by a layer that keeps and redraws."""

    op_class = mbu_ops.Remove

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Native:
        return tiny_native(seed, dtype)


class TestSegment(OpTester):
    """Finding where the content is."""

    op_class = mbu_ops.Segment

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Native:
        return tiny_native(seed, dtype)


def saved(path: Path, frame: str = "eyes") -> Path:
    model = tiny_native()
    values = model.config_to_dict(model.config)
    save(path, model, WeightsInfo("native", values, 16, family="faces", attributes=("glasses",), frame=frame))
    return path


@pytest.mark.parametrize("name", CONFIGS)
def test_a_layer_has_planes_of_its_regions_shape(name: str) -> None:
    assert get_method("native") is Native
    model = Native(name).eval()
    height, width = model.config.size
    with torch.no_grad():
        layer = model.remove(torch.rand(2, 3, height, width))
    assert layer.own is not None
    assert layer.own.low is not None
    assert layer.mask.shape == layer.own.gain.shape == (2, 1, height, width)
    assert layer.bias.shape == layer.own.low.shape == (2, 3, height, width)


@given(st.integers(0, 2**31), st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_shares_are_shares_whatever_the_weights(seed: int, strength: float) -> None:
    model = tiny_native(seed)
    with torch.no_grad():
        model.paint.weight *= strength
        layer = model.remove(torch.rand(2, 3, 16, 16))
    assert layer.own is not None
    for share in (layer.mask, layer.own.gain):
        assert 0 <= share.min() <= share.max() <= 1


def test_what_no_mask_covers_is_the_photo_bit_for_bit() -> None:
    photo = torch.rand(2, 3, 60, 52)
    edit = mbu_ops.Remove(tiny_native()).edit(photo)
    assert 0 < (edit.mask == 0).float().mean() < 1
    kept = (edit.mask == 0).expand_as(photo)
    assert torch.equal(edit.image[kept], photo[kept])
    assert not torch.allclose(edit.image, photo, atol=0.05)


def test_a_layer_blends_as_in_training() -> None:
    """Colours show by the mask's share times the closed gate, whatever ramp the op puts on the mask."""
    model, image = tiny_native(), torch.rand(2, 3, 16, 16)
    colour, _, redrawn, _ = model.planes(image)
    wanted = torch.lerp(image, colour, redrawn)
    torch.testing.assert_close(render(image, model.remove(image)).raw, wanted)


def test_kept_pixels_are_as_sharp_as_the_photo_and_redrawn_ones_are_not() -> None:
    model, photo = tiny_native(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        model.paint.weight[12:20] = 0  # the mask and the gate
        model.paint.bias[12:20] = 20
        torch.testing.assert_close(mbu_ops.Remove(model)(photo), photo, atol=1e-5, rtol=0)
        model.paint.bias[16:20] = -20
        redrawn = mbu_ops.Remove(model)(photo)
    steps, wanted = ((one[..., 1:] - one[..., :-1]).abs().mean() for one in (redrawn, photo))
    assert steps < 0.5 * wanted


def test_masks_fade_to_the_border_of_the_frame() -> None:
    model = Native("eyes").eval()
    with torch.no_grad():
        model.paint.weight.zero_()
        model.paint.bias.fill_(20)
        mask = model.segment(torch.rand(1, 3, 96, 224))[0, 0]
    assert mask[48, 112] > 0.99
    assert torch.cat([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).max() < 0.1


def test_weights_name_their_frame_and_edit_only_there(tmp_path: Path) -> None:
    path = saved(tmp_path / "native.safetensors")
    pretrained, image = load(path), torch.rand(2, 3, 16, 16)
    assert pretrained.frame.name == "eyes"
    model = tiny_native()
    model.window.copy_(pretrained.model.window)
    torch.testing.assert_close(pretrained.model.segment(image), model.segment(image), atol=5e-2, rtol=0)
    photo = torch.rand(1, 3, 170, 170)
    edit = Framed(mbu_ops.Remove.from_pretrained(path), Box(0, 0, 170, 170)).edit(photo)
    rows = (edit.mask[0, 0] > 0).any(1).nonzero().flatten()
    assert rows.min() >= 75 - 24  # 1.1 times the distance of the pupils high, around their row
    assert rows.max() <= 75 + 24


def test_opaque_networks_that_are_nearly_sure_redraw_all() -> None:
    model, image = tiny_native(), torch.rand(2, 3, 16, 16)
    soft = model.planes(image).redrawn
    model.config = replace(model.config, opaque=1.3)
    torch.testing.assert_close(model.planes(image).redrawn, (1.3 * soft).clamp(max=1))


def test_how_opaque_is_no_size_and_files_without_it_draw_as_they_did() -> None:
    assert config_from_dict(NativeConfig, {"resolution": 64, "height": 32}).opaque == 1
    assert replace(CONFIGS["eyes"], opaque=1.0) == CONFIGS["eyes"]


def test_it_says_itself_whether_there_is_something_to_do(tmp_path: Path) -> None:
    model, images = tiny_native(), torch.rand(4, 3, 16, 16)
    planes = model.planes(images)
    share = planes.redrawn.mean((1, 2, 3))
    assert torch.equal((model.presence(images) >= 0.5), share >= 0.01)
    info = WeightsInfo("native", model.config_to_dict(model.config), 16, family="faces", attributes=("glasses",))
    path = tmp_path / "own.safetensors"
    save(path, model, info, presence=OwnPresence(model, {"remove": 1.0, "add": 0.5}))
    op = mbu_ops.Remove.from_pretrained(path)
    assert isinstance(op.detector, OwnPresence)
    photo = torch.rand(2, 3, 40, 40)
    assert torch.equal(op(photo), photo)  # nothing is that sure
    op.presence = 0.0
    assert not torch.equal(op(photo), photo)


def test_a_network_beside_it_comes_first(tmp_path: Path) -> None:
    model, path = tiny_native(), tmp_path / "beside.safetensors"
    info = WeightsInfo("native", model.config_to_dict(model.config), 16, family="faces", attributes=("glasses",))
    save(path, model, info, presence=Presence({"remove": 0.25, "add": 0.5}))
    detector = load(path).presence
    assert isinstance(detector, Presence)
    assert detector.thresholds["remove"] == 0.25


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"channels": 12}, "channels must be a multiple of 8, got 12"),
        ({"resolution": 226}, r"resolution and height must be multiples of patch \* 2\*\*2 = 8, got 226 and 96"),
        ({"height": 90}, r"resolution and height must be multiples of patch \* 2\*\*2 = 8, got 224 and 90"),
    ],
)
def test_sizes_that_cannot_work_are_refused(wrong: dict[str, Any], expected: str) -> None:
    values = Native.config_to_dict(CONFIGS["eyes"]) | wrong
    with pytest.raises(ConfigurationError, match=expected):
        Native.config_from_dict(values)


def test_redrawn_pixels_keep_what_is_finer_where_structures_agree() -> None:
    """A darker copy of the photo keeps its grain; flat colours in place of a pattern do not."""
    model, torch_grain = tiny_native(), 0.02 * torch.randn(1, 1, 128, 128)
    plain = torch.full((1, 3, 128, 128), 0.6)
    stripes = plain + 0.3 * torch.sin(torch.arange(128) / 8).view(1, 1, 1, 128)

    def grain_left(photo: torch.Tensor) -> torch.Tensor:
        size = model.config.size
        white = torch.ones(1, 1, *size)
        model.planes = lambda _image: Planes(torch.full((1, 3, *size), 0.4), white, white)  # type: ignore[assignment,method-assign]
        pictures = [mbu_ops.Remove(model)(one) for one in (photo + torch_grain, photo)]
        return (pictures[0] - pictures[1])[..., 24:-24, 24:-24].std() / torch_grain.std()

    assert grain_left(plain) > 0.5
    assert grain_left(stripes) < 0.4
