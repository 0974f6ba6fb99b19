"""Portraits put together from components: what each verb may change, and what it must leave alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import mbu_ops
from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.mask import dilate
from mbu_ops.functional.render import render
from mbu_ops.methods import get_method
from mbu_ops.methods.base import to_signed, to_unit
from mbu_ops.methods.portrait import ComponentView, Portrait
from mbu_ops.methods.portrait.layers import centres, paste
from mbu_ops.methods.portrait.method import softened
from mbu_ops.testing import tiny_portrait
from mbu_ops.testing.tiny import TINY_PORTRAIT

from .faces import LEFT_EYE, MOUTH, SKIN, carried_over, codes_of, read_as, shown


def test_it_is_found_by_name_and_can_what_it_says(model: Portrait) -> None:
    assert get_method("portrait") is Portrait
    view = model.for_content(0)
    for owner, verbs in ((model, ("edit", "generate", "parse")), (view, ("segment", "swap"))):
        assert all(callable(getattr(owner, verb)) for verb in verbs)
    assert view.info.verbs == {"swap", "segment", "interpolate"}
    assert view.info.swaps_at_once
    assert not {"remove", "transfer"} & set(dir(view)), "it can only exchange"
    assert (model.stems(), dict(model.painters())) == ((), {})


# -- masks ----------------------------------------------------------------------------------------------------------


def test_masks_are_of_the_likeliest_parts(model: Portrait, image: Tensor) -> None:
    shares, mask = model.parse(image), model.mask_of(image)
    torch.testing.assert_close(shares, model.parser.parse(image))
    torch.testing.assert_close(shares.sum(1), torch.ones(2, 32, 32))
    assert torch.equal(mask, F.one_hot(shares.argmax(1), 5).movedim(-1, 1).float())


def test_a_parser_may_see_another_size() -> None:
    torch.manual_seed(0)
    model = Portrait(replace(TINY_PORTRAIT, parser_resolution=16)).eval()
    assert model.parse(torch.rand(2, 3, 32, 32)).shape == (2, 5, 32, 32)
    assert model.mask_of(torch.rand(2, 3, 32, 32)).sum(1).eq(1).all()


def test_numbers_that_are_no_parts_belong_to_none(model: Portrait) -> None:
    for dtype in (torch.uint8, torch.int64):
        mask = model.one_hot(torch.tensor([[[[0, 4, 5, 255]]]], dtype=dtype))
        assert mask[0, :, 0].tolist() == [[1, 0, 0, 0], *[[0] * 4] * 3, [0, 1, 0, 0]]


def test_regions_are_sums_of_parts() -> None:
    model = Portrait(replace(TINY_PORTRAIT, part_components=(1, 2, 3, 4, 5, 5, 2)))
    shares = torch.rand(1, 7, 32, 32)
    expected = torch.stack([shares[:, [1, 6]].sum(1), shares[:, 2], shares[:, 3], shares[:, [4, 5]].sum(1)], 1)
    torch.testing.assert_close(model.regions(shares), expected)


# -- components -----------------------------------------------------------------------------------------------------


def test_crops_may_show_colours_going_on(model: Portrait, image: Tensor, labels: Tensor, mask: Tensor) -> None:
    alone = model.crops(to_signed(image), mask)
    model.config = replace(model.config, extends=True)
    for crop, before in zip(model.crops(to_signed(image), mask), alone, strict=True):
        inside = before != 0
        assert torch.equal(crop[inside], before[inside])
        assert bool((crop[~inside] != 0).all())
    codes = codes_of(model, image, mask)
    labels[labels == MOUTH] = SKIN
    assert not codes_of(model, image, model.one_hot(labels))[:, 2].any(), "what is not there has no colour to go on"
    assert codes[:, 2].any()


def test_crops_show_their_component_alone(model: Portrait, image: Tensor, mask: Tensor) -> None:
    pixels = to_signed(image)
    left, right, mouth, skin = model.crops(pixels, mask)
    assert [tuple(crop.shape[-2:]) for crop in (left, right, mouth, skin)] == [(8, 12), (8, 12), (12, 16), (32, 32)]
    assert torch.equal(skin, pixels * mask[:, SKIN:])
    whole = torch.zeros(2, 3, 12, 16)
    whole[..., 4:8, 4:12] = pixels[..., 20:24, 12:20]
    torch.testing.assert_close(mouth, whole, rtol=0, atol=1e-5)
    # the eyes' centre is (11.5, 10) and (11.5, 22)
    for crop, column in ((left, 8), (right, 20)):
        inside = F.pad(pixels[..., 10:13, column : column + 4], (4, 4, 2, 3))
        torch.testing.assert_close(crop, inside, rtol=0, atol=1e-5)


def test_components_that_a_mask_lacks_have_codes_of_zeros(model: Portrait, image: Tensor, labels: Tensor) -> None:
    labels[0][labels[0] == MOUTH] = SKIN
    labels[1][labels[1] == LEFT_EYE] = SKIN
    codes = codes_of(model, image, model.one_hot(labels))
    there = torch.tensor([[True, True, False, True], [False, True, True, True]])
    assert torch.equal(codes.abs().amax(2) > 0, there)


def test_a_guides_code_holds_the_codes_of_all_components(model: Portrait, image: Tensor) -> None:
    code = model.encode_guide(image)
    assert code.shape == (2, *model.code_shape) == (2, 24, 1, 1)
    assert torch.equal(model.component_codes(code), codes_of(model, image, model.mask_of(image)))
    for index in range(model.contents):
        assert torch.equal(model.for_content(index).encode_guide(image), code)


def test_a_component_that_the_target_lacks_adds_nothing(model: Portrait, image: Tensor, labels: Tensor) -> None:
    codes = torch.randn(2, 4, 6)
    others = codes.clone()
    others[:, 2] = torch.randn(2, 6)
    shown = model.one_hot(labels)
    assert not torch.equal(model.compose(codes, shown, image), model.compose(others, shown, image))
    labels[labels == MOUTH] = SKIN
    lacking = model.one_hot(labels)
    assert torch.equal(model.compose(codes, lacking, image), model.compose(others, lacking, image))


def test_composing_pastes_each_component_where_the_mask_has_it(model: Portrait, image: Tensor, mask: Tensor) -> None:
    codes = torch.randn(2, 4, 6)
    regions = mask[:, 1:]
    places = centres(regions) / 4
    features = [one.features(codes[:, index]) for index, one in enumerate(model.each_component())]
    placed = torch.cat([paste(one, places[:, index], 8) for index, one in enumerate(features)], 1)
    drawn = model.generator(placed, mask, to_signed(image), mask[:, :1])
    torch.testing.assert_close(model.compose(codes, mask, image), to_unit(drawn))


@pytest.mark.parametrize("fuses", [True, False])
def test_of_the_target_only_the_background_reaches_the_result(fuses: bool, image: Tensor, labels: Tensor) -> None:
    torch.manual_seed(0)
    model = Portrait(replace(TINY_PORTRAIT, fuses_background=fuses)).eval()
    mask, codes, other = model.one_hot(labels), torch.randn(2, 4, 6), torch.rand(2, 3, 32, 32)
    behind = (labels == 0).float()
    drawn = model.compose(codes, mask, image)
    assert torch.equal(model.compose(codes, mask, torch.lerp(other, image, behind)), drawn)
    assert not torch.equal(model.compose(codes, mask, torch.lerp(image, other, behind)), drawn)
    image.requires_grad_()
    model.compose(codes, mask, image).square().sum().backward()
    assert image.grad is not None
    reached = (image.grad != 0).any(1, keepdim=True)
    assert not reached[labels != 0].any()
    assert reached[labels == 0].all()


# -- swaps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(4))
def test_a_swap_takes_the_codes_of_its_components(model: Portrait, image: Tensor, index: int) -> None:
    guide, chosen = torch.rand(2, 3, 32, 32), list(TINY_PORTRAIT.contents[index])
    mask = model.mask_of(image)
    own, given = codes_of(model, image, mask), codes_of(model, guide, model.mask_of(guide))
    mixed = own.clone()
    mixed[:, chosen] = given[:, chosen]
    layer = model.for_content(index).swap(image, model.encode_guide(guide))
    before, after = model.compose(own, mask, image), model.compose(mixed, mask, image)
    region = softened(dilate(model.regions(mask)[:, chosen].sum(1, keepdim=True), TINY_PORTRAIT.removal_dilation))
    torch.testing.assert_close(shown(image, layer), region * carried_over(image, before, after) + (1 - region) * image)
    assert (shown(image, layer) - image).abs().max() > 1e-3


@pytest.mark.parametrize("index", range(4))
def test_a_swap_depends_on_no_other_components_codes(model: Portrait, image: Tensor, index: int) -> None:
    view, code = model.for_content(index), torch.randn(2, 4, 6)
    expected = view.swap(image, code.view(2, 24, 1, 1))
    for component in range(4):
        changed = code.clone()
        changed[:, component] = torch.randn(2, 6)
        layer = view.swap(image, changed.view(2, 24, 1, 1))
        assert torch.equal(shown(image, layer), shown(image, expected)) == (component not in view.components)
        assert torch.equal(layer.mask, expected.mask), "it is the image's own"


@pytest.mark.parametrize("index", range(4))
def test_a_swaps_mask_is_the_components_region_grown(
    model: Portrait, image: Tensor, labels: Tensor, index: int
) -> None:
    read_as(model, model.one_hot(labels))
    layer = model.for_content(index).swap(image, torch.randn(2, 24, 1, 1))
    parts = [component + 1 for component in TINY_PORTRAIT.contents[index]]
    region = torch.isin(labels, torch.tensor(parts, dtype=torch.uint8)).float()
    grown = softened(dilate(region, TINY_PORTRAIT.removal_dilation))
    assert torch.equal(layer.mask, (grown > 0).float())
    assert 0 < layer.mask.mean() < 1
    outside = (layer.mask == 0).expand_as(image)
    assert torch.equal(shown(image, layer)[outside], image[outside])


@pytest.mark.parametrize("index", range(4))
def test_what_a_guide_lacks_is_not_taken_from_it(model: Portrait, image: Tensor, labels: Tensor, index: int) -> None:
    guide, view = torch.rand(1, 3, 32, 32), model.for_content(index)
    bare = labels[:1].clone()
    for component in view.components:
        bare[bare == component + 1] = 0
    read_as(model, model.one_hot(bare))
    code = view.encode_guide(guide)
    assert not model.component_codes(code)[:, list(view.components)].any()
    read_as(model, model.one_hot(labels))
    assert torch.equal(shown(image, view.swap(image, code.expand(2, -1, -1, -1))), image)
    assert torch.equal(mbu_ops.Swap(view).edit_code(image, code).image, image)


def test_one_eye_of_two_is_taken_alone(model: Portrait, image: Tensor) -> None:
    view, code = model.for_content(0), torch.randn(2, 4, 6)
    code[:, 1] = 0
    other = code.clone()
    other[:, 1] = codes_of(model, image, model.mask_of(image))[:, 1]
    one, two = (shown(image, view.swap(image, each.view(2, 24, 1, 1))) for each in (code, other))
    assert torch.equal(one, two), "the other eye stays the image's own"
    assert not torch.equal(one, image)


def test_a_swap_with_oneself_leaves_the_image(model: Portrait, image: Tensor) -> None:
    for index in range(4):
        view = model.for_content(index)
        assert torch.equal(shown(image, view.swap(image, view.encode_guide(image))), image)


def test_segments_are_shares_of_the_components(model: Portrait, image: Tensor) -> None:
    shares = model.parse(image)
    expected = [shares[:, [1, 2]].sum(1), shares[:, 3], shares[:, 4], 1 - shares[:, 0]]
    for index, share in enumerate(expected):
        torch.testing.assert_close(model.for_content(index).segment(image)[:, 0], share)


@pytest.mark.parametrize("index", range(4))
def test_gradients_reach_image_and_code(model: Portrait, image: Tensor, index: int) -> None:
    view = model.for_content(index)
    code = torch.randn(2, 24, 1, 1, requires_grad=True)
    image.requires_grad_()
    shown(image, view.swap(image, code)).square().sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()
    assert image.grad.abs().sum() > 0
    assert code.grad is not None
    reached = model.component_codes(code.grad).abs().amax((0, 2)) > 0
    assert reached.nonzero().flatten().tolist() == list(view.components)


def test_double_precision_edits_alike(image: Tensor) -> None:
    single, double = tiny_portrait(), tiny_portrait(dtype=torch.float64)
    code = single.encode_guide(torch.rand(2, 3, 32, 32))
    for index in range(4):
        near = single.for_content(index).swap(image, code)
        exact = double.for_content(index).swap(image.double(), code.double())
        assert exact.bias.dtype == exact.mask.dtype == torch.float64
        assert torch.equal(exact.mask.float(), near.mask)
        torch.testing.assert_close(shown(image, near), shown(image, exact), rtol=0, atol=1e-4)


# -- as a module ----------------------------------------------------------------------------------------------


def test_the_parser_never_trains(model: Portrait, image: Tensor) -> None:
    before = {name: value.clone() for name, value in model.parser.state_dict().items()}
    assert model.train() is model
    assert model.training
    assert model.generator.training
    assert not any(module.training for module in model.parser.modules())
    torch.nn.Sequential(model).train()
    assert not model.parser.training
    model.encode_guide(image)
    assert all(torch.equal(value, before[name]) for name, value in model.parser.state_dict().items())
    assert not model.eval().generator.training


def test_the_form_for_inference_draws_the_same(model: Portrait, image: Tensor, mask: Tensor) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    form = model.for_inference()
    again = form.for_inference()
    code = model.encode_guide(image.flip(0))
    for one in (form, again):
        assert not one.training
        assert not any(parameter.requires_grad for parameter in one.parameters())
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in one.modules())
        torch.testing.assert_close(one.parse(image), model.parse(image))
        torch.testing.assert_close(one.generate(mask, code, image), model.generate(mask, code, image))
        drawn = [render(image, networks.for_content(1).swap(image, code)) for networks in (one, model)]
        torch.testing.assert_close(*drawn)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_views_share_the_networks(model: Portrait) -> None:
    for index in range(4):
        view = model.for_content(index)
        assert isinstance(view, ComponentView)
        assert {id(one) for one in view.parameters()} == {id(one) for one in model.parameters()}
        assert (view.info.name, view.code_shape, view.config) == ("portrait", model.code_shape, model.config)
        assert not view.info.mirrors, "a mirrored left eye is a right one"
    for index in (-1, 4, 100):
        with pytest.raises(ConfigurationError, match=f"expected a content from 0 to 3, got {index}"):
            model.for_content(index)


def test_without_locality_every_content_is_all_of_the_foreground(image: Tensor) -> None:
    torch.manual_seed(0)
    parts = {"part_components": (1, 2, 2, 2, 2), "crop_heights": (32,), "crop_widths": (32,)}
    model = Portrait(replace(TINY_PORTRAIT, local=False, **parts)).eval()
    assert model.contents == 4
    assert model.code_shape == (6, 1, 1)
    code = model.encode_guide(torch.rand(2, 3, 32, 32))
    first, *others = [model.for_content(index).swap(image, code) for index in range(4)]
    first, *others = [render(image, layer) for layer in (first, *others)]
    assert all(torch.equal(*pair) for other in others for pair in zip(first, other, strict=True))
