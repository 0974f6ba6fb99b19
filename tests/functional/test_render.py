"""What must hold of the one function that puts edits on photos."""

from __future__ import annotations

import math
from io import BytesIO
from itertools import pairwise

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, ShapeError
from mbu_ops.functional.blend import blend
from mbu_ops.functional.layer import Layer, Moved, moved, painted
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import Edit, compose, mask_bands, reach, render, render_bands
from mbu_ops.functional.similarity import Rectangle, extract, square

FRAMES = [
    None,
    Rectangle(30, 20, 40, 24),
    Rectangle(31.3, 22.8, 33.5, 20.2, 0.4, 0.05),
    Rectangle(8, 40, 30, 30, -2.0, 0.1),
    square(30, 24, 200, 0.2),
]


def smooth(height: int = 48, width: int = 64, batch: int = 2, dtype: torch.dtype = torch.float32) -> Tensor:
    y, x = torch.meshgrid(torch.arange(height, dtype=dtype), torch.arange(width, dtype=dtype), indexing="ij")
    waves = [0.5 + 0.3 * torch.sin(x / 5 + k) * torch.cos(y / 6 - k) for k in range(3)]
    return torch.stack(waves).expand(batch, 3, height, width).clone()


def rich(batch: int = 2, size: int = 16, dtype: torch.dtype = torch.float32, strength: float = 0.05) -> Layer:
    """A layer with every plane, guide's too; flows are coarse."""
    random = torch.Generator().manual_seed(5)

    def draw(channels: int, side: int) -> Tensor:
        return torch.rand(batch, channels, side, side, generator=random, dtype=dtype)

    own = Moved(0.5 * draw(1, size), strength * (draw(2, 5) - 0.5))
    guide = Moved(0.3 * draw(1, size), strength * (draw(2, 5) - 0.5))
    return Layer(draw(1, size), 0.3 * draw(3, size), own, guide)


@pytest.mark.parametrize("frame", FRAMES)
def test_no_mask_no_change(frame: Rectangle | None) -> None:
    photo, layer = smooth(), rich()
    for empty in (layer._replace(mask=0 * layer.mask), layer._replace(mask=0.4 * layer.mask).ramped(0.4, 0.1)):
        edit = render(photo, empty, frame, torch.rand(2, 3, 30, 30))
        assert torch.equal(edit.image, photo)
        assert not edit.mask.any()


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_all_of_the_photo_and_nothing_else_is_the_photo(frame: Rectangle | None, dtype: torch.dtype) -> None:
    photo = torch.rand(2, 3, 48, 64).to(dtype)
    one = torch.ones(2, 1, 16, 16)
    edit = render(photo, Layer(torch.rand(2, 1, 16, 16), torch.zeros(2, 3, 16, 16), Moved(one)), frame)
    assert torch.equal(edit.image, photo)
    assert edit.mask.any()


def test_at_the_frames_own_size_it_is_the_blend() -> None:
    photo, raw, mask = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16), torch.rand(2, 1, 16, 16)
    edit = render(photo, painted(raw, mask))
    assert torch.equal(edit.image, blend(photo, raw, mask))
    assert torch.equal(edit.mask, mask)
    assert torch.equal(edit.raw, raw)
    gain = torch.rand(2, 1, 16, 16)
    kept = render(photo, Layer(mask, raw - gain * photo, Moved(gain)))
    assert torch.allclose(kept.image, blend(photo, raw, mask), atol=1e-6)


def test_the_formula() -> None:
    photo, guide, layer = smooth(16, 16), smooth(16, 16).flip(-1), rich()
    edit = render(photo, layer, guide=guide)

    def shifted(image: Tensor, flow: Tensor) -> Tensor:
        y, x = torch.meshgrid(torch.arange(16) + 0.5, torch.arange(16) + 0.5, indexing="ij")
        fine = nn.functional.interpolate(flow, (16, 16), mode="bicubic")
        grid = torch.stack([x / 8 - 1 + 2 * fine[:, 0], y / 8 - 1 + 2 * fine[:, 1]], -1)
        return nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)

    content = layer.bias + layer.own.gain * shifted(photo, layer.own.flow)
    content = content + layer.guide.gain * shifted(guide, layer.guide.flow)
    assert torch.allclose(edit.image, torch.lerp(photo, content.clamp(0, 1), layer.mask), atol=1e-5)


