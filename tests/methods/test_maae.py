"""M-AAE: positions that cover the image, a dial, and drawings that leave the image alone at 0."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.mask import change_mask
from mbu_ops.functional.render import render
from mbu_ops.methods import get_method
from mbu_ops.methods.base import to_signed, to_unit
from mbu_ops.methods.maae import (
    CONFIGS,
    MAAE,
    Convolution,
    MAAEConfig,
    covering_positions,
    receptive_field,
)
from mbu_ops.testing import tiny_maae

STACKS = st.lists(
    st.builds(
        lambda kernel, stride, padding: Convolution(kernel, min(stride, kernel), padding),
        st.integers(1, 5),
        st.integers(1, 3),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=3,
)
"""Layers whose strides leave no gaps, as those of encoders."""


def outputs(convolutions: list[Convolution], side: int) -> int:
    for kernel, stride, padding in convolutions:
        side = (side + 2 * padding - kernel) // stride + 1
    return side


def fits(convolutions: list[Convolution], side: int) -> bool:
    """Tell whether each layer has an output."""
    return all(outputs(convolutions[:depth], side) > 0 for depth in range(1, len(convolutions) + 1))


def seen_by(position: int, convolutions: list[Convolution], side: int) -> set[int]:
    """The inputs of which an output is a sum, followed through the layers number by number."""
    sides = [outputs(convolutions[:depth], side) for depth in range(len(convolutions))]
    places = {position}
    for (kernel, stride, padding), count in zip(reversed(convolutions), reversed(sides), strict=True):
        places = {place * stride - padding + tap for place in places for tap in range(kernel)} & set(range(count))
    return places


def plain(convolutions: list[Convolution]) -> nn.Sequential:
    """Convolutions of ones along one axis: gradients are counts of ways, and cancel nowhere."""
    layers = [nn.Conv1d(1, 1, kernel, stride, padding, bias=False) for kernel, stride, padding in convolutions]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


@given(STACKS, st.integers(4, 14))
@settings(max_examples=60, deadline=None)
def test_receptive_fields_are_where_the_gradient_is(convolutions: list[Convolution], side: int) -> None:
    assume(fits(convolutions, side))
    count = outputs(convolutions, side)
    inputs = torch.zeros(1, 1, side, requires_grad=True)
    result = plain(convolutions)(inputs)[0, 0]
    assert len(result) == count
    for position in range(count):
        (gradient,) = torch.autograd.grad(result[position], inputs, retain_graph=True)
        support = gradient[0, 0].nonzero().flatten().tolist()
        assert set(support) == seen_by(position, convolutions, side)
        if support:
            assert receptive_field(position, convolutions, side) == (support[0], support[-1])


@given(STACKS, st.integers(4, 12))
@settings(max_examples=100, deadline=None)
def test_chosen_positions_cover_every_input_and_none_fewer_do(convolutions: list[Convolution], side: int) -> None:
    assume(fits(convolutions, side))
    count = outputs(convolutions, side)
    fields = [seen_by(position, convolutions, side) for position in range(count)]
    everything = set(range(side))
    if set().union(*fields) != everything:
        with pytest.raises(ConfigurationError, match=f"sees input {min(everything - set().union(*fields))}"):
            covering_positions(convolutions, side)
        return
    chosen = covering_positions(convolutions, side)
    assert list(chosen) == sorted(set(chosen))
    assert set().union(*(fields[position] for position in chosen)) == everything
    for one in chosen:
        assert set().union(*(fields[other] for other in chosen if other != one)) != everything
    for fewer in combinations(range(count), len(chosen) - 1):
        assert set().union(*(fields[position] for position in fewer)) != everything


@pytest.mark.parametrize(
    ("convolutions", "unseen"),
    [([Convolution(1, 2, 0)], 1), ([Convolution(2, 3, 0), Convolution(1, 1, 0)], 2), ([Convolution(3, 2, 0)], 15)],
)
def test_inputs_that_no_position_sees_are_named(convolutions: list[Convolution], unseen: int) -> None:
    with pytest.raises(ConfigurationError, match=f"no position of the code sees input {unseen}"):
        covering_positions(convolutions, 16)


@pytest.mark.parametrize("name", ["paper", "lite"])
def test_published_positions_are_a_sparse_grid_that_covers_the_image(name: str) -> None:
    config = CONFIGS[name]
    side = config.resolution // config.patch
    chosen = covering_positions(config.convolutions, side)
    fields = [receptive_field(position, config.convolutions, side) for position in chosen]
    assert (fields[0][0], fields[-1][1]) == (0, side - 1)
    assert all(second[0] <= first[1] + 1 for first, second in pairwise(fields))
    with torch.device("meta"):
        assert MAAE(config).positions.shape == (config.code_side, config.code_side)
    assert len(chosen) == {"paper": 11, "lite": 4}[name]


def test_the_mask_s_positions_see_every_pixel_of_the_encoder_and_none_less() -> None:
    """By the gradients of the network itself, in both directions of the image and with its blocks of pixels."""
    config = MAAEConfig(32, (3, 4, 5), (4, 3), 6, 1, 1, 5, 3, (4, 4), patch=2)
    model = MAAE(config).double()
    with torch.no_grad():
        for name, parameter in model.encoder.named_parameters():
            parameter.fill_(0.01 if name.endswith("weight") else 1.0)  # all positive: nothing cancels
    pixels = torch.zeros(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    code = model.encode(pixels)
    (gradient,) = torch.autograd.grad((code * model.positions).sum(), pixels, retain_graph=True)
    assert gradient.ne(0).all()
    rows = model.positions.any(1).nonzero().flatten().tolist()
    assert rows == list(covering_positions(config.convolutions, 16))
    for row in rows:
        fewer = model.positions.clone()
        fewer[row] = 0
        (gradient,) = torch.autograd.grad((code * fewer).sum(), pixels, retain_graph=True)
        assert gradient.eq(0).any()


# -- the network --------------------------------------------------------------------------------------------------


@pytest.fixture
def model() -> MAAE:
    return tiny_maae()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 3, 16, 16)


def drawing(model: MAAE, image: Tensor, shifts: Tensor) -> Tensor:
    """``De(En(x) + shift P)``, written plainly."""
    code = model.encoder(F.pixel_unshuffle(image * 2 - 1, model.config.patch))
    code = code + shifts.view(-1, 1, 1, 1) * model.positions
    return torch.tanh(F.pixel_shuffle(model.decoder(code), model.config.patch))


def test_it_is_found_by_name() -> None:
    assert get_method("maae") is MAAE


def test_adjusting_is_the_papers_formula(model: MAAE, image: Tensor) -> None:
    strength = torch.tensor([1.0, -0.5, 0.25])
    shifted, unshifted = (drawing(model, image, shift) for shift in (strength * 5.0, torch.zeros(3)))
    kept = model.adjust(image, strength)
    much = change_mask(to_unit(unshifted), to_unit(shifted), 3.0)
    expected = image + (shifted - unshifted) / 2 + much * (to_unit(unshifted) - image)
    torch.testing.assert_close(render(image, kept).raw, expected.clamp(0, 1))
    torch.testing.assert_close(kept.mask, change_mask(to_unit(unshifted), to_unit(shifted), 10.0))
    object.__setattr__(model.config, "residual", False)
    try:
        redrawn = model.adjust(image, strength)
    finally:
        object.__setattr__(model.config, "residual", True)
    torch.testing.assert_close(render(image, redrawn).raw, to_unit(shifted))
    assert torch.equal(redrawn.mask, kept.mask)


def test_what_training_judges_is_what_users_see(model: MAAE, image: Tensor) -> None:
    strength = torch.tensor([1.0, -1.0, 0.5])
    pixels = to_signed(image)
    code = model.encode(pixels)
    result = model.result(pixels, model.decode(code), model.decode(model.shifted(code, strength)))
    torch.testing.assert_close(to_unit(result), render(image, model.adjust(image, strength)).raw)


def test_shifts_are_by_five_at_the_chosen_positions_only(model: MAAE) -> None:
    code = torch.randn(2, 8, 8, 8)
    change = model.shifted(code, torch.tensor([1.0, -0.5])) - code
    torch.testing.assert_close(change[0], 5 * model.positions.expand(8, 8, 8))
    torch.testing.assert_close(change[1], -2.5 * model.positions.expand(8, 8, 8))
    assert 0 < model.positions.mean() < 0.5


def test_strength_0_draws_nothing(model: MAAE, image: Tensor) -> None:
    layer = model.adjust(image, torch.tensor([0.0, 1.0, 0.0]))
    assert layer.mask[0].max() == layer.mask[2].max() == 0
    assert layer.mask[1].max() > 0
    assert torch.equal(render(image, layer).raw[0], image[0])


def test_verbs_are_ways_to_turn_the_dial(model: MAAE, image: Tensor) -> None:
    code = model.encode_guide(torch.rand(3, 3, 16, 16))
    assert code.shape == (3, *model.code_shape)
    for layer, strength in (
        (model.transfer(image, code), 1.0),
        (model.transfer(image, 0.25 * code), 0.25),
        (model.remove(image), -1.0),
    ):
        expected = model.adjust(image, torch.full((3,), strength))
        assert all(torch.equal(*pair) for pair in zip(render(image, layer), render(image, expected), strict=True))
    assert torch.equal(model.segment(image), model.remove(image).mask)


def test_layers_are_the_papers() -> None:
    with torch.device("meta"):
        model = MAAE("paper")

    def shapes(stack: nn.Module) -> list[tuple[int, ...]]:
        return [
            (*one.weight.shape, one.stride[0])
            for one in stack.modules()
            if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)
        ]

    assert shapes(model.encoder) == [
        (64, 3, 7, 7, 1),
        (128, 64, 3, 3, 2),
        (256, 128, 3, 3, 2),
        (512, 256, 1, 1, 1),
        (512, 512, 1, 1, 1),
        (512, 256, 1, 1, 1),  # the first block's shortcut
        (512, 512, 1, 1, 1),
        (512, 512, 1, 1, 1),
    ]
    assert shapes(model.decoder)[-4:] == [
        (512, 256, 4, 4, 2),
        (256, 128, 4, 4, 2),
        (64, 128, 7, 7, 1),
        (3, 64, 1, 1, 1),
    ]
    assert model.config.shift == 5
    assert not model.config.residual


@pytest.mark.parametrize("residual", [False, True])
def test_the_refined_network_draws_the_same_pictures(residual: bool) -> None:
    torch.manual_seed(0)
    coarse = MAAE(MAAEConfig(16, (4, 6), (4,), 6, 1, 1, 5, 3, (4, 4), patch=2, residual=residual)).eval()
    fine = coarse.refined()
    assert (fine.config.resolution, fine.config.patch) == (32, 4)
    assert torch.equal(fine.positions, coarse.positions)
    image, strength = torch.rand(2, 3, 32, 32), torch.tensor([1.0, -0.5])
    small = F.avg_pool2d(image, 2)
    pixels, large = to_signed(small), to_signed(image)
    for shift in (torch.zeros(2), strength):
        before = coarse.decode(coarse.shifted(coarse.encode(pixels), shift))
        after = fine.decode(fine.shifted(fine.encode(large), shift))
        torch.testing.assert_close(F.interpolate(before, scale_factor=2), after)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stem_kernel": 4}, "stem_kernel must be odd, got 4"),
        ({"decoder_kernel": 2}, "decoder_kernel must be odd, got 2"),
        ({"resolution": 20}, r"resolution must be a multiple of patch \* 2\*\*4 = 16, got 20"),
        ({"resolution": 16, "patch": 3}, "= 48, got 16"),
        ({"widths": ()}, "resolution must be a multiple"),
        ({"decoder_widths": ()}, "decoder_widths needs at least 1 entries"),
        ({"encoder_blocks": 0}, "encoder_blocks must lie between 1 and 64, got 0"),
        ({"decoder_blocks": 10**12}, "decoder_blocks must lie between 1 and 64"),
    ],
)
def test_sizes_that_cannot_work_are_named(changes: dict[str, object], says: str) -> None:
    sizes: dict[str, object] = {"resolution": 32, "widths": (4, 4), "judge_widths": (4, 4, 4, 4)}
    with pytest.raises(ConfigurationError, match=says):
        MAAEConfig(**{**sizes, **changes})


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations_survive_the_file(name: str) -> None:
    assert MAAE.config_from_dict(MAAE.config_to_dict(CONFIGS[name])) == CONFIGS[name]


@pytest.mark.parametrize("field", ["residual", "shift", "widths", "stem_kernel", "encoder_blocks"])
@pytest.mark.parametrize("value", [None, "3", {}, [0], -1])
def test_configurations_from_strangers_are_checked(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"for {field}, got"):
        MAAE.config_from_dict({field: value})
