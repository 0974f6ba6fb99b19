from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mbu_ops.errors import ShapeError
from mbu_ops.functional.similarity import Rectangle, extract, fit, spread, square

TINY = [square(3, 3, 3.3, 0.4), square(3.2, 2.7, 6, -1.0), square(0, 0, 5, 0.4), square(6.5, 5.5, 4, 2.0)]
NEAR = {"rtol": 0, "atol": 1e-5}


def smooth(height: int = 80, width: int = 100) -> torch.Tensor:
    """Waves and ramps: nothing in it is finer than a few pixels."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([0.5 + 0.4 * torch.sin(x / 9 + y / 13), x / width, y / height])[None]


def within(image: torch.Tensor, area: Rectangle) -> torch.Tensor:
    left, top, right, bottom = area.bounds(*image.shape[-2:])
    return image[..., top:bottom, left:right]


def lies_in(area: Rectangle, height: int, width: int) -> torch.Tensor:
    """How far inside a square the pixels of its bounds lie, in pixels; negative outside."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5 - area.y, torch.arange(width) + 0.5 - area.x, indexing="ij")
    cosine, sine = math.cos(area.angle), math.sin(area.angle)
    apart = torch.maximum((x * cosine + y * sine).abs(), (y * cosine - x * sine).abs())
    return within((area.width / 2 - apart)[None, None], area)[0, 0]


@pytest.mark.parametrize("area", [square(10, 8, 8, 0.0), square(10.5, 8.5, 7, 0.0), square(15, 10, 20, 0.0)])
def test_whole_pixels_come_and_go_as_they_are(area: Rectangle) -> None:
    image, size = torch.rand(2, 3, 20, 30), int(area.width)
    content = extract(image, area, size)
    torch.testing.assert_close(content, within(image, area), **NEAR)
    torch.testing.assert_close(spread(content, area, (20, 30)), within(image, area), **NEAR)


@pytest.mark.parametrize("quarters", range(-3, 5))
def test_quarter_turns_only_move_pixels(quarters: int) -> None:
    image, area = torch.rand(1, 3, 20, 30), square(11, 10, 8, quarters * math.pi / 2)
    block = image[..., 6:14, 7:15]
    # content that lies turned clockwise is turned back
    torch.testing.assert_close(extract(image, area, 8), torch.rot90(block, quarters, (-2, -1)), **NEAR)
    left, top, right, _bottom = area.bounds(20, 30)
    assert left in (6, 7)
    assert right in (15, 16)
    back = spread(block, area, (20, 30))[..., 6 - top : 14 - top, 7 - left : 15 - left]
    torch.testing.assert_close(back, torch.rot90(block, -quarters, (-2, -1)), **NEAR)


@pytest.mark.parametrize(
    ("area", "size", "most"),
    [
        (square(50, 40, 40, 0.5), 40, 0.004),
        (square(50, 40, 40, -2.5), 64, 0.006),
        (square(45.3, 41.7, 48, 0.2), 32, 0.008),
        (square(10, 12, 40, 0.3), 40, 0.02),
        (square(95, 75, 30, -0.7), 32, 0.02),
    ],
)
def test_what_is_cut_out_and_put_back_is_the_image(area: Rectangle, size: int, most: float) -> None:
    image = smooth()
    back = spread(extract(image, area, size), area, (80, 100))
    inside = lies_in(area, 80, 100) > 1
    assert inside.float().mean() > 0.3
    assert ((back - within(image, area)).abs() * inside).max() < most


def test_shrinking_averages_and_does_not_alias() -> None:
    stripes = (torch.arange(64) % 2).float().expand(1, 1, 64, 64)
    for angle in (0.0, 0.4):
        assert (extract(stripes, square(32, 32, 40, angle), 8) - 0.5).abs().max() < 0.1
    assert (spread(stripes, square(32, 32, 8, 0.0), (64, 64)) - 0.5).abs().max() < 0.1


