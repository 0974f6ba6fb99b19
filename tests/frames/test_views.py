from __future__ import annotations

import math

import pytest
import torch

from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame
from mbu_ops.frames.framed import Framed
from mbu_ops.frames.views import VIEWS, View, view_matrices
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import tiny_mbu, tiny_parsing


def test_mirroring_twice_is_nothing() -> None:
    matrix = View(mirrored=True).matrix(10, 14)
    assert torch.allclose(matrix @ matrix, torch.eye(3, dtype=torch.float64))


def test_the_first_view_is_the_place_itself() -> None:
    assert torch.equal(view_matrices(1, True, 10, 14)[0], torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("view", VIEWS)
def test_views_turn_and_scale_and_do_not_shear(view: View) -> None:
    height, width = 30.0, 70.0
    pixels = torch.diag(torch.tensor([width, height, 1], dtype=torch.float64))
    linear = (pixels @ view.matrix(height, width) @ pixels.inverse())[:2, :2]
    assert torch.allclose(linear.mT @ linear, view.scale**2 * torch.eye(2, dtype=torch.float64))
    assert linear.det() * (-1 if view.mirrored else 1) > 0
    middle = view.matrix(height, width) @ torch.tensor([0.5, 0.5, 1], dtype=torch.float64)
    assert middle[:2].tolist() == pytest.approx([0.5 + view.right, 0.5 + view.down])
    down = linear @ torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert math.degrees(math.atan2(-down[0], down[1])) == pytest.approx(view.angle)


def test_what_has_sides_sees_no_mirrored_views() -> None:
    assert len(view_matrices(6, True, 1, 1)) == 6
    assert all(matrix[:2, :2].det() > 0 for matrix in view_matrices(6, False, 1, 1))


@pytest.mark.parametrize("place", [Box(10, 12, 60, 52), Frame(40, 40, 48, 20)])
@pytest.mark.parametrize("count", [2, 6])
def test_views_of_a_smooth_photo_agree(place: Box | Frame, count: int) -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 80), torch.linspace(-1, 1, 80), indexing="ij")
    photo = torch.exp(-(x**2 + y**2) / 0.3).expand(1, 3, -1, -1).contiguous()

    class Bright(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return (image * 1.5).clamp(max=1)

    one = Framed(Bright(), place)(photo, [[place]])
    many = Framed(Bright(), place, views=count)(photo, [[place]])
    assert (many - one).abs().mean() < 0.005
    assert (many - one).abs()[..., 30:50, 30:50].max() < 0.03


def test_views_share_one_batch() -> None:
    shapes = []

    class Seen(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            shapes.append(tuple(image.shape))
            return image

    place = Frame(40, 40, 32)
    Framed(Seen(), place, views=4)(torch.rand(2, 3, 80, 80), [[place], [place]])
    assert shapes == [(8, 3, 32, 32)]


@pytest.mark.parametrize("count", [2, 6])
def test_masks_of_what_has_sides(count: int) -> None:
    photo, box = torch.rand(1, 3, 64, 64), Box(0, 0, 64, 64)
    sided = Segment(tiny_parsing().for_content(1))
    one, many = Framed(sided, box)(photo), Framed(sided, box, views=count)(photo)
    assert many.shape == one.shape
    assert 0 <= many.min() <= many.max() <= 1


def test_ops_say_so_for_their_networks() -> None:
    assert not Segment(tiny_parsing().for_content(1)).mirrors
    assert Remove(tiny_mbu()).mirrors
