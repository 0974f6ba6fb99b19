"""DIDD: three codes and one decoder, the verbs on either content, and the layers of the paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

import mbu_ops
from mbu_ops import weights
from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.mask import change_mask
from mbu_ops.methods import get_method
from mbu_ops.methods.base import to_signed, to_unit
from mbu_ops.methods.didd import CONFIGS, DIDD, Codes, DIDDConfig
from mbu_ops.testing import tiny_didd
from mbu_ops.testing.tiny import TINY_DIDD


@pytest.fixture
def model() -> DIDD:
    return tiny_didd()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, 16, 16)


def drawn(model: DIDD, image: Tensor, first: Tensor | None, second: Tensor | None) -> Tensor:
    """``G(Ec(x), s1, s2)`` with zeros for None, written plainly."""
    common = model.common_encoder(image * 2 - 1)
    none = torch.zeros(len(image), *model.code_shape)
    codes = [none if code is None else code for code in (first, second)]
    return (torch.tanh(model.decoder(torch.cat([common, *codes], 1))) + 1) / 2


def own(model: DIDD, image: Tensor, content: int) -> Tensor:
    return model.separate_encoders[content](image * 2 - 1)


def test_it_is_found_by_name() -> None:
    assert get_method("didd") is DIDD


def test_encoding_and_drawing(model: DIDD, image: Tensor) -> None:
    codes = model.encode(image)
    torch.testing.assert_close(codes.common, model.common_encoder(image * 2 - 1))
    torch.testing.assert_close(codes.first, own(model, image, 0))
    torch.testing.assert_close(codes.second, own(model, image, 1))
    assert not torch.allclose(codes.first, codes.second)
    torch.testing.assert_close(model.draw(codes), drawn(model, image, codes.first, codes.second))
    assert model.zero_code(codes.common).shape == codes.first.shape
    assert not model.zero_code(codes.common).any()


@pytest.mark.parametrize("content", [0, 1])
def test_verbs_replace_one_code_and_keep_the_other(model: DIDD, image: Tensor, content: int) -> None:
    guide = torch.rand(2, 3, 16, 16)
    view = model.for_content(content)
    code = view.encode_guide(guide)
    torch.testing.assert_close(code, own(model, guide, content))
    mine, other = own(model, image, content), own(model, image, 1 - content)

    def expected(this: Tensor | None, that: Tensor | None) -> Tensor:
        return drawn(model, image, *((this, that) if content == 0 else (that, this)))

    plain = expected(mine, other)
    cases = [
        (view.transfer(image, code), expected(code, other)),
        (view.remove(image), expected(None, other)),
        (view.translate(image, code), expected(code, None)),
    ]
    for layer, raw in cases:
        torch.testing.assert_close(layer.bias, raw)
        torch.testing.assert_close(layer.mask, change_mask(plain, raw))
        assert not torch.allclose(raw, plain, atol=1e-3)
    assert not torch.allclose(cases[0][1], cases[2][1], atol=1e-4), "the other content's code counts"
    assert torch.equal(view.segment(image), view.remove(image).mask)


def test_stripping_and_adding_both(model: DIDD, image: Tensor) -> None:
    torch.testing.assert_close(model.redraw(image, {0: None, 1: None}).bias, drawn(model, image, None, None))
    codes = [model.for_content(index).encode_guide(torch.rand(2, 3, 16, 16)) for index in (0, 1)]
    both = model.redraw(image, dict(enumerate(codes)))
    torch.testing.assert_close(both.bias, drawn(model, image, *codes))


def test_no_change_draws_no_mask(model: DIDD, image: Tensor) -> None:
    layer = model.redraw(image, {})
    assert layer.mask.max() == 0
    torch.testing.assert_close(layer.bias, model.draw(model.encode(image)))


def test_codes_are_mixed_one_by_one() -> None:
    shape = (2, 3, 1, 1)
    one, two = (Codes(*(torch.full(shape, value + step) for step in (0, 1, 2))) for value in (0.0, 10.0))
    mixed = one.mixed(two, torch.tensor([0.0, 0.5, 1.0]))
    assert [code.unique().tolist() for code in mixed] == [[0], [6], [12]]
    mixed = one.mixed(two, torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, -1.0]]))
    assert [code[:, 0, 0, 0].tolist() for code in mixed] == [[0, 10], [1, 21], [2, -8]]


def test_views_share_the_networks(model: DIDD, image: Tensor) -> None:
    first, second = model.for_content(0), model.for_content(1)
    assert {id(one) for one in first.parameters()} == {id(one) for one in model.parameters()}
    assert (first.info, first.contents) == (replace(model.info, contents=1, verbs=first.info.verbs), 1)
    assert (first.config, first.code_shape) == (model.config, model.code_shape)
    assert first.config is second.config is model.config
    before = first.remove(image).bias
    with torch.no_grad():
        model.decoder[-1].bias.add_(0.5)
    assert not torch.allclose(first.remove(image).bias, before)
    for index in (-1, 2):
        with pytest.raises(ConfigurationError, match=f"expected a content from 0 to 1, got {index}"):
            model.for_content(index)


def test_every_verb_that_is_named_has_its_function(model: DIDD) -> None:
    view = model.for_content(0)
    for verb in view.info.verbs - {"swap", "interpolate"}:
        assert callable(getattr(view, verb))
    assert model.info.verbs - view.info.verbs == {"mix"}, "both contents at once"
    assert "translate" in view.info.verbs
    assert "adjust" not in model.info.verbs


# -- layers -------------------------------------------------------------------------------------------------------


def convolutions(stack: nn.Sequential) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [one for one in stack if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)]


def test_layers_are_the_papers() -> None:
    model = DIDD("paper")
    assert [one.out_channels for one in convolutions(model.common_encoder)] == [32, 64, 128, 256, 462, 462]
    assert len(model.separate_encoders) == 2
    for encoder in model.separate_encoders:
        assert [one.out_channels for one in convolutions(encoder)] == [32, 64, 128, 128, 128, 25]
    assert [one.in_channels for one in convolutions(model.decoder)] == [512, 512, 256, 128, 64, 32]
    assert [one.out_channels for one in convolutions(model.decoder)][-2:] == [32, 3]
    for stack in (model.common_encoder, *model.separate_encoders, model.decoder):
        *hidden, last = convolutions(stack)
        assert all(parametrize.is_parametrized(one, "weight") for one in hidden), "spectral norm"
        assert not parametrize.is_parametrized(last)
        for one in (*hidden, last):
            assert (one.kernel_size, one.stride, one.padding) == ((4, 4), (2, 2), (1, 1))
            assert one.bias is not None
        norms = [one for one in stack if isinstance(one, nn.GroupNorm)]
        assert [one.num_groups for one in norms] == [one.out_channels for one in hidden], "instance norm"
        slopes = [one.negative_slope for one in stack if isinstance(one, nn.LeakyReLU)]
        assert slopes == [0.2] * len(hidden)


def test_spectral_norm_bounds_what_a_layer_does() -> None:
    torch.manual_seed(0)
    model = DIDD(replace(TINY_DIDD, spectral_norm=True))
    with torch.no_grad():
        model.common_encoder[0].parametrizations.weight.original *= 50
    for _ in range(30):
        model.common_encoder[0].weight  # noqa: B018 - each look in training is a step of the power iteration
    norm = torch.linalg.matrix_norm(model.common_encoder[0].weight.flatten(1), 2)
    assert norm.item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("channels", [1, 4])
def test_norms_see_one_image_and_a_group_of_channels(channels: int) -> None:
    torch.manual_seed(0)
    config = replace(TINY_DIDD, common_widths=(8, 16), separate_widths=(4,), norm_channels=channels)
    model = DIDD(config)
    inputs = torch.randn(3, 12, 4, 4)
    norm = next(one for one in model.decoder if isinstance(one, nn.GroupNorm))
    count = norm.num_channels
    normed = norm(inputs[:, :count])
    groups = normed.unflatten(1, (count // channels, channels)).flatten(2)
    torch.testing.assert_close(groups.mean(2), torch.zeros_like(groups.mean(2)), atol=1e-5, rtol=0)
    torch.testing.assert_close(groups.std(2, correction=0), torch.ones_like(groups.mean(2)), atol=1e-3, rtol=0)


def test_one_encoding_has_one_separate_encoder_for_both() -> None:
    torch.manual_seed(0)
    model = DIDD(replace(TINY_DIDD, one_encoding=True)).eval()
    assert len(model.separate_encoders) == 1
    codes = model.encode(torch.rand(2, 3, 16, 16))
    assert torch.equal(codes.first, codes.second)
    guide = torch.rand(1, 3, 16, 16)
    assert torch.equal(*(model.for_content(index).encode_guide(guide) for index in (0, 1)))
    assert not torch.allclose(model.for_content(0).remove(guide).bias, model.for_content(1).remove(guide).bias)
    assert CONFIGS["one-encoding"] == replace(CONFIGS["lite"], one_encoding=True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"separate_channels": 8}, "separate_channels must lie between 1 and 7, since there are two"),
        ({"norm_channels": 3}, "norm_channels must divide the hidden widths 8, 6, got 3"),
        ({"common_widths": (8, 16, 16), "separate_widths": (8, 8), "norm_channels": 16}, "8, 8, 8, 8, got 16"),
        ({"separate_widths": (6, 6)}, "separate_widths needs one entry fewer"),
    ],
)
def test_sizes_that_cannot_work_are_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        replace(TINY_DIDD, **changes)


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations_survive_the_file(name: str) -> None:
    assert DIDD.config_from_dict(DIDD.config_to_dict(CONFIGS[name])) == CONFIGS[name]
    with torch.device("meta"):
        DIDD(name)


@pytest.mark.parametrize("field", ["spectral_norm", "one_encoding"])
@pytest.mark.parametrize("value", [None, 0, 1, "true", [True]])
def test_switches_from_strangers_are_true_or_false(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"expected true or false for {field}, got"):
        DIDD.config_from_dict({field: value})


# -- resolution and files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_encoding", [False, True])
@pytest.mark.parametrize("patch", [1, 2])
def test_the_refined_network_draws_the_same_pictures(patch: int, one_encoding: bool) -> None:
    torch.manual_seed(0)
    config = DIDDConfig(8 * patch, (4, 8, 12), (4, 8), 3, False, 2, one_encoding, patch=patch)
    coarse = DIDD(config).eval()
    fine = coarse.refined()
    assert (fine.config.resolution, fine.config.patch) == (16 * patch, 2 * patch)
    image = torch.rand(2, 3, 16 * patch, 16 * patch)
    small = F.avg_pool2d(image, 2)
    for content in (0, 1):
        before, after = (one.for_content(content).remove(pixels) for one, pixels in ((coarse, small), (fine, image)))
        torch.testing.assert_close(F.interpolate(before.bias, scale_factor=2), after.bias)
        codes = [one.for_content(content).encode_guide(pixels) for one, pixels in ((coarse, small), (fine, image))]
        torch.testing.assert_close(*codes)


def test_networks_with_spectral_norm_do_not_refine() -> None:
    """Of the doubled first layer it would take another scale away, and so not of its bias."""
    with pytest.raises(ConfigurationError, match="networks with spectral norm cannot double"):
        DIDD(replace(TINY_DIDD, spectral_norm=True)).refined()


@pytest.mark.parametrize("spectral", [False, True])
def test_weights_come_back(spectral: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = DIDD(replace(TINY_DIDD, spectral_norm=spectral)).eval()
    info = weights.WeightsInfo("didd", model.config_to_dict(model.config), 16, None, ("hat", "tie"), "none")
    path = tmp_path / "pair.safetensors"
    weights.save(path, model, info, dtype=torch.float32)
    image = torch.rand(1, 3, 16, 16)
    loaded = weights.load(path).model
    for content in (0, 1):
        assert torch.equal(
            loaded.for_content(content).remove(image).bias, model.for_content(content).remove(image).bias
        )


def test_a_swap_gives_the_guides_content(model: DIDD, image: Tensor) -> None:
    view, guide = model.for_content(1), torch.rand(2, 3, 16, 16)
    removed = mbu_ops.Remove(view)(image)
    torch.testing.assert_close(mbu_ops.Swap(view)(image, guide), mbu_ops.Transfer(view)(removed, guide))


def test_pixels_are_blocks_where_the_patch_says_so() -> None:
    torch.manual_seed(0)
    model = DIDD(DIDDConfig(16, (4, 8, 12), (4, 8), 3, False, 2, patch=2)).eval()
    image = torch.rand(1, 3, 16, 16)
    common = model.common_encoder(F.pixel_unshuffle(to_signed(image), 2))
    codes = model.encode(image)
    assert torch.equal(codes.common, common)
    raw = to_unit(torch.tanh(F.pixel_shuffle(model.decoder(torch.cat(codes, 1)), 2)))
    assert torch.equal(model.draw(codes), raw)