@pytest.mark.parametrize("area", TINY)
@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_gradients(area: Rectangle, size: int) -> None:
    image = torch.rand(1, 1, 6, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: extract(one, area, size), image, fast_mode=True)
    pixels = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: spread(one, area, (6, 7)), pixels, fast_mode=True)


def test_gradients_entry_by_entry() -> None:
    image = torch.rand(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: extract(one, TINY[0], 3), image)
    pixels = torch.rand(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: spread(one, TINY[0], (5, 6)), pixels)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float64, 1e-5)])
def test_number_types(dtype: torch.dtype, near: float) -> None:
    image, area = smooth(), square(50, 40, 30, 0.3)
    for size in (16, 40):
        content = extract(image.to(dtype), area, size)
        back = spread(content, area, (80, 100))
        assert content.dtype == back.dtype == dtype
        expected = extract(image, area, size)
        torch.testing.assert_close(content.float(), expected, rtol=0, atol=near)
        torch.testing.assert_close(back.float(), spread(expected, area, (80, 100)), rtol=0, atol=2 * near)


def test_each_image_of_a_batch_is_on_its_own() -> None:
    images, area = torch.rand(3, 2, 9, 9), square(5, 5, 7, 0.3)
    assert torch.equal(extract(images, area, 4)[1:2], extract(images[1:2], area, 4))
    assert torch.equal(spread(images, area, (12, 12))[1:2], spread(images[1:2], area, (12, 12)))


def test_beyond_the_border_the_border_goes_on() -> None:
    image = torch.rand(1, 3, 20, 30)
    content = extract(image, square(0, 10, 20, 0.0), 20)
    torch.testing.assert_close(content[..., 10:], image[..., :10], **NEAR)
    torch.testing.assert_close(content[..., :10], image[..., :1].expand(1, 3, 20, 10), **NEAR)
    back = spread(content, square(0, 10, 20, 0.0), (20, 30))
    torch.testing.assert_close(back, image[..., :10], **NEAR)


@pytest.mark.parametrize("size", [16, 20, 31, 64])
def test_around_a_square_its_own_border_goes_on(size: int) -> None:
    area = square(20, 20, 16, math.pi / 4)
    lit = spread(torch.ones(1, 1, size, size), area, (40, 40))
    torch.testing.assert_close(lit, torch.ones_like(lit), **NEAR)
    edged = torch.ones(1, 1, size, size)
    edged[..., [0, -1], :] = edged[..., [0, -1]] = 0
    if size <= 2 * 16:
        dark = spread(edged, area, (40, 40))[0, 0]
        assert dark[lies_in(area, 40, 40) < 0].abs().max() < 1e-4, "what ends in nothing has nothing beyond it"
        assert dark[lies_in(area, 40, 40) > 2].min() > 0.999


@pytest.mark.parametrize("x", [-40, 100])
@pytest.mark.parametrize("y", [20, -40])
def test_squares_outside_the_image(x: float, y: float) -> None:
    area = square(x, y, 30, 0.3)
    with pytest.raises(ShapeError, match=r"touches the image of 40x50 pixels, got Rectangle"):
        extract(torch.rand(1, 3, 50, 40), area, 16)
    with pytest.raises(ShapeError, match="touches the image"):
        spread(torch.rand(1, 3, 4, 4), area, (50, 40))
    with pytest.raises(ShapeError, match="touches the image"):
        extract(torch.rand(1, 3, 50, 40), square(-15, 20, 30, 0.0), 16)  # side by side is not inside


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 1), (1, 3000), (3000, 1)])
@pytest.mark.parametrize("area", [square(0.5, 0.5, 1, 0.0), square(0.5, 0.5, 10, 0.5), square(0.4, 0.6, 2, 1.0)])
def test_thin_images(size: tuple[int, int], area: Rectangle) -> None:
    flat = torch.full((1, 3, *size), 0.25)
    for side in (1, 2, 5):
        content = extract(flat, area, side)
        torch.testing.assert_close(content, torch.full((1, 3, side, side), 0.25), **NEAR)
        back = spread(content, area, size)
        assert back.isfinite().all()
        torch.testing.assert_close(back, within(flat, area), **NEAR)


