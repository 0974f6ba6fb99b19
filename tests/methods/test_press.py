"""Press et al.: one decoder, no mask; everything else as MBU's ops expect it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import mbu_ops
from mbu_ops import Remove, Segment, Swap, Transfer, weights
from mbu_ops.methods import get_method
from mbu_ops.methods.networks import MBUConfig, to_signed, to_unit
from mbu_ops.methods.press import Press

CONFIG = MBUConfig(resolution=16, common_widths=(8, 16), separate_widths=(6,), separate_channels=4)


@pytest.fixture
def model() -> Press:
    torch.manual_seed(0)
    model = Press(CONFIG)
    model.train()
    for _ in range(3):  # batch norm wants statistics
        model.remove(torch.rand(16, 3, 16, 16))
    model.measure_content([torch.rand(16, 3, 16, 16)])
    return model.eval()


def test_it_is_found_by_name() -> None:
    assert get_method("press") is Press


def test_a_transfer_is_the_decoders_picture(model: Press) -> None:
    image, guide = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    layer = model.transfer(image, model.encode_guide(guide))
    expected = model.decode(model.common_code(to_signed(image)), model.separate_code(to_signed(guide)))
    assert torch.equal(layer.bias, to_unit(expected))
    assert layer.mask.eq(1).all()
    torch.testing.assert_close(Transfer(model)(image, guide), layer.bias)


def test_a_removal_is_the_decoders_picture_of_no_content(model: Press) -> None:
    image = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(Remove(model)(image), model.remove(image).bias)


def test_a_segment_is_the_mean_change_of_a_removal(model: Press) -> None:
    image = torch.rand(2, 3, 16, 16)
    change = (model.remove(image).bias - image).abs()
    assert torch.allclose(Segment(model)(image), change.mean(1, keepdim=True), atol=1e-6)
    assert change.mean() > 0.01


def test_a_swap_removes_and_adds(model: Press) -> None:
    image, guide = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    assert torch.allclose(Swap(model)(image, guide), Transfer(model)(Remove(model)(image), guide), atol=1e-6)


def test_the_refined_network_draws_the_same_pictures(model: Press) -> None:
    large = model.refined()
    assert large.config.resolution == 32
    small = torch.rand(2, 3, 16, 16)
    doubled = small.repeat_interleave(2, -1).repeat_interleave(2, -2)
    drawn = model.remove(small).bias.repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert torch.allclose(large.remove(doubled).bias, drawn, atol=1e-5)


def test_weights_come_back(model: Press, tmp_path: Path) -> None:
    info = weights.WeightsInfo("press", model.config_to_dict(model.config), 16, None, ("hat",), "none")
    path = tmp_path / "hat.safetensors"
    weights.save(path, model, info, guides=model.encode_guide(torch.rand(1, 3, 16, 16)).detach())
    image = torch.rand(1, 3, 16, 16)
    again = mbu_ops.chain([f"remove:{path}"])
    assert torch.allclose(again(image), Remove(model)(image), atol=2e-3)  # files hold half precision
