from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from mbu_ops.functional.mask import dilate
from mbu_ops.methods.mbu import MBU
from mbu_ops.methods.portrait import Portrait
from mbu_ops.methods.portrait.method import softened
from mbu_ops.ops.look import Look
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.swap import Swap
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import OpTester, tiny_portrait

from ..methods.faces import read_as
from ..slow_to_trace import SlowToTrace


class TestSwap(OpTester):
    op_class = Swap
    guides = 1


class TestSwapOfComponents(SlowToTrace):
    """Of both eyes: two components, one content."""

    op_class = Swap
    guides = 1

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Module:
        model = tiny_portrait(seed, dtype)
        model.config = replace(model.config, removal_dilation=0)
        with torch.no_grad():  # in noise there would be an eye near every pixel
            model.parser.name_pixels.bias[4:8] -= 4
            model.parser.name_pixels.bias[8:12] -= 3
        return model.for_content(0)


@pytest.fixture
def portrait() -> Portrait:
    """Networks that see skin, two eyes and a mouth in every picture, before a background."""
    labels = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    for number, (top, left, bottom, right) in {4: (8, 8, 24, 24), 1: (11, 9, 14, 13), 2: (11, 19, 14, 23)}.items():
        labels[..., top:bottom, left:right] = number
    labels[..., 18:21, 13:19] = 3
    model = tiny_portrait()
    read_as(model, model.one_hot(labels))
    return model


def test_is_transfer_after_remove(model: MBU) -> None:
    image, guide = torch.rand(2, 3, 30, 20), torch.rand(1, 3, 20, 20)
    removed = Remove(model).edit(image)
    added = Transfer(model).edit(removed.image, guide)
    edit = Swap(model).edit(image, guide)
    assert torch.equal(edit.image, added.image)
    torch.testing.assert_close(1 - edit.mask, (1 - removed.mask) * (1 - added.mask))


def test_threshold_is_the_transfers(model: MBU) -> None:
    image, guide = torch.rand(1, 3, 20, 20), torch.rand(1, 3, 20, 20)
    assert torch.equal(Swap(model, Look(threshold=1.0))(image, guide), Remove(model)(image))


@pytest.mark.parametrize("content", range(4))
def test_components_are_exchanged_in_their_own_region(portrait: Portrait, content: int) -> None:
    image, guide = torch.rand(2, 3, 32, 32), torch.rand(1, 3, 20, 20)
    view = portrait.for_content(content)
    edit = Swap(view).edit(image, guide)
    region = portrait.regions(portrait.mask_of(image))[:, list(view.components)].sum(1, keepdim=True)
    grown = softened(dilate(region, view.config.removal_dilation)) > 0
    assert 0 < grown.float().mean() < 1
    assert torch.equal(edit.mask, grown.float())
    assert torch.equal(edit.image, torch.where(grown, edit.raw, image))
    assert (edit.image - image).abs().max() > 1e-3


@pytest.mark.parametrize("content", range(4))
@pytest.mark.parametrize("size", [(32, 32), (70, 45), (32, 200)])
def test_a_picture_as_its_own_guide_stays_as_it_is(portrait: Portrait, content: int, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    result = Swap(portrait.for_content(content))(image, image)
    torch.testing.assert_close(result, image, rtol=0, atol=1e-5)


def test_default_guides_serve_every_content(portrait: Portrait) -> None:
    image = torch.rand(1, 3, 32, 32)
    guides = torch.randn(2, *portrait.guide_shape)
    for content in range(portrait.contents):
        view = portrait.for_content(content)
        swap = Swap(view, guides=portrait.guides_for(guides, content))
        assert torch.equal(swap.bind()(image), swap.edit_code(image, guides[:1]).image)
