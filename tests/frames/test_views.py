from __future__ import annotations

import pytest
import torch
from torch import nn

from mbu_ops.frames.views import VIEWS, View, edit_views
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import tiny_mbu, tiny_parsing


class Spot(nn.Module):
    """Paints a soft spot wherever the picture is bright, whatever the view."""

    def edit(self, image: torch.Tensor) -> Edit:
        mask = ((image.mean(1, keepdim=True) - 0.5) * 4).clamp(0, 1)
        raw = 1 - image
        return Edit(torch.lerp(image, raw, mask), mask, raw)


@pytest.fixture
def places() -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 56), indexing="ij")
    blob = torch.exp(-((x - 0.2) ** 2 + (y + 0.1) ** 2) / 0.1)
    return blob.expand(2, 3, -1, -1).contiguous()


def test_the_first_view_is_the_place_itself(places: torch.Tensor) -> None:
    mask, raw = edit_views(Spot(), places, 1)
    edit = Spot().edit(places)
    assert torch.equal(mask, edit.mask)
    assert torch.allclose(raw[mask.expand_as(raw) > 0], edit.raw[mask.expand_as(raw) > 0])


@pytest.mark.parametrize("count", range(2, len(VIEWS) + 1))
def test_an_op_that_does_not_mind_views_gives_the_same(count: int, places: torch.Tensor) -> None:
    mask, raw = edit_views(Spot(), places, count)
    edit = Spot().edit(places)
    assert (mask - edit.mask).abs().max() < 0.12
    assert (mask - edit.mask).abs().mean() < 0.01
    inside = (edit.mask > 0.5).expand_as(raw)
    assert (raw - edit.raw)[inside].abs().max() < 0.06


def test_views_share_one_batch(places: torch.Tensor) -> None:
    shapes = []

    class Seen(Spot):
        def edit(self, image: torch.Tensor) -> Edit:
            shapes.append(tuple(image.shape))
            return super().edit(image)

    edit_views(Seen(), places, 4)
    assert shapes == [(8, 3, 64, 56)]


def test_what_one_view_draws_by_chance_fades(places: torch.Tensor) -> None:
    class Moody(Spot):
        def edit(self, image: torch.Tensor) -> Edit:
            mask = torch.zeros_like(image[:, :1])
            mask[:2, :, 10:20, 10:20] = 1  # in the first view only
            return Edit(image, mask, torch.ones_like(image))

    mask, _ = edit_views(Moody(), places, 4)
    assert mask.max() <= 0.2501


def test_mirroring_twice_is_nothing() -> None:
    matrix = View(mirrored=True).matrix(10, 14)
    assert torch.allclose(matrix @ matrix, torch.eye(3, dtype=torch.float64))


class LeftHalf(nn.Module):
    """Masks the left half of what it sees, as an op does that names a left eye."""

    mirrors = False

    def edit(self, image: torch.Tensor) -> Edit:
        mask = torch.zeros_like(image[:, :1])
        mask[..., : image.shape[-1] // 2] = 1
        return Edit(image, mask, image)


@pytest.mark.parametrize("count", [2, 6])
def test_what_has_sides_sees_no_mirrored_views(count: int, places: torch.Tensor) -> None:
    mask, _ = edit_views(LeftHalf(), places, count)
    assert mask[..., :24].min() > 0.9
    assert mask[..., 32:].max() < 0.1


def test_ops_say_so_for_their_networks() -> None:
    sided = tiny_parsing().for_content(1)
    assert not Segment(sided).mirrors
    assert not Chain([("remove:hats", Remove(tiny_mbu())), ("segment:left_eye", Segment(sided))]).mirrors
    assert Chain([("remove:hats", Remove(tiny_mbu()))]).mirrors
