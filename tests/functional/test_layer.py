from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.layer import Layer, Moved, averaged_masks, carried, moved, painted
from mbu_ops.functional.mask import binarise, resize
from mbu_ops.functional.render import render

IDENTITY = torch.eye(3, dtype=torch.float64)
MIRROR = torch.tensor([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(2, 3, 96, 80, generator=torch.Generator().manual_seed(0))


def full(like: Tensor) -> Tensor:
    return torch.ones_like(like[:, :1])


def kept(raw: Tensor, low: Tensor, image: Tensor, share: float = 1.0) -> Tensor:
    return render(image, painted(raw, full(raw)).keeping(low, share)).image


# -- detail of the photo -----------------------------------------------------------------------------------------------


def test_what_was_not_edited_comes_back_whole(photo: Tensor) -> None:
    low = resize(photo, (24, 20))
    assert torch.allclose(kept(low, low, photo), photo, atol=1e-4)


def test_other_light_keeps_the_detail_and_another_thing_does_not(photo: Tensor) -> None:
    low = resize(photo, (48, 40))
    darker = kept(low * 0.9, low, photo)
    finer = photo - resize(low, (96, 80))
    soft = resize(low * 0.9, (96, 80))
    assert torch.corrcoef(torch.stack([(darker - soft).flatten(), finer.flatten()]))[0, 1] > 0.9
    other = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(1))
    drawn, enlarged = kept(other, low, photo), kept(other, low, photo, 0)
    assert (drawn - enlarged).abs().mean() < 0.4 * (darker - kept(low * 0.9, low, photo, 0)).abs().mean()


def test_the_share_of_detail_is_one(photo: Tensor) -> None:
    low, image = 0.4 + 0.2 * resize(photo, (24, 20)), 0.4 + 0.2 * photo
    none, half, all_ = (kept(low, low, image, share) for share in (0.0, 0.5, 1.0))
    assert torch.allclose(half, (none + all_) / 2, atol=1e-3)
    assert not torch.allclose(none, all_, atol=1e-2)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_detail_changes_nothing_at_the_frames_own_size(share: float, photo: Tensor) -> None:
    raw = 1 - photo
    assert torch.allclose(kept(raw, photo, photo, share), raw, atol=1e-6)
    flow = torch.full((2, 2, 3, 3), 0.05)
    for layer in (carried(photo, 0.9 * photo, full(photo)), moved(raw, full(photo), 0.5 * full(photo), flow, photo)):
        expected = render(photo, layer).image
        assert torch.allclose(render(photo, layer.keeping(photo, share)).image, expected, atol=1e-5)


def test_half_the_detail_of_a_layer_that_keeps_the_photo(photo: Tensor) -> None:
    low, grey = resize(photo, (24, 20)), torch.full((2, 3, 24, 20), 0.5)
    layer = carried(grey, grey + 0.01, full(grey))
    all_, none = render(photo, layer).image, render(photo, layer.keeping(low, 0)).image
    soft = (resize(low, (96, 80)) + 0.01).clamp(0, 1)
    assert torch.allclose(all_[:, :, 8:-8, 8:-8], (photo + 0.01).clamp(0, 1)[:, :, 8:-8, 8:-8], atol=0.05)
    assert (none - soft).abs().mean() < 0.05
    assert (none - photo).abs().mean() > 3 * (none - soft).abs().mean()


# -- carried -----------------------------------------------------------------------------------------------------------


def test_small_edits_are_added_and_large_ones_take_the_place(photo: Tensor) -> None:
    blurred = resize(resize(photo, (12, 10)), (96, 80))
    slight = render(photo, carried(blurred, (blurred + 0.01).clamp(0, 1), full(photo))).image
    assert (slight - photo).abs().max() < 0.05  # the photo's detail and not the blur's
    assert (slight - photo).mean() > 0.005
    wholly = 1 - blurred.round()
    assert torch.allclose(render(photo, carried(blurred.round(), wholly, full(photo))).image, wholly, atol=1e-5)
    assert torch.equal(render(photo, carried(blurred, blurred, full(photo))).image, photo)


def test_edits_stay_where_they_are(photo: Tensor) -> None:
    before = torch.full_like(photo, 0.5)
    after = before.clone()
    after[..., :20, :20] = 0.9
    result = render(photo, carried(before, after, full(photo))).image
    assert torch.equal(result[..., 24:, :], photo[..., 24:, :])
    assert not torch.allclose(result[..., :20, :20], photo[..., :20, :20], atol=0.1)


# -- masks -------------------------------------------------------------------------------------------------------------


def test_a_ramp_is_cut_at_the_size_at_which_the_mask_is_used(photo: Tensor) -> None:
    soft = torch.rand(2, 1, 8, 8)
    edit = render(photo, painted(torch.rand(2, 3, 8, 8), soft).ramped(0.3, 0.2))
    assert torch.allclose(edit.mask, binarise(resize(soft, (96, 80)), 0.3, 0.2), atol=1e-6)


def test_masks_grow(photo: Tensor) -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4, 4] = 1
    layer = painted(torch.rand(1, 3, 8, 8), mask)
    assert layer.grown(1).mask.sum() == 9
    assert layer.grown(0).mask is mask


