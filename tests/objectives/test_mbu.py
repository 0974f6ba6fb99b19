"""The objective of MBU: every term against its formula, the switches, and which domain meets which statistics."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.blend import blend
from mbu_ops.functional.mask import binarise
from mbu_ops.methods.mbu import MBU, Drawing, MBUConfig
from mbu_ops.objectives import mbu as objective_module
from mbu_ops.objectives.mbu import (
    LOSS_WEIGHTS,
    MBULossWeights,
    MBUObjective,
)
from mbu_ops.objectives.terms import DISTANCES, GuideVariation, ImageDiscriminator
from mbu_ops.ops.look import REMOVAL
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer

from .building import named

CONFIG = MBUConfig(16, (4, 8, 12), (4, 8), 3)
TERMS = tuple(MBULossWeights.__dataclass_fields__)
EVERYTHING = MBULossWeights(**dict.fromkeys(TERMS, 1.0))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)


def objective(weights: MBULossWeights | None = EVERYTHING, loss: str = "l1") -> MBUObjective:
    torch.manual_seed(0)
    return MBUObjective(MBU(CONFIG), weights, loss)


def edited(op: type[Remove] | type[Transfer], model: MBU, *images: Tensor) -> tuple[Tensor, Tensor]:
    """What the op itself makes of the images, in [-1, 1], and its mask; the removal's growth is 2 px of 128."""
    settings = {"look": replace(REMOVAL, dilation=1)} if op is Remove else {}
    edit = op(model, **settings).edit(*images)
    return edit.image * 2 - 1, edit.mask


def plainly(one: MBUObjective, without: Tensor, with_: Tensor) -> dict[str, Tensor]:
    """The formulas of the paper, evaluated one by one as published: every image encoded wherever it is named."""
    model, a, b = one.model, without * 2 - 1, with_ * 2 - 1
    ec, es, zero = model.common_code, model.separate_code, torch.zeros(4, *CONFIG.separate_code_shape)

    def blend(layer: Drawing, background: Tensor) -> Tensor:
        return layer.mask * layer.raw + (1 - layer.mask) * background

    moved = blend(model.decode_with(ec(a), es(b)), a)
    logits = [one.discriminator(ec(image)) for image in (a, b)]
    drawn = model.decode_without(ec(a)), blend(model.decode_with(ec(b), es(b)), model.decode_without(ec(b)))
    seen = [
        (one.image_discriminator.features(image), one.image_discriminator.features(real))
        for image, real in zip(drawn, (a, b), strict=True)
    ]
    return {
        "reconstruction_without": F.l1_loss(model.decode_without(ec(a)), a),
        "reconstruction_with": F.l1_loss(blend(model.decode_with(ec(b), es(b)), model.decode_without(ec(b))), b),
        "self_blend_without": F.l1_loss(blend(model.decode_with(ec(a), zero), a), a),
        "self_blend_with": F.l1_loss(blend(model.decode_with(ec(b), es(b)), b), b),
        "cycle_common": F.mse_loss(ec(moved), ec(a)),
        "cycle_separate": F.mse_loss(es(moved), es(b)),
        "confusion": torch.stack([F.binary_cross_entropy(torch.sigmoid(one), torch.zeros(4)) for one in logits]).sum(),
        "mask_area": model.decode_with(ec(b), es(b)).mask.square().mean()
        + model.decode_with(ec(a), es(b)).mask.square().mean(),
        "mask_sparsity": model.decode_with(ec(b), es(b)).mask.mean(),
        "adversarial_without": -one.image_discriminator(edited(Remove, model, with_)[0])[:, 0].mean(),
        "adversarial_with": -one.image_discriminator(edited(Transfer, model, without, with_)[0])[:, 1].mean(),
        "feature_matching": torch.stack(
            [F.l1_loss(x, y) for xs, ys in seen for x, y in zip(xs, ys, strict=True)]
        ).mean(),
    }


def test_every_term_equals_its_formula(pair: tuple[Tensor, Tensor]) -> None:
    one = objective()
    one.image_discriminator.eval()  # each of its training passes brings its spectral norms nearer
    terms, _ = one(*pair)
    expected = plainly(one, *pair)
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)


def test_terms_are_weighted(pair: tuple[Tensor, Tensor]) -> None:
    weights = MBULossWeights(5, 7, 0.7, 0.3, 0.2, 0.1, 0.005, 0.4, 0.5, 0.6, 0.8, 0.9)
    terms, _ = objective(weights)(*pair)
    plain, _ = objective()(*pair)
    for name, value in plain.items():
        torch.testing.assert_close(terms[name], getattr(weights, name) * value)


@pytest.mark.parametrize("name", TERMS)
def test_a_weight_of_zero_switches_its_term_off(pair: tuple[Tensor, Tensor], name: str) -> None:
    terms, _ = objective(MBULossWeights(**{**dict.fromkeys(TERMS, 1.0), name: 0.0}))(*pair)
    assert set(terms) == set(TERMS) - {name}


