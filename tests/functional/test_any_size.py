"""Resampling that decides nothing by an image's size: the same numbers as the functions that do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mbu_ops.functional.any_size import Area, Axis, is_open, resized, shrunk
from mbu_ops.functional.keeping import keeping_where
from mbu_ops.functional.layer import Layer, Moved, painted
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import mask_bands, render
from mbu_ops.functional.sampling import sample
from mbu_ops.functional.similarity import RIM, Rectangle, extract

SIZES = [(5, 4), (16, 16), (31, 80), (50, 80), (97, 131), (200, 240), (300, 40)]
PART = (0.45, 0.4, 0.6, 0.5)  # whole pixels of 50 x 80 and of 200 x 240
LIMIT, SEEN = 32, (16, 12)


def photo(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(height))


def places(height: int, width: int) -> tuple[Area, Rectangle]:
    """One part of an image, of open size and not."""
    x, y, across, down = PART
    area = Area(Axis.of(height, y, down), Axis.of(width, x, across), RIM)
    return area, Rectangle(width / 2, height / 2, width, height, rim=RIM).part(x, y, across, down)


def whole(height: int, width: int) -> Area:
    return Area(Axis.of(height, 0.5, 1.0), Axis.of(width, 0.5, 1.0))


def layers() -> list[Layer]:
    mask, gain = photo(16, 12, 1), photo(15, 12, 1)[..., :12, :]
    gain = resize(gain, (16, 12))
    flow = 0.1 * (photo(4, 3, 2) - 0.5)
    moved = Layer(mask, photo(16, 12) * 0.2, Moved(gain, flow, photo(16, 12)), Moved(0.5 * gain, -flow))
    return [painted(photo(16, 12), mask).ramped(0.3, 0.4), moved]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("wanted", [(16, 16), (40, 7), (120, 260)])
def test_pixels_are_resized_alike(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    pixels = photo(*size)
    torch.testing.assert_close(resized(pixels, wanted), resize(pixels, wanted), rtol=0, atol=2e-5)
    assert torch.equal(resized(pixels, size, smooth=True), pixels)
    if wanted[0] >= size[0] and wanted[1] >= size[1]:
        smooth = resize(pixels, wanted, "bicubic")
        torch.testing.assert_close(resized(pixels, wanted, smooth=True), smooth, rtol=0, atol=2e-5)


@pytest.mark.parametrize("size", SIZES)
def test_a_part_is_seen_alike(size: tuple[int, int]) -> None:
    image, (area, rectangle) = photo(*size), places(*size)
    expected = resize(extract(image, rectangle, rectangle.cut_size(LIMIT)), SEEN)
    torch.testing.assert_close(area.seen(image, LIMIT, SEEN), expected, rtol=0, atol=2e-5)
    finer = rectangle.height > SEEN[0] or rectangle.width > SEEN[1]
    assert bool(area.is_finer(SEEN)) == finer


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layer", layers(), ids=["painted", "moved"])
def test_a_layer_is_rendered_alike(size: tuple[int, int], layer: Layer) -> None:
    image, guide, (area, rectangle) = photo(*size), photo(61, 50), places(*size)
    for where, expected in (
        (area, render(image, layer, rectangle, guide)),
        (whole(*size), render(image, layer, None, guide)),
    ):
        edit = render(image, layer, where, guide)
        torch.testing.assert_close(edit.image, expected.image, rtol=0, atol=1e-4)
        torch.testing.assert_close(edit.mask, expected.mask, rtol=0, atol=1e-5)
        outside = (edit.mask == 0).expand_as(image)
        assert torch.equal(edit.image[outside], image[outside])


@pytest.mark.parametrize("size", SIZES)
def test_a_mask_lies_alike(size: tuple[int, int]) -> None:
    image, mask, (area, rectangle) = photo(*size), photo(16, 12, 1), places(*size)
    results = []
    for where in (area, rectangle):
        result = torch.zeros_like(image[:, :1])
        for rows, columns, soft, inside in mask_bands(mask, where, image):
            result[..., rows, columns] = soft * inside
        results.append(result)
    torch.testing.assert_close(*results, rtol=0, atol=1e-5)


@pytest.mark.parametrize("by", [1.0, 1.7, 3.0, 500.0])
def test_what_is_shrunk_shows_the_smaller_picture(by: float) -> None:
    pixels = photo(30, 21)
    size = max(1, round(30 / by)), max(1, round(21 / by))
    found, matrix = shrunk(pixels, torch.tensor(by, dtype=torch.float64))
    assert torch.equal(matrix.diagonal(), torch.tensor([size[1] / 21, size[0] / 30, 1], dtype=torch.float64))
    smaller = resize(pixels, size)
    torch.testing.assert_close(found[..., : size[0], : size[1]], smaller, rtol=0, atol=2e-5)
    beyond = torch.tensor([[[0.0, 0.0], [20.0, 29.0]]])
    torch.testing.assert_close(sample(found, beyond), sample(smaller, beyond), rtol=0, atol=2e-5)


def test_matrices_are_those_of_a_rectangle() -> None:
    area, rectangle = places(50, 80)
    torch.testing.assert_close(area.matrix(), rectangle.matrix())
    torch.testing.assert_close(area.from_image(), rectangle.from_image())
    turned = Rectangle(20, 30, 11, 7, math.radians(25))
    torch.testing.assert_close(turned.from_image() @ turned.matrix(), torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("layer", layers(), ids=["painted", "moved"])
def test_detail_is_kept_only_where_there_is_any(layer: Layer, share: float) -> None:
    seen = photo(16, 12)
    layer = layer._replace(guide=None)
    for finer, expected in ((True, layer.keeping(seen, share)), (False, layer)):
        found = keeping_where(torch.tensor(finer), layer, seen, share)
        image = photo(16, 12) if finer else seen
        torch.testing.assert_close(render(image, found).image, render(image, expected).image, rtol=0, atol=1e-5)


def test_sides_of_pixels_that_are_there_are_not_open() -> None:
    assert not is_open(*photo(5, 4).shape)