def test_within_a_region(photo: Tensor) -> None:
    region = torch.zeros(2, 1, 96, 80)
    region[..., :40, :] = 1
    region[..., 40:50, :] = 0.5
    for layer in (painted(1 - photo, full(photo)), carried(photo, 1 - photo, full(photo))):
        inside = render(photo, layer.within(region)).image
        expected = torch.lerp(photo, render(photo, layer).image, region)
        assert torch.allclose(inside, expected, atol=1e-6)
        assert torch.equal(inside[..., 50:, :], photo[..., 50:, :])
    with pytest.raises(ConfigurationError, match="moves no pixels"):
        moved(photo, full(photo), full(photo), torch.zeros(2, 2, 4, 4), photo).within(region)


# -- other frames ------------------------------------------------------------------------------------------------------


def test_seen_from_the_same_frame_it_is_the_same() -> None:
    own = torch.rand(2, 1, 8, 8), torch.rand(2, 2, 4, 4), torch.rand(2, 3, 8, 8)
    layer = Layer(torch.rand(2, 1, 8, 8), torch.rand(2, 3, 8, 8), Moved(*own))
    same = layer.seen_from(IDENTITY)
    for one, other in ((layer.mask, same.mask), (layer.bias, same.bias), *zip(layer.own, same.own, strict=True)):
        assert torch.allclose(one, other, atol=1e-6)


def test_flows_turn_with_their_frame() -> None:
    flow = torch.zeros(1, 2, 4, 4)
    flow[:, 0] = 0.1  # from the right
    layer = Layer(torch.ones(1, 1, 8, 8), torch.zeros(1, 3, 8, 8), Moved(torch.ones(1, 1, 8, 8), flow))
    assert torch.allclose(layer.seen_from(MIRROR).own.flow, -flow)
    quarter = torch.tensor([[0.0, -1, 1], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)  # right becomes down
    turned = layer.seen_from(quarter).own.flow
    assert torch.allclose(turned[:, 1], torch.full((1, 4, 4), 0.1))
    assert torch.allclose(turned[:, 0], torch.zeros(1, 4, 4), atol=1e-7)
    half = torch.diag(torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64))
    assert torch.allclose(layer.seen_from(half).own.flow, 0.5 * flow)


def test_past_its_own_frame_a_layer_is_nothing() -> None:
    right = torch.tensor([[1.0, 0, 0.5], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    seen = painted(torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)).seen_from(right)
    assert not seen.mask[..., :4].any()
    assert torch.allclose(seen.mask[..., 4:], torch.ones(1, 1, 8, 4))


def turned(degrees: float, mirrored: bool = False) -> Tensor:
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    about = torch.tensor([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]], dtype=torch.float64)
    turn = torch.tensor([[cosine, -sine, 0.5], [sine, cosine, 0.5], [0, 0, 1]], dtype=torch.float64)
    return turn @ (torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64)) if mirrored else IDENTITY) @ about


VIEWS = torch.stack([turned(0), turned(0, True), turned(5), turned(-5, True)])


def spot(batch: int = 2, size: int = 32) -> Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    return torch.exp(-(x**2 + y**2) / 0.1).expand(batch, 1, -1, -1)


def test_views_that_agree_give_what_each_gives() -> None:
    seen = 0.5 + 0.3 * spot().expand(-1, 3, -1, -1)
    mask, raw = spot(8), 1 - 0.4 * spot(8).expand(-1, 3, -1, -1)
    layer = painted(raw, mask).ramped(0.2, 0.5).averaged(VIEWS, seen)
    assert layer.mask.shape == (2, 1, 64, 64)
    assert layer.ramp is None
    expected = binarise(resize(mask[:2], (64, 64)), 0.2, 0.5)
    assert (layer.mask - expected).abs().max() < 0.1
    inside = (expected > 0.5)[:, :, ::2, ::2].expand(-1, 3, -1, -1)
    assert (layer.bias - raw[:2])[inside].abs().max() < 0.03
    outside = (resize(expected, (32, 32)) == 0).expand(-1, 3, -1, -1)
    assert torch.allclose(layer.bias[outside], seen[outside], atol=1e-3), "there the photo stays"