@pytest.mark.parametrize("loss", DISTANCES)
def test_l2_is_the_papers_ablation_of_reconstructions_and_of_self_blends(
    pair: tuple[Tensor, Tensor], loss: str
) -> None:
    one = objective(loss=loss)
    one.image_discriminator.eval()
    terms, _ = one(*pair)
    expected = plainly(one, *pair)
    for name in ("reconstruction_without", "reconstruction_with", "self_blend_without", "self_blend_with"):
        squared = loss == "l2" or (loss.removeprefix("l2-").replace("-", "_") in name and loss != "l1")
        assert torch.allclose(terms[name], expected[name]) != squared, name
    without = pair[0] * 2 - 1
    drawn = one.model.decode_without(one.model.common_code(without))
    distance = F.mse_loss if loss in ("l2", "l2-reconstruction") else F.l1_loss
    torch.testing.assert_close(terms["reconstruction_without"], distance(drawn, without))


def test_features_are_matched_only_where_a_discriminator_learns() -> None:
    with pytest.raises(ConfigurationError, match="feature_matching needs a discriminator"):
        MBULossWeights(feature_matching=1)
    with pytest.raises(ConfigurationError, match="feature_matching compares reconstructions"):
        MBULossWeights(0, 0, feature_matching=1, adversarial_without=1)


def test_hard_masks_have_the_values_of_the_ops_and_the_gradients_of_soft_ones(
    pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, masks = MBU(CONFIG), []
    monkeypatch.setattr(
        objective_module, "blend", lambda image, raw, mask: (masks.append(mask), blend(image, raw, mask))[1]
    )
    weights = MBULossWeights(**{**dict.fromkeys(TERMS, 0.0), "self_blend_with": 1.0})
    for hard in (True, False):
        MBUObjective(model, weights, hard_masks=hard)(*pair)
    torch.testing.assert_close(masks[0], binarise(masks[1], 0.1, 0.1))
    assert not torch.equal(*masks)
    head = next(parameter for name, parameter in model.named_parameters() if name.startswith("with_decoder"))
    gradients = [torch.autograd.grad(mask.sum(), head, retain_graph=True)[0] for mask in masks]
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients)


def test_hard_masks_leave_everything_but_the_blends_as_it_is(pair: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    one = MBUObjective(MBU(CONFIG), EVERYTHING)
    one.image_discriminator.eval()
    soft, _ = one(*pair)
    one.hard_masks = True
    hard, _ = one(*pair)
    same = {"reconstruction_without", "confusion", "mask_area", "mask_sparsity"} | {
        "adversarial_without",
        "adversarial_with",
    }
    assert {name for name in soft if torch.equal(soft[name], hard[name])} == same


def test_each_domain_goes_through_batch_norm_alone(pair: tuple[Tensor, Tensor]) -> None:
    """Were the domains one batch, the terms of one would move with the pictures of the other."""
    one = objective()
    without, with_ = pair
    before, _ = one(without, with_)
    after, _ = one(without, with_.flip(0) * 0.3)
    assert torch.equal(before["reconstruction_without"], after["reconstruction_without"])
    assert torch.equal(before["self_blend_without"], after["self_blend_without"])
    assert not torch.equal(before["reconstruction_with"], after["reconstruction_with"])


def test_each_picture_is_encoded_once(pair: tuple[Tensor, Tensor]) -> None:
    one = objective()
    calls = []
    one.model.common_encoder.register_forward_hook(lambda *_: calls.append("common"))
    one.model.separate_encoder.register_forward_hook(lambda *_: calls.append("separate"))
    weights = MBULossWeights()
    one.weights = weights
    one(*pair)
    assert calls.count("common") == 2
    assert calls.count("separate") == 2  # the guides, and the transfer that the cycle reads back


def test_the_networks_step_leaves_the_discriminator_alone(pair: tuple[Tensor, Tensor]) -> None:
    one = objective()
    steps = one.steps(*pair)
    group, terms, _ = next(steps)
    sum(terms.values()).backward()
    assert group == "networks"
    assert all(parameter.grad is None for parameter in one.discriminator.parameters())
    assert all(parameter.grad is not None for parameter in one.model.parameters())
    one.model.zero_grad()
    group, terms, _ = next(steps)
    terms["discriminator"].backward()
    assert group == "discriminator"
    assert all(parameter.grad is None for parameter in one.model.parameters())
    assert all(parameter.grad is not None for parameter in one.discriminator.parameters())
    with pytest.raises(StopIteration):
        next(steps)


def test_without_confusion_there_is_no_discriminator_step(pair: tuple[Tensor, Tensor]) -> None:
    groups = [group for group, *_ in objective(MBULossWeights(confusion=0)).steps(*pair)]
    assert groups == ["networks"]


@pytest.mark.parametrize("term", ["adversarial_without", "adversarial_with"])
def test_the_image_discriminator_learns_to_tell_edited_from_real(pair: tuple[Tensor, Tensor], term: str) -> None:
    one = objective(MBULossWeights(confusion=0, **{term: 1.0}))
    optimiser = torch.optim.Adam(one.parameter_groups()["discriminator"], 1e-2)
    losses = []
    for _ in range(30):
        steps = one.steps(*pair)
        next(steps)
        group, terms, _ = next(steps)
        assert (group, list(terms)) == ("discriminator", ["image_discriminator"])
        optimiser.zero_grad()
        terms["image_discriminator"].backward()
        optimiser.step()
        losses.append(terms["image_discriminator"].item())
        assert all(parameter.grad is None for parameter in one.model.parameters())
    assert losses[-1] < losses[0]


def test_the_adversarial_terms_teach_the_networks_and_not_their_judge(pair: tuple[Tensor, Tensor]) -> None:
    one = objective(MBULossWeights(**dict.fromkeys(TERMS[:9], 0.0), adversarial_without=1, adversarial_with=1))
    _, terms, _ = next(iter(one.steps(*pair)))
    sum(terms.values()).backward()
    assert all(parameter.grad is None for parameter in one.image_discriminator.parameters())
    for decoder in (one.model.without_decoder, one.model.with_decoder):
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in decoder.parameters())