@pytest.mark.parametrize("frame", FRAMES[1:])
@pytest.mark.parametrize("pixels", [1, 150, 700])
def test_bands_are_the_whole(frame: Rectangle, pixels: int) -> None:
    photo, layer, guide = smooth(), rich(strength=0.3), torch.rand(1, 3, 30, 40)
    whole = render(photo, layer, frame, guide)
    rows = []
    for band in render_bands(photo, layer, frame, guide, pixels=pixels):
        rows.append((band.rows.start, band.rows.stop))
        for part, expected in zip((band.image, band.mask, band.raw), whole, strict=True):
            assert torch.allclose(part, expected[..., band.rows, band.columns], atol=1e-5)
    _, top, _, bottom = frame.bounds(48, 64)
    assert rows[0][0] == top
    assert rows[-1][1] == bottom
    assert all(before[1] == after[0] for before, after in pairwise(rows))
    assert len(rows) > 1 or pixels == 700 or frame.upright(48, 64)


def smooth_flow(size: int, pixels: float, side: int) -> Tensor:
    """A smooth flow of some pixels of a frame, in its sides."""
    y, x = torch.meshgrid(*(torch.arange(size) + 0.5,) * 2, indexing="ij")
    x, y = 2 * math.pi * x / size, 2 * math.pi * y / size
    return pixels / side * torch.stack([torch.sin(x) * torch.cos(y), torch.cos(x + 1) * torch.sin(y)])[None]


def psnr(one: Tensor, other: Tensor) -> float:
    return float(-10 * (one - other).square().mean().log10())


def detailed(side: int = 512) -> Tensor:
    """A picture with detail of all sizes, down to two pixels."""
    random = torch.Generator().manual_seed(1)
    octaves = [torch.randn(1, 3, side >> k, side >> k, generator=random) * 2**k for k in range(1, 7)]
    picture = sum(nn.functional.interpolate(one, (side, side), mode="bicubic") for one in octaves)
    return (0.5 + picture / picture.std() / 6).clamp(0, 1)


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_smooth_flow_of_five_pixels_comes_back(angle: float) -> None:
    """Twice as many decibels as when a moved picture of the network's size was enlarged: see docs/performance.md."""
    photo, frame = detailed(), square(256, 256, 340, angle)
    dense = smooth_flow(340, 5 * 340 / 128, 340)  # 5 pixels of a network that sees 128
    coarse = resize(dense, (16, 16))
    one = torch.ones(1, 1, 128, 128)
    layer = Layer(one, torch.zeros(1, 3, 128, 128), Moved(one, coarse))
    inner = square(256, 256, 280, angle)
    result = extract(render(photo, layer, frame).image, inner, 280)
    exact = Layer(torch.ones(1, 1, 340, 340), torch.zeros(1, 3, 340, 340), Moved(torch.ones(1, 1, 340, 340), dense))
    truth = extract(render(photo, exact, frame).image, inner, 280)
    assert psnr(extract(photo, inner, 280), truth) < 30, "the flow moves something"
    assert psnr(result, truth) >= 38


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turning_and_mirroring_all_of_it_turns_and_mirrors_the_result(turns: int, mirrored: bool) -> None:
    photo, layer, guide = smooth(48, 48), rich(strength=0.3), smooth(40, 40)

    def turned(image: Tensor) -> Tensor:
        return torch.rot90(image.flip(-1) if mirrored else image, turns, (-2, -1))

    corner = torch.tensor([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]], dtype=torch.float64)
    mirror = torch.diag(torch.tensor([-1.0 if mirrored else 1.0, 1, 1], dtype=torch.float64))
    # rot90 turns against the clock
    quarter = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    view = corner.inverse() @ torch.linalg.matrix_power(quarter, turns) @ mirror @ corner
    there = layer.seen_from(view)
    # the guide's frame turns too, so its pixels lie in it as before
    result = render(turned(photo), there, guide=turned(guide)).image
    assert torch.allclose(result, turned(render(photo, layer, guide=guide).image), atol=1e-4)
    frame = Rectangle(24, 24, 30, 30, 0.3, 0.05)
    other = frame._replace(angle=(-0.3 if mirrored else 0.3) - turns * math.pi / 2)
    flipped = guide.flip(-1) if mirrored else guide
    upright = render(turned(photo), layer.seen_from(corner.inverse() @ mirror @ corner), other, flipped)
    assert torch.allclose(upright.image, turned(render(photo, layer, frame, guide=guide).image), atol=1e-3)