def test_what_one_view_draws_by_chance_fades() -> None:
    mask = torch.zeros(8, 1, 32, 32)
    mask[:2, :, 10:20, 10:20] = 1  # in the first view only
    layer = painted(torch.ones(8, 3, 32, 32), mask).averaged(VIEWS, torch.rand(2, 3, 32, 32))
    assert 0.2 < layer.mask.max() <= 0.2501


def test_views_of_kept_and_moved_pixels_are_averaged_where_masks_cover_them() -> None:
    flow = torch.zeros(4, 2, 8, 8)
    flow[:, 0] = torch.tensor([0.1, -0.1, 0.1, -0.1]).view(4, 1, 1)  # mirrored views see it mirrored
    gain = torch.full((4, 1, 32, 32), 0.7)
    layer = Layer(spot(4), torch.full((4, 3, 32, 32), 0.1), Moved(gain, flow)).averaged(VIEWS, torch.rand(1, 3, 32, 32))
    assert abs(layer.own.flow[0, 0, 4, 4].item() - 0.1) < 0.002
    assert abs(layer.own.gain[0, 0, 16, 16].item() - 0.7) < 1e-4
    assert layer.own.flow.shape == (1, 2, 8, 8)


def test_masks_of_views_are_averaged_where_views_saw() -> None:
    assert torch.allclose(averaged_masks(torch.ones(4, 3, 16, 16), VIEWS), torch.ones(1, 3, 16, 16), atol=1e-5)
    left = torch.zeros(2, 1, 16, 16)
    left[:1, ..., :8] = 1
    left[1:, ..., 8:] = 1  # the same, mirrored
    half = averaged_masks(left, VIEWS[:2])
    assert torch.allclose(half[..., :8], torch.ones(1, 1, 16, 8), atol=1e-5)
    assert not half[..., 8:].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_types(dtype: torch.dtype, photo: Tensor) -> None:
    low = resize(photo, (24, 20))
    result = kept(low.to(dtype), low.to(dtype), photo.to(dtype))
    assert result.dtype == dtype
    assert torch.allclose(result.float(), photo, atol=0.06)


def test_thin_images() -> None:
    for size in ((1, 1), (1, 300), (300, 1)):
        image = torch.rand(1, 3, *size)
        low = resize(image, (16, 16))
        assert kept(low, low, image).shape == image.shape


def test_detail_leaves_no_grid() -> None:
    """Where the kept share changes from pixel to pixel, a smooth photo stays smooth between the frame's pixels."""
    y, x = torch.meshgrid(torch.linspace(0, 6, 256), torch.linspace(0, 5, 256), indexing="ij")
    photo = (0.5 + 0.4 * torch.sin(x) * torch.cos(y)).expand(1, 3, -1, -1)
    low = resize(photo, (32, 32))
    noise = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    layer = painted(low, full(low))
    plain = render(photo, layer).image
    inner = (..., slice(16, -16), slice(16, -16))
    uneven = render(photo, layer._replace(bias=0 * low, own=Moved(noise[:, :1], low=low))).image
    assert (uneven - plain)[inner].abs().max() < 0.006
    assert (render(photo, layer.keeping(low)).image - plain)[inner].abs().max() < 0.006
    product = layer._replace(bias=low - noise[:, :1] * low, own=Moved(noise[:, :1]))
    assert (render(photo, product).image - plain)[inner].abs().max() > 0.01, "as a product it would show"


def test_what_no_view_changes_stays_beside_what_they_change() -> None:
    """Averaged over views, a channel in which two drawings agree stays the photo's to the edge of the edit."""
    photo, seen = torch.full((1, 3, 128, 128), 0.9), torch.full((1, 3, 32, 32), 0.9)
    before = torch.full((4, 3, 32, 32), 0.9)
    after = before.clone()
    after[:, 0] -= 0.4 * spot(4)[:, 0]
    mask = (spot(4) > 0.3).float()
    layer = carried(before, after, mask).ramped(0.05, 0.1).averaged(VIEWS, seen)
    result = render(photo, layer).image
    assert result[:, 0].min() < 0.7
    assert (result[:, 1:] - 0.9).abs().max() < 1e-3
