"""Portraits whose masks are edited, and portraits made from masks: what may change, and what must stay."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mbu_ops.functional.mask import dilate
from mbu_ops.functional.render import render
from mbu_ops.methods.portrait import Portrait
from mbu_ops.methods.portrait.method import EDIT_DILATION, softened
from mbu_ops.testing.tiny import TINY_PORTRAIT

from .faces import MOUTH, carried_over, codes_of, read_as, shown


def toned(model: Portrait, drawn: Tensor, mask: Tensor, missing: Tensor, own: Tensor) -> Tensor:
    """What is drawn, component by component, with what its drawing lacks on average."""
    there, wanted, drawn = model.regions(own), model.regions(mask), drawn.clone()
    for index in range(there.shape[1]):
        for picture in range(len(drawn)):
            inside = there[picture, index] > 0
            tone = missing[picture][:, inside].mean(1) if bool(inside.any()) else torch.zeros(3)
            drawn[picture] += tone[:, None, None] * wanted[picture, index]
    return drawn.clamp(0, 1)


def test_an_edit_redraws_what_changed_and_a_little_around_it(model: Portrait, image: Tensor, labels: Tensor) -> None:
    own = model.one_hot(labels)
    read_as(model, own)
    labels[..., 20:24, 20:22] = MOUTH
    wanted = model.one_hot(labels)
    layer = model.edit(image, wanted)
    wide = 1 + EDIT_DILATION + 2  # the last two are where the edges fade
    around = torch.zeros(2, 1, 32, 32)
    around[..., 20 - wide : 24 + wide, 20 - wide : 22 + wide] = 1
    assert torch.equal(layer.mask, around)
    codes = codes_of(model, image, own)
    before = model.compose(codes, own, image)
    drawn = toned(model, model.compose(codes, wanted, image), wanted, image - before, own)
    carried = carried_over(image, before, drawn)
    changed = torch.zeros(2, 1, 32, 32)
    changed[..., 19:25, 19:23] = 1
    share, region = softened(changed), softened(dilate(changed, EDIT_DILATION))
    expected = region * (share * drawn + (1 - share) * carried) + (1 - region) * image
    torch.testing.assert_close(shown(image, layer), expected)
    assert torch.equal(shown(image, layer)[around.expand_as(image) == 0], image[around.expand_as(image) == 0])


def test_where_a_component_makes_way_the_image_does_not_show_the_background(
    model: Portrait, image: Tensor, labels: Tensor
) -> None:
    read_as(model, model.one_hot(labels))
    skin = (labels != 0).float()
    labels[..., :, 20:] = 0
    bare = model.one_hot(labels)
    calls: list[Tensor] = []
    model.generator.register_forward_hook(lambda _, inputs, __: calls.append(inputs[3]))
    model.edit(image, bare)
    assert torch.equal(calls[0], 1 - skin), "known is only what was background before, and still is"


def test_hidden_pixels_of_the_background_do_not_reach_the_result(model: Portrait, image: Tensor, mask: Tensor) -> None:
    codes, other = torch.randn(2, 4, 6), torch.rand(2, 3, 32, 32)
    hidden = (torch.arange(32) < 9).float().expand(2, 1, 32, 32)
    drawn = model.compose(codes, mask, image, hidden)
    assert torch.equal(model.compose(codes, mask, torch.lerp(image, other, hidden), hidden), drawn)
    assert not torch.equal(model.compose(codes, mask, torch.lerp(other, image, hidden), hidden), drawn)
    assert not torch.equal(drawn, model.compose(codes, mask, image))
    assert torch.equal(model.compose(codes, mask, image, 1 - mask[:, :1]), model.compose(codes, mask, image))


def test_soft_edges_are_ramps_and_what_is_flat_stays() -> None:
    for value in (0.0, 1.0):
        torch.testing.assert_close(softened(torch.full((1, 1, 9, 7), value)), torch.full((1, 1, 9, 7), value))
    edge = softened((torch.arange(20) > 9).float().expand(1, 1, 20, 20))[0, 0, 10]
    torch.testing.assert_close(edge[7:13], torch.tensor([0, 0.2, 0.4, 0.6, 0.8, 1]))


def test_unedited_masks_change_nothing(model: Portrait, image: Tensor) -> None:
    layer = model.edit(image, model.mask_of(image))
    assert torch.equal(shown(image, layer), image)
    assert not layer.mask.any()


def test_pixels_of_no_part_stay_what_they_are(model: Portrait, image: Tensor, labels: Tensor) -> None:
    nothing = torch.zeros(1, 5, 32, 32)
    layer = model.edit(image, nothing)
    assert torch.equal(shown(image, layer), image)
    assert not layer.mask.any()
    own = model.mask_of(image)
    some = torch.where(torch.arange(32) < 12, model.one_hot(labels), 0.0)
    filled = torch.where(torch.arange(32) < 12, model.one_hot(labels), own)
    for one, other in zip(*(render(image, model.edit(image, mask)) for mask in (some, filled)), strict=True):
        assert torch.equal(one, other)


def test_pictures_are_made_from_masks_codes_and_backgrounds(model: Portrait, image: Tensor, mask: Tensor) -> None:
    code = model.encode_guide(torch.rand(2, 3, 32, 32))
    made = model.generate(mask, code, image)
    assert torch.equal(made, model.compose(code.view(2, 4, 6), mask, image))
    assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize("fuses", [True, False])
def test_a_mask_of_background_alone_shows_no_component(fuses: bool, image: Tensor, labels: Tensor) -> None:
    torch.manual_seed(0)
    model = Portrait(replace(TINY_PORTRAIT, fuses_background=fuses)).eval()
    mask = model.one_hot(torch.zeros_like(labels))
    one, two = (model.generate(mask, torch.randn(2, 24, 1, 1), image) for _ in range(2))
    assert one.isfinite().all()
    assert torch.equal(one, two)
    if not fuses:
        torch.testing.assert_close(one, image)
