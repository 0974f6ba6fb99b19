from __future__ import annotations

import pytest
import torch

from mbu_ops.functional.detail import agreement, carry_over, restore_detail
from mbu_ops.functional.mask import resize


@pytest.fixture
def photo() -> torch.Tensor:
    return torch.rand(2, 3, 96, 80, generator=torch.Generator().manual_seed(0))


def test_what_was_not_edited_comes_back_whole(photo: torch.Tensor) -> None:
    low = resize(photo, (24, 20))
    assert torch.allclose(restore_detail(low, low, photo), photo, atol=1e-5)


def test_other_light_keeps_the_detail_and_another_thing_does_not(photo: torch.Tensor) -> None:
    low = resize(photo, (48, 40))
    darker = restore_detail(low * 0.9, low, photo)
    finer = photo - resize(low, (96, 80))
    assert torch.corrcoef(torch.stack([(darker - resize(low * 0.9, (96, 80))).flatten(), finer.flatten()]))[0, 1] > 0.9
    other = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(1))
    drawn, enlarged = restore_detail(other, low, photo), restore_detail(other, low, photo, amount=0)
    assert (drawn - enlarged).abs().mean() < 0.3 * (darker - restore_detail(low * 0.9, low, photo, 0)).abs().mean()


def test_amount_is_a_share(photo: torch.Tensor) -> None:
    low = 0.4 + 0.2 * resize(photo, (24, 20))
    image = 0.4 + 0.2 * photo
    none, half, all_ = (restore_detail(low, low, image, amount) for amount in (0.0, 0.5, 1.0))
    assert torch.allclose(half, (none + all_) / 2, atol=1e-6)
    assert not torch.allclose(none, all_, atol=1e-2)


def test_nothing_to_do_at_one_size_and_none_to_add_when_it_shrinks(photo: torch.Tensor) -> None:
    raw = 1 - photo
    assert restore_detail(raw, photo, photo) is raw
    small = resize(photo, (10, 8))
    assert torch.equal(restore_detail(raw, photo, small), resize(raw, (10, 8)).clamp(0, 1))


def test_stays_in_range(photo: torch.Tensor) -> None:
    low = resize(photo, (24, 20))
    result = restore_detail(low.round(), low, photo.round())
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_types(dtype: torch.dtype, photo: torch.Tensor) -> None:
    low = resize(photo, (24, 20))
    result = restore_detail(low.to(dtype), low.to(dtype), photo.to(dtype))
    assert result.dtype == dtype
    assert torch.allclose(result.float(), photo, atol=0.05)


def test_thin_images() -> None:
    for size in ((1, 1), (1, 300), (300, 1)):
        photo = torch.rand(1, 3, *size)
        low = resize(photo, (16, 16))
        assert restore_detail(low, low, photo).shape == photo.shape


def test_gradients_reach_all_three() -> None:
    raw, low = (torch.rand(1, 3, 8, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))
    photo = torch.rand(1, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    inputs = tuple(0.3 + 0.4 * tensor for tensor in (raw, low, photo))
    assert torch.autograd.gradcheck(restore_detail, tuple(t.detach().requires_grad_() for t in inputs))


def test_agreement_knows_structure_from_light() -> None:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    other = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    assert agreement(image, image).min() > 0.999
    assert agreement(image, image * 0.8 + 0.1).mean() > 0.9
    assert agreement(image, other).mean() < 0.4
    assert agreement(image, 1 - image).max() < 0.1
    assert agreement(torch.full_like(image, 0.2), torch.full_like(image, 0.7)).min() > 0.999


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_agrees_with_single(dtype: torch.dtype) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    smooth = (0.8 + 0.05 * torch.sin(5 * x) * torch.cos(4 * y)).expand(1, 3, -1, -1).to(dtype)
    other = (smooth.float() * 0.97).to(dtype)
    expected = agreement(smooth.float(), other.float())
    assert (agreement(smooth, other).float() - expected).abs().max() < 0.02


def test_small_edits_are_added_and_large_ones_take_the_place(photo: torch.Tensor) -> None:
    blurred = resize(resize(photo, (12, 10)), (96, 80))
    slightly = (blurred + 0.01).clamp(0, 1)
    kept = carry_over(photo, blurred, slightly)
    assert (kept - photo).abs().max() < 0.05  # the photo's detail and not the blur's
    assert (kept - photo).mean() > 0.005
    wholly = 1 - blurred.round()
    taken = carry_over(photo, blurred.round(), wholly)
    assert torch.allclose(taken, wholly, atol=1e-5)
    assert torch.equal(carry_over(photo, blurred, blurred), photo)


def test_edits_stay_where_they_are(photo: torch.Tensor) -> None:
    before = torch.full_like(photo, 0.5)
    after = before.clone()
    after[..., :20, :20] = 0.9
    result = carry_over(photo, before, after)
    assert torch.equal(result[..., 24:, :], photo[..., 24:, :])
    assert not torch.allclose(result[..., :20, :20], photo[..., :20, :20], atol=0.1)


def test_gradients_reach_every_picture_of_an_edit() -> None:
    pictures = [torch.rand(1, 3, 8, 8, requires_grad=True) for _ in range(3)]
    carry_over(*(0.4 + 0.2 * picture for picture in pictures)).sum().backward()
    assert all(picture.grad is not None and picture.grad.any() for picture in pictures)