def test_two_steps_are_two_renders() -> None:
    photo, first, second = smooth(), rich()._replace(guide=None), rich(strength=0.2)._replace(guide=None)
    one = render(photo, first)
    two = render(one.image, second)
    both = compose(one, two)
    assert torch.equal(both.image, two.image)
    assert torch.allclose(blend(photo, both.raw, both.mask), two.image, atol=1e-5)


def test_gradients_reach_photo_guide_and_all_planes() -> None:
    photo, guide = smooth(7, 9, 1, torch.float64), smooth(6, 6, 1, torch.float64).flip(-1)
    layer = rich(1, 5, torch.float64)

    def run(photo: Tensor, guide: Tensor, *planes: Tensor) -> Tensor:
        mask, bias, gain, flow, guide_gain, guide_flow, low = planes
        whole = Layer(mask, bias, Moved(gain, flow, low), Moved(guide_gain, guide_flow))
        return render(photo, whole, frame, guide).image

    low = torch.rand(1, 3, 5, 5, dtype=torch.float64)
    inputs = (photo, guide, layer.mask, layer.bias, *layer.own[:2], *layer.guide[:2], low)
    for frame in (None, Rectangle(4.2, 3.7, 5.5, 4.5, 0.3, 0.1)):  # noqa: B007 - run reads it
        leaves = tuple(tensor.clone().requires_grad_() for tensor in inputs)
        assert torch.autograd.gradcheck(run, leaves, eps=1e-7, atol=1e-4, fast_mode=True)


def test_shrinking_does_not_alias() -> None:
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    layer = painted(stripes, torch.ones(1, 1, 64, 64))
    small = render(torch.zeros(1, 3, 40, 40), layer, Rectangle(20, 20, 12, 12, 0.3)).raw[..., 17:23, 17:23]
    assert (small - 0.5).abs().max() < 0.15
    assert (render(torch.zeros(1, 3, 8, 8), layer).raw - 0.5).abs().max() < 0.15


def test_a_guide_finer_than_the_photo_does_not_alias() -> None:
    stripes = (torch.arange(400) % 2).float().expand(1, 3, 400, 400)
    one = torch.ones(1, 1, 8, 8)
    layer = Layer(one, torch.zeros(1, 3, 8, 8), None, Moved(one))
    taken = render(torch.zeros(1, 3, 40, 40), layer, guide=stripes).raw
    assert (taken - 0.5).abs().max() < 0.1


def test_a_fine_guide_stays_fine() -> None:
    guide, one = torch.rand(1, 3, 90, 90), torch.ones(1, 1, 8, 8)
    layer = Layer(one, torch.zeros(1, 3, 8, 8), None, Moved(one))
    assert torch.allclose(render(torch.zeros(1, 3, 90, 90), layer, guide=guide).image, guide, atol=1e-4)
    there = Rectangle(30, 40, 20, 20)
    block = render(torch.zeros(1, 3, 60, 60), layer, Rectangle(30, 30, 20, 20), guide, there).image
    assert torch.allclose(block[..., 20:40, 20:40], guide[..., 30:50, 20:40], atol=1e-4)


def test_a_guide_that_is_needed_and_missing() -> None:
    with pytest.raises(ConfigurationError, match="expected a guide picture"):
        render(smooth(), rich())


