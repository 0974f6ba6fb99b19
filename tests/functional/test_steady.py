"""Layers of one content in two frames, mixed."""

from __future__ import annotations

import pytest
import torch

from mbu_ops.functional.layer import Layer, carried, moved, painted
from mbu_ops.functional.steady import layer_of, mixed, new_share, planes_of


def plain(grey: float, mask: float, size: int = 8) -> Layer:
    return painted(torch.full((1, 3, size, size), grey), torch.full((1, 1, size, size), mask))


HALF = torch.full((1, 1, 8, 8), 0.5)


def test_masks_are_averaged_and_colours_by_their_masks() -> None:
    layer = mixed(plain(0.0, 0.25), plain(1.0, 0.75), HALF)
    assert layer.mask.mean().item() == pytest.approx(0.5)
    assert layer.bias.mean().item() == pytest.approx(0.75)


def test_colours_that_no_mask_covers_say_nothing() -> None:
    assert mixed(plain(0.3, 0.0), plain(1.0, 1.0), HALF).bias.unique().tolist() == [1.0]
    assert mixed(plain(0.3, 1.0), plain(1.0, 0.0), HALF).bias.unique().tolist() == pytest.approx([0.3])


def test_where_the_content_changed_only_the_new_layer_counts() -> None:
    before = torch.full((1, 3, 16, 16), 0.5)
    after = before.clone()
    after[..., 8:] += 0.3
    share = new_share(before, after, 0.2)
    assert share[..., :5].unique().tolist() == pytest.approx([0.2])
    assert share[..., 11:].unique().tolist() == [1.0]


def test_noise_is_no_change() -> None:
    generator = torch.Generator().manual_seed(0)
    one, two = (0.5 + 0.01 * torch.randn(1, 3, 16, 16, generator=generator) for _ in range(2))
    assert new_share(one, two, 0.2).max().item() == pytest.approx(0.2)


def test_layers_of_other_planes_are_not_mixed() -> None:
    drawing = torch.rand(1, 3, 8, 8)
    one = torch.ones(1, 1, 8, 8)
    after = moved(drawing, one, one, torch.zeros(1, 2, 8, 8), drawing)
    assert mixed(plain(0.5, 1.0), after, HALF) is after
    ramped = plain(0.1, 1.0).ramped(0.1, 0.2)
    assert mixed(plain(0.5, 1.0), ramped, HALF) is ramped


def test_the_photos_own_noise_is_taken_out_by_this_frame() -> None:
    drawing, mask = torch.full((1, 3, 8, 8), 0.5), torch.ones(1, 1, 8, 8)
    seen = [torch.full((1, 3, 8, 8), grey) for grey in (0.4, 0.6)]
    before, after = (painted(drawing, mask).keeping(one) for one in seen)
    layer = mixed(before, after, HALF)
    assert layer.own is not None
    assert torch.equal(layer.own.low, seen[1])
    assert torch.allclose(layer.bias + layer.own.low, drawing)


def test_a_face_that_comes_nearer_is_mixed_on() -> None:
    seen, mask = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    far, near = painted(torch.full((1, 3, 8, 8), 0.2), mask), painted(torch.full((1, 3, 8, 8), 0.6), mask).keeping(seen)
    nearer, farther = mixed(far, near, HALF), mixed(near, far, HALF)
    assert near.own is not None
    assert nearer.own is not None
    assert torch.allclose(nearer.own.gain, near.own.gain / 2)
    assert torch.allclose(nearer.bias + nearer.own.low, torch.full_like(seen, 0.4))
    assert farther.own is None
    assert torch.allclose(farther.bias, torch.full_like(seen, 0.4))


def test_planes_of_another_size_are_brought_to_the_new_one() -> None:
    layer = mixed(plain(0.0, 1.0, 6), plain(1.0, 1.0, 8), HALF)
    assert layer.bias.shape == (1, 3, 8, 8)
    assert layer.bias.mean().item() == pytest.approx(0.5)


def test_planes_have_names() -> None:
    drawing = torch.rand(1, 3, 8, 8)
    layer = carried(drawing, drawing.flip(-1), torch.ones(1, 1, 8, 8)).ramped(0.1, 0.2)
    again = layer_of(planes_of(layer), layer.ramp)
    assert again.own is not None
    assert layer.own is not None
    assert torch.equal(again.own.gain, layer.own.gain)
    assert again.ramp == layer.ramp