def test_the_published_weights_need_no_image_discriminator() -> None:
    assert objective(LOSS_WEIGHTS["glasses"]).image_discriminator is None


@pytest.mark.parametrize(("resolution", "patch"), [(16, 1), (32, 2), (64, 4)])
def test_the_image_discriminator_scores_patches_for_both_domains(resolution: int, patch: int) -> None:
    images = torch.zeros(2, 3, resolution, resolution)
    assert ImageDiscriminator((4, 8, 12), patch)(images).shape == (2, 2, 2, 2)


def test_published_weights() -> None:
    glasses, smile = LOSS_WEIGHTS["glasses"], LOSS_WEIGHTS["smile"]
    assert (glasses.reconstruction_without, glasses.reconstruction_with, glasses.confusion) == (5, 7, 0.005)
    assert (smile.self_blend_with, smile.cycle_separate) == (1, 1e-4)
    assert LOSS_WEIGHTS["hair_men"].cycle_separate == 0.5


@pytest.mark.parametrize(
    ("recipe", "overrides", "word"),
    [("hats", {}, "hats"), ("glasses", {"confuse": 1}, "confuse"), ("smile", {"confusion": -1}, "confusion")],
)
def test_bad_settings_are_named(recipe: str, overrides: dict[str, int], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        named(MBU(CONFIG), recipe, overrides)


def test_guides_are_varied_each_in_its_own_way() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 32, 32).expand(6, -1, -1, -1)
    varied = GuideVariation(1.0)(images)
    assert varied.shape == images.shape
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert all(not torch.allclose(one, other, atol=0.01) for one, other in pairwise(varied))


def test_weaker_variation_changes_guides_less() -> None:
    images = torch.nn.functional.interpolate(torch.rand(8, 3, 4, 4), size=32, mode="bilinear")
    unmirrored = torch.cat([images, images.flip(-1)])

    def change(strength: float) -> Tensor:
        torch.manual_seed(0)
        varied = GuideVariation(strength)(images)
        return (varied.repeat(2, 1, 1, 1) - unmirrored).abs().mean((1, 2, 3)).view(2, -1).amin(0).mean()

    assert change(0.1) < change(0.5) < change(1.5)


def test_only_the_separate_encoder_sees_varied_guides(pair: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    one = MBUObjective(MBU(CONFIG), MBULossWeights(cycle_separate=0), guide_variation=1.0)
    seen: dict[str, list[Tensor]] = {"common": [], "separate": []}
    one.model.common_encoder.register_forward_hook(lambda _, inputs, __: seen["common"].append(inputs[0]))
    one.model.separate_encoder.register_forward_hook(lambda _, inputs, __: seen["separate"].append(inputs[0]))
    one(*pair)
    assert [torch.equal(image, domain * 2 - 1) for image, domain in zip(seen["common"], pair, strict=True)] == [
        True
    ] * 2
    (guide,) = seen["separate"]
    assert not torch.allclose(guide, pair[1] * 2 - 1, atol=0.05)
    assert guide.min() >= -1
    assert guide.max() <= 1


@pytest.mark.parametrize("hard_masks", [False, True])
def test_low_precision_steps_are_near_the_exact_ones(pair: tuple[Tensor, Tensor], hard_masks: bool) -> None:
    torch.manual_seed(0)
    one = MBUObjective(MBU(CONFIG), EVERYTHING, hard_masks=hard_masks)
    one.image_discriminator.eval()  # each of its training passes brings its spectral norms nearer
    exact, _ = one(*pair)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = one(*pair)
    for name, value in rough.items():
        torch.testing.assert_close(value.float(), exact[name], rtol=0.1, atol=0.1, msg=name)
    sum(rough.values()).backward()