def test_what_a_frame_does_not_cover_stays() -> None:
    photo, frame = smooth(), Rectangle(31.3, 22.8, 33.5, 20.2, 0.4, 0.05)
    edit = render(photo, painted(torch.ones(2, 3, 16, 16), torch.ones(2, 1, 16, 16)), frame)
    y, x = torch.meshgrid(torch.arange(48) + 0.5 - frame.y, torch.arange(64) + 0.5 - frame.x, indexing="ij")
    across = (x * math.cos(0.4) + y * math.sin(0.4)).abs() / frame.width
    along = (y * math.cos(0.4) - x * math.sin(0.4)).abs() / frame.height
    outside = torch.maximum(across, along) > 0.5
    assert not edit.mask[:, 0][:, outside].any()
    assert torch.equal(edit.image[:, :, outside], photo[:, :, outside])
    left, top, _, _ = frame.bounds(48, 64)
    assert torch.equal(edit.raw[:, :, :top], photo[:, :, :top])
    assert torch.equal(edit.raw[..., :left], photo[..., :left])
    assert edit.mask[:, 0][:, torch.maximum(across, along) < 0.4].min() > 0.999
    rim = (torch.maximum(across, along) > 0.46) & ~outside
    assert 0.05 < edit.mask[:, 0][:, rim].mean() < 0.95


def test_frames_outside_the_photo() -> None:
    with pytest.raises(ShapeError, match="touches the image of 64x48"):
        render(smooth(), painted(torch.rand(2, 3, 8, 8), torch.ones(2, 1, 8, 8)), square(500, 20, 20))


@pytest.mark.parametrize("frame", FRAMES[1:])
def test_the_halo_holds_all_that_moves(frame: Rectangle) -> None:
    photo, layer = torch.rand(2, 3, 48, 64), rich(strength=0.3)._replace(guide=None)
    left, top, right, bottom = reach(layer, frame, (48, 64))
    inner = frame.bounds(48, 64)
    assert left <= inner[0]
    assert bottom >= inner[3]
    near = photo[..., top:bottom, left:right]
    part = render(near, layer, frame.moved(-left, -top)).image
    assert torch.allclose(part, render(photo, layer, frame).image[..., top:bottom, left:right], atol=1e-4)
    assert reach(layer._replace(own=None), frame, (48, 64)) == inner


@pytest.mark.parametrize("frame", FRAMES[1:])
def test_masks_of_parts_go_back_in_bands(frame: Rectangle) -> None:
    photo, shares = smooth(), torch.rand(1, 5, 16, 16).softmax(1)
    whole = torch.zeros(1, 5, 48, 64)
    for rows, columns, found, inside in mask_bands(shares, frame, photo, 200):
        assert found.shape[-2:] == inside.shape[-2:]
        assert torch.allclose(found.sum(1), torch.ones_like(found[:, 0]), atol=1e-5)
        whole[..., rows, columns] = found * inside
    assert whole.sum(1).max() <= 1 + 1e-5
    assert whole.any()


class Rendered(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, photo: Tensor, guide: Tensor) -> Tensor:
        return render(photo, self.layer, guide=guide).image


def test_compile_and_export_with_and_without_flow() -> None:
    photo, guide = smooth(), smooth(20, 20)
    whole = rich()
    flat = whole._replace(own=Moved(whole.own.gain), guide=None).ramped(0.2, 0.3)
    low = resize(photo, (16, 16))
    for layer in (
        whole,
        flat,
        painted(low, whole.mask).keeping(low),
        moved(low, whole.mask, whole.own.gain, whole.own.flow, low),
    ):
        module = Rendered(layer)
        expected = module(photo, guide)
        torch.compiler.reset()
        compiled = torch.compile(module, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(photo, guide), expected, rtol=0, atol=1e-5)
        exported = torch.export.export(module, (photo, guide)).module()
        torch.testing.assert_close(exported(photo, guide), expected, rtol=0, atol=1e-5)


SHEETS = ((1, (40, 30), (30, 80)), (3, (900, 300), (342, 682)), (20, (64, 256), (1024, 64)))
"""Images, their height and width, and the width and height of what is shown of them."""


def test_edits_show_themselves_in_notebooks() -> None:
    for count, (height, width), size in SHEETS:
        images = torch.rand(count, 3, height, width, requires_grad=True)
        edit = Edit(images, torch.rand(count, 1, height, width), images)
        with Image.open(BytesIO(edit._repr_png_())) as shown:
            assert (shown.format, shown.size) == ("PNG", size), "each image above its mask, eight of them at most"
    parts = Edit(images, torch.rand(count, 19, height, width), images)
    assert parts._repr_png_().startswith(b"\x89PNG")
