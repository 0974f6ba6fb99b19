"""Layers that are mixed with other pixels: covered by new ones, kept in range, and confined to a region."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.functional.layer import Layer, Moved, carried, painted
from mbu_ops.functional.render import render


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(2, 3, 12, 10)


def too_bright(photo: Tensor) -> Layer:
    """A layer whose sums lie far outside [0, 1] in places."""
    before, after = torch.rand(2, 2, 3, 12, 10)
    layer = carried(before, after, torch.ones_like(photo[:, :1]))
    return layer._replace(bias=3 * layer.bias)


def test_new_pixels_cover_a_layer_by_their_share(photo: Tensor) -> None:
    other, share = torch.rand_like(photo), torch.rand(2, 1, 12, 10)
    before, after = torch.rand(2, 2, 3, 12, 10)
    for layer in (
        painted(after, torch.ones_like(share)),
        carried(before, after, torch.ones_like(share)).settled(photo),
    ):
        shown = render(photo, layer).raw
        covered = render(photo, layer.covered(other, share)).raw
        torch.testing.assert_close(covered, share * other + (1 - share) * shown)


def test_new_pixels_cover_a_guides_too(photo: Tensor) -> None:
    guide, share = torch.rand_like(photo), torch.rand(2, 1, 12, 10)
    layer = Layer(torch.ones_like(share), 0 * photo, guide=Moved(torch.ones_like(share)))
    covered = render(photo, layer.covered(photo, share), guide=guide).raw
    torch.testing.assert_close(covered, share * photo + (1 - share) * guide)


def test_settled_colours_are_those_that_are_shown(photo: Tensor) -> None:
    layer = too_bright(photo)
    assert layer.own is not None
    settled = layer.settled(photo)
    sums = settled.bias + layer.own.seen(photo)
    torch.testing.assert_close(sums, render(photo, layer).raw)
    assert (layer.bias + layer.own.seen(photo)).max() > 1.5, "otherwise there would be nothing to settle"
    torch.testing.assert_close(render(photo, settled).raw, render(photo, layer).raw)
    assert painted(2 * photo, layer.mask).settled(photo).bias.max() <= 1


def test_within_a_region_what_is_shown_is_mixed_with_the_photo(photo: Tensor) -> None:
    layer, region = too_bright(photo), torch.rand(2, 1, 12, 10).sub(0.3).clamp(min=0)
    shown = render(photo, layer).raw
    confined = layer.settled(photo).within(region)
    torch.testing.assert_close(render(photo, confined).raw, region * shown + (1 - region) * photo)
    assert torch.equal(confined.mask, (region > 0).float())


def test_what_keeps_the_photo_keeps_it_bit_for_bit_within_any_region(photo: Tensor) -> None:
    drawing, region = torch.rand_like(photo), torch.rand(2, 1, 12, 10)
    same = carried(drawing, drawing, region).settled(photo).within(region)
    assert torch.equal(render(photo, same).image, photo)