def test_one_row_and_one_pixel_hold_their_values() -> None:
    row = torch.arange(5.0).view(1, 1, 1, 5)
    three = torch.tensor([1.0, 2, 3]).expand(1, 1, 3, 3)
    torch.testing.assert_close(extract(row, square(2.5, 0.5, 3, 0.0), 3), three, **NEAR)
    torch.testing.assert_close(extract(row.mT, square(0.5, 2.5, 3, 0.0), 3), three.mT, **NEAR)
    image = torch.arange(100.0).view(1, 1, 10, 10)
    assert extract(image, square(4.5, 3.5, 1, 0.3), 1).item() == pytest.approx(34, abs=1e-3)


numbers = st.floats(-50, 50)


@settings(deadline=None)
@given(numbers, numbers, st.floats(0.05, 20), st.floats(-3.1, 3.1))
def test_fit_finds_a_known_similarity(x: float, y: float, scale: float, angle: float) -> None:
    shape = torch.rand(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    points = shape @ torch.tensor([[a, b], [-b, a]], dtype=torch.float64) + torch.tensor([x, y], dtype=torch.float64)
    found = fit(torch.stack([points, shape]), shape)
    torch.testing.assert_close(found[0], torch.tensor([a, b, x, y], dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(found[1], torch.tensor([1.0, 0, 0, 0], dtype=torch.float64), rtol=0, atol=1e-9)


def test_fit_is_the_least_of_squares() -> None:
    shape, points = torch.rand(7, 2, dtype=torch.float64), torch.rand(1, 7, 2, dtype=torch.float64)

    def off(values: torch.Tensor) -> torch.Tensor:
        a, b, x, y = values
        moved = torch.stack([a * shape[:, 0] - b * shape[:, 1] + x, b * shape[:, 0] + a * shape[:, 1] + y], 1)
        return (moved - points[0]).square().sum()

    best = fit(points, shape)[0].requires_grad_()
    (slope,) = torch.autograd.grad(off(best), best)
    torch.testing.assert_close(slope, torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-10)


def test_the_corners_of_a_square_are_those_of_its_matrix() -> None:
    area = square(12, 7, 5, 0.7)
    ends = torch.tensor([[0.0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=torch.float64)
    corners = (area.matrix() @ ends.T).T[:, :2]
    torch.testing.assert_close(corners, torch.tensor(area.corners, dtype=torch.float64))
    assert area.part(0.5, 0.5, 1) == area
    quarter = area.part(0.25, 0.25, 0.5)
    assert quarter.corners[0] == pytest.approx(area.corners[0])
    assert quarter.corners[2] == pytest.approx((area.x, area.y))


def test_rectangles_of_other_shapes_come_and_go_too() -> None:
    image, area = torch.rand(2, 3, 20, 30), Rectangle(12, 9, 8, 4)
    content = extract(image, area, (4, 8))
    torch.testing.assert_close(content, image[..., 7:11, 8:16], **NEAR)
    torch.testing.assert_close(spread(content, area, (20, 30)), content, **NEAR)
    turned = extract(smooth(), Rectangle(50, 40, 40, 20, 0.4), (40, 80))
    back = spread(turned, Rectangle(50, 40, 40, 20, 0.4), (80, 100))
    middle = within(smooth(), Rectangle(50, 40, 40, 20, 0.4))
    assert (back - middle)[..., 15:-15, 15:-15].abs().max() < 0.01


def test_views_are_cut_from_the_image_itself() -> None:
    image, area = smooth(), square(50, 40, 30, 0.3)
    mirror = torch.tensor([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    both = extract(image, area, 24, [torch.eye(3, dtype=torch.float64), mirror])
    plain = extract(image, area, 24)
    torch.testing.assert_close(both[:1], plain, rtol=0, atol=1e-4)
    torch.testing.assert_close(both[1:], plain.flip(-1), rtol=0, atol=1e-4)
