"""Layers of portrait networks: where components are cut and pasted, and the sizes of what is in between."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.families import get_family
from mbu_ops.methods.blocks import ResidualBlock
from mbu_ops.methods.portrait import CONFIGS
from mbu_ops.methods.portrait.layers import ComponentAutoEncoder, Generator, centres, cut, extended, paste

HALVES = [torch.float16, torch.bfloat16]


def block_mask(side: int, top: int, left: int, height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., top : top + height, left : left + width] = 1
    return mask


# -- centres --------------------------------------------------------------------------------------------------------


def test_centres_are_means_of_rows_and_columns() -> None:
    masks = (torch.rand(3, 2, 9, 14) > 0.7).float()
    found = centres(masks)
    assert found.shape == (3, 2, 2)
    for mask, (row, column) in zip(masks.flatten(0, 1), found.flatten(0, 1).tolist(), strict=True):
        places = mask.nonzero().float()
        assert row == pytest.approx(float(places[:, 0].mean()) + 0.5, abs=1e-4)
        assert column == pytest.approx(float(places[:, 1].mean()) + 0.5, abs=1e-4)


def test_an_empty_mask_lies_in_the_middle_and_disturbs_no_other() -> None:
    masks = torch.zeros(2, 2, 8, 12)
    masks[1, 0, 6, 1] = 1
    assert centres(masks).flatten(0, 1).tolist() == [[4, 6], [4, 6], [6.5, 1.5], [4, 6]]


@pytest.mark.parametrize("dtype", [torch.float64, *HALVES])
def test_centres_of_large_regions_are_as_exact_in_any_dtype(dtype: torch.dtype) -> None:
    """Skin covers tens of thousands of pixels, whose number half precision cannot hold."""
    mask = block_mask(256, 31, 57, 200, 190)
    found = centres(mask.to(dtype)).float()
    torch.testing.assert_close(found, torch.tensor([[[131.0, 152.0]]]), rtol=0, atol=0.5)


# -- cutting and pasting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(4, 6), (8, 2), (5, 7), (1, 1)])
@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (8, 9)])
def test_a_crop_holds_the_very_pixels(size: tuple[int, int], corner: tuple[int, int]) -> None:
    (height, width), (top, left) = size, corner
    pixels = torch.rand(2, 3, 16, 16)
    centre = torch.tensor([[top + height / 2, left + width / 2]]).expand(2, -1)
    expected = pixels[..., top : top + height, left : left + width]
    torch.testing.assert_close(cut(pixels, centre, height, width), expected, rtol=0, atol=1e-5)


def test_each_picture_is_cut_around_its_own_centre() -> None:
    pixels = torch.rand(2, 1, 16, 16)
    crops = cut(pixels, torch.tensor([[4.0, 5.0], [11.0, 8.0]]), 4, 4)
    torch.testing.assert_close(crops[0], pixels[0, :, 2:6, 3:7], rtol=0, atol=1e-5)
    torch.testing.assert_close(crops[1], pixels[1, :, 9:13, 6:10], rtol=0, atol=1e-5)


@pytest.mark.parametrize("fraction", [-0.4, -0.2, 0.3, 0.45])
def test_pixels_are_cut_whole_however_centres_lie_between_them(fraction: float) -> None:
    pixels = (torch.rand(1, 1, 16, 16) > 0.5).float()
    crop = cut(pixels, torch.tensor([[7 + fraction, 9 - fraction]]), 4, 6)
    torch.testing.assert_close(crop, pixels[..., 5:9, 6:12], rtol=0, atol=1e-5)


def test_beyond_the_border_there_is_nothing() -> None:
    pixels = torch.rand(1, 2, 8, 8) + 1
    crop = cut(pixels, torch.tensor([[1.0, 7.0]]), 6, 4)
    torch.testing.assert_close(crop[..., 2:, :3], pixels[..., :4, 5:], rtol=0, atol=1e-5)
    assert crop[..., :2, :].abs().max() < 1e-5
    assert crop[..., 3].abs().max() < 1e-5
    assert cut(pixels, torch.tensor([[-20.0, 4.0]]), 4, 4).abs().max() == 0


def test_a_crop_as_large_as_the_picture_is_the_picture_wherever_its_centre() -> None:
    pixels = torch.rand(1, 3, 8, 8)
    assert torch.equal(cut(pixels, torch.tensor([[2.0, 7.0]]), 8, 8), pixels)
    assert torch.equal(paste(pixels, torch.tensor([[2.0, 7.0]]), 8), pixels)


@pytest.mark.parametrize("size", [(4, 6), (2, 2), (5, 9), (3, 4), (1, 1)])
@pytest.mark.parametrize("centre", [(10.0, 9.0), (9.0, 10.0), (9.4, 10.6), (8.6, 9.4), (10.45, 8.55)])
def test_paste_is_the_inverse_of_cut(size: tuple[int, int], centre: tuple[float, float]) -> None:
    features, where = torch.rand(1, 3, *size) + 1, torch.tensor([centre])
    pasted = paste(features, where, 20)
    torch.testing.assert_close(cut(pasted, where, *size), features, rtol=0, atol=1e-5)
    assert pasted.sum().item() == pytest.approx(features.sum().item(), rel=1e-4)


@pytest.mark.parametrize("height", [2, 3, 5, 6])
def test_what_is_pasted_lies_around_its_centre(height: int) -> None:
    """Half a place off at most: no nearer is possible, for whole places."""
    for centre in torch.arange(6, 14, 0.3).tolist():
        pasted = paste(torch.ones(1, 1, height, 4), torch.tensor([[centre, 10.0]]), 20)
        assert centres(pasted)[0, 0, 0].item() == pytest.approx(centre, abs=0.501)


def test_what_is_pasted_at_the_border_is_cropped() -> None:
    features = torch.rand(1, 2, 4, 4) + 1
    pasted = paste(features, torch.tensor([[1.0, 7.0]]), 8)
    expected = torch.zeros(1, 2, 8, 8)
    expected[..., :3, 5:] = features[..., 1:, :3]
    torch.testing.assert_close(pasted, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_moves_no_pixels(dtype: torch.dtype) -> None:
    """Sampling places need more digits than pixels: else crops of large pictures are blurred."""
    pixels = (torch.rand(1, 1, 256, 256) > 0.5).to(dtype)
    centre = torch.tensor([[150.0, 201.0]], dtype=dtype)
    crop = cut(pixels, centre, 32, 48)
    assert crop.dtype == dtype
    torch.testing.assert_close(crop, pixels[..., 134:166, 177:225], rtol=0, atol=1e-2)
    pasted = paste(pixels[..., :32, :48], centre, 256)
    torch.testing.assert_close(pasted[..., 134:166, 177:225], pixels[..., :32, :48], rtol=0, atol=1e-2)


def test_gradients_go_through_cut_and_paste() -> None:
    centre = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    pixels = torch.rand(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: cut(one, centre, 2, 4), pixels)
    features = torch.rand(1, 1, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: paste(one, centre, 8), features)


# -- networks of one component --------------------------------------------------------------------------------------


def auto_encoder(height: int, width: int, patch: int) -> ComponentAutoEncoder:
    return ComponentAutoEncoder(height, width, (6, 8, 10), 5, 7, patch)


@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize(
    "size", [(4, 4), (8, 12), (12, 16), (20, 36), (16, 24), (40, 72), (80, 144), (64, 64), (24, 8)]
)
def test_features_are_a_quarter_of_the_crop_and_pixels_all_of_it(size: tuple[int, int], patch: int) -> None:
    height, width = size
    network = auto_encoder(height, width, patch)
    code = network.code(torch.rand(2, 3, height, width) * 2 - 1)
    assert code.shape == (2, 5)
    features = network.features(code)
    drawn = network.pixels(features)
    assert drawn.shape == (2, 3, height, width)
    assert drawn.abs().max() <= 1
    assert features.shape == (2, 7, height // 4, width // 4)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_component_of_faces_fits_the_generators_map(name: str) -> None:
    anatomy = get_family("faces").anatomy
    assert anatomy is not None
    config = CONFIGS[name].composed_of(anatomy)
    for height, width in set(zip(config.crop_heights, config.crop_widths, strict=True)):
        with torch.device("meta"):
            network = ComponentAutoEncoder(height, width, config.encoder_widths, 8, 4, config.patch)
            features = network.features(torch.rand(1, 8))
        assert features.shape[-2:] == (height // 4, width // 4)


def test_crops_of_256_pixels_are_encoded_in_six_halvings() -> None:
    with torch.device("meta"):
        network = ComponentAutoEncoder(256, 256, CONFIGS["paper"].encoder_widths, 512, 256, 1)
    assert network.bottom == (512, 4, 4)


def test_a_code_tells_crops_apart_and_draws_them() -> None:
    network = auto_encoder(16, 16, 2)
    crops = torch.rand(2, 3, 16, 16)
    codes = network.code(crops)
    assert not torch.allclose(codes[0], codes[1])
    torch.testing.assert_close(network.code(crops[1:]), codes[1:])
    drawn = network.pixels(network.features(codes))
    assert not torch.allclose(drawn[0], drawn[1])


# -- generator ------------------------------------------------------------------------------------------------------


def generator(patch: int = 2, fuses: bool = True) -> Generator:
    return Generator(2, 3, 4, 5, 12, 1, 6, patch, fuses)


def background_of(mask: Tensor) -> Tensor:
    return mask[:, :1]


@pytest.fixture
def mask() -> Tensor:
    """Three parts: the first is background."""
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[:, 4:12, 5:9], labels[:, 8:14, 9:12] = 1, 2
    return torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()


@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize("fuses", [True, False])
def test_pictures_fill_the_frame(patch: int, fuses: bool, mask: Tensor) -> None:
    network, features = generator(patch, fuses), torch.rand(2, 8, 4, 4)
    pixels = torch.rand(2, 3, 16, 16) * 2 - 1
    drawn = network(features, mask, pixels, background_of(mask))
    assert drawn.shape == pixels.shape
    assert drawn.abs().max() <= 1


@pytest.mark.parametrize("fuses", [True, False])
def test_the_generator_sees_what_is_known_of_the_background_and_nothing_else(fuses: bool, mask: Tensor) -> None:
    network, features = generator(fuses=fuses), torch.rand(2, 8, 4, 4)
    pixels, other = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    known = background_of(mask) * (torch.arange(16) < 11)  # the rest is hidden
    drawn = network(features, mask, pixels, known)
    assert torch.equal(network(features, mask, torch.lerp(other, pixels, known), known), drawn)
    assert not torch.equal(network(features, mask, torch.lerp(pixels, other, known), known), drawn)


def test_without_fusion_the_background_is_pasted(mask: Tensor) -> None:
    known, pixels = background_of(mask), torch.rand(2, 3, 16, 16) * 2 - 1
    drawn = generator(fuses=False)(torch.rand(2, 8, 4, 4), mask, pixels, known)
    behind = (known == 1).expand_as(pixels)
    assert torch.equal(drawn[behind], pixels[behind])
    assert not torch.isclose(drawn, pixels)[~behind].any()
    names = {name.split(".")[0] for name, _ in generator(fuses=False).named_parameters()}
    assert {name.split(".")[0] for name, _ in generator().named_parameters()} - names == {"read_background", "fuse"}


def test_pictures_follow_features_and_the_shapes_of_parts(mask: Tensor) -> None:
    network, features, pixels = generator(), torch.rand(2, 8, 4, 4), torch.rand(2, 3, 16, 16)
    drawn = network(features, mask, pixels, background_of(mask))
    assert not torch.allclose(network(-features, mask, pixels, background_of(mask)), drawn)
    exchanged = mask[:, [0, 2, 1]]
    assert not torch.allclose(network(features, exchanged, pixels, background_of(mask)), drawn)


def test_a_residual_block_begins_from_its_input() -> None:
    block, features = ResidualBlock(4, 4, 3), torch.rand(1, 4, 6, 6)
    torch.testing.assert_close(block(features), features + block.body(features))
    with torch.no_grad():
        for parameter in block.body.parameters():
            parameter.zero_()
    assert torch.equal(block(features), features)


# -- colours that go on beyond a component --------------------------------------------------------------------------


def test_colours_go_on_beyond_a_region_and_stay_in_it() -> None:
    crops, region = torch.rand(2, 3, 64, 256), torch.zeros(2, 1, 64, 256)
    region[:, :, 20:40, 16:240] = 1
    crops[:, :, :, :128], crops[:, :, :, 128:] = 0.8, -0.6
    full = extended(crops, region)
    inside = region.expand_as(full) > 0
    assert torch.equal(full[inside], crops[inside])
    left, right = full[:, :, 44:48, 30:40], full[:, :, 44:48, 210:220]
    assert float(left.min()) > 0.5, "nearby, as it is there"
    assert float(right.max()) < -0.3
    assert float(full.max()) <= 0.8 + 1e-5
    assert float(full.min()) >= -0.6 - 1e-5


def test_what_lies_outside_a_region_has_no_say() -> None:
    crops, region = torch.rand(1, 3, 16, 24), torch.zeros(1, 1, 16, 24)
    region[:, :, 5:9, 6:20] = 1
    torch.testing.assert_close(extended(crops, region), extended(crops * region - 7 * (1 - region), region))


def test_an_empty_region_stays_empty() -> None:
    crops = extended(torch.rand(1, 3, 16, 24), torch.zeros(1, 1, 16, 24))
    assert crops.abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_single_pixel_colours_all_of_a_large_crop(dtype: torch.dtype) -> None:
    crops, region = torch.zeros(1, 3, 256, 256, dtype=dtype), torch.zeros(1, 1, 256, 256, dtype=dtype)
    crops[..., 3, 5], region[..., 3, 5] = 0.5, 1
    full = extended(crops, region)
    assert full.dtype == dtype
    torch.testing.assert_close(full, torch.full_like(full, 0.5), rtol=0.01, atol=0)
