"""The objective of MBU: every term against its formula, the switches, and which domain meets which statistics."""

import pytest
import torch
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.mbu import MBU, MBUConfig
from mbu_ops.objectives import build_objective
from mbu_ops.objectives.mbu import LOSS_WEIGHTS, MBULossWeights, MBUObjective

CONFIG = MBUConfig(16, (4, 8, 12), (4, 8), 3, 1)
EVERYTHING = MBULossWeights(1, 1, 1, 1, 1, 1, 1, 1)


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)


def objective(weights=EVERYTHING, loss="l1"):
    torch.manual_seed(0)
    return MBUObjective(MBU(CONFIG), weights, loss)


def plainly(one, without, with_):
    """The formulas of the paper, evaluated one by one as published: every image encoded wherever it is named."""
    model, a, b = one.model, without * 2 - 1, with_ * 2 - 1
    ec, es, zero = model.common_code, model.separate_code, torch.zeros(4, *CONFIG.separate_code_shape)

    def blend(layer, background):
        return layer.mask * layer.raw + (1 - layer.mask) * background

    moved = blend(model.decode_with(ec(a), es(b)), a)
    logits = [one.discriminator(ec(image)) for image in (a, b)]
    return {
        "reconstruction_without": F.l1_loss(model.decode_without(ec(a)), a),
        "reconstruction_with": F.l1_loss(blend(model.decode_with(ec(b), es(b)), model.decode_without(ec(b))), b),
        "self_blend_without": F.l1_loss(blend(model.decode_with(ec(a), zero), a), a),
        "self_blend_with": F.l1_loss(blend(model.decode_with(ec(b), es(b)), b), b),
        "cycle_common": F.mse_loss(ec(moved), ec(a)),
        "cycle_separate": F.mse_loss(es(moved), es(b)),
        "confusion": sum(F.binary_cross_entropy(torch.sigmoid(one), torch.zeros(4)) for one in logits),
        "mask_area": model.decode_with(ec(b), es(b)).mask.square().mean()
        + model.decode_with(ec(a), es(b)).mask.square().mean(),
    }


def test_every_term_equals_its_formula(pair):
    one = objective()
    terms, _ = one(*pair)
    expected = plainly(one, *pair)
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)


def test_terms_are_weighted(pair):
    weights = MBULossWeights(5, 7, 0.7, 0.3, 0.2, 0.1, 0.005, 0.4)
    terms, _ = objective(weights)(*pair)
    plain, _ = objective()(*pair)
    for name, value in plain.items():
        torch.testing.assert_close(terms[name], getattr(weights, name) * value)


@pytest.mark.parametrize("name", MBULossWeights.__dataclass_fields__)
def test_a_weight_of_zero_switches_its_term_off(pair, name):
    terms, _ = objective(MBULossWeights(**{**dict.fromkeys(MBULossWeights.__dataclass_fields__, 1.0), name: 0.0}))(
        *pair
    )
    assert name not in terms
    assert len(terms) == 7


def test_l2_is_the_papers_ablation(pair):
    one = objective(loss="l2")
    terms, _ = one(*pair)
    without = pair[0] * 2 - 1
    expected = F.mse_loss(one.model.decode_without(one.model.common_code(without)), without)
    torch.testing.assert_close(terms["reconstruction_without"], expected)


def test_each_domain_goes_through_batch_norm_alone(pair):
    """Were the domains one batch, the terms of one would move with the pictures of the other."""
    one = objective()
    without, with_ = pair
    before, _ = one(without, with_)
    after, _ = one(without, with_.flip(0) * 0.3)
    assert torch.equal(before["reconstruction_without"], after["reconstruction_without"])
    assert torch.equal(before["self_blend_without"], after["self_blend_without"])
    assert not torch.equal(before["reconstruction_with"], after["reconstruction_with"])


def test_each_picture_is_encoded_once(pair):
    one = objective()
    calls = []
    one.model.common_encoder.register_forward_hook(lambda *_: calls.append("common"))
    one.model.separate_encoder.register_forward_hook(lambda *_: calls.append("separate"))
    weights = MBULossWeights()
    one.weights = weights
    one(*pair)
    assert calls.count("common") == 2
    assert calls.count("separate") == 2  # the guides, and the transfer that the cycle reads back


def test_the_networks_step_leaves_the_discriminator_alone(pair):
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


def test_without_confusion_there_is_no_discriminator_step(pair):
    groups = [group for group, *_ in objective(MBULossWeights(confusion=0)).steps(*pair)]
    assert groups == ["networks"]


def test_published_weights():
    glasses, smile = LOSS_WEIGHTS["glasses"], LOSS_WEIGHTS["smile"]
    assert (glasses.reconstruction_without, glasses.reconstruction_with, glasses.confusion) == (5, 7, 0.005)
    assert (smile.self_blend_with, smile.cycle_separate) == (1, 1e-4)
    assert LOSS_WEIGHTS["hair_men"].cycle_separate == 0.5


@pytest.mark.parametrize(
    ("recipe", "overrides", "word"),
    [("hats", {}, "hats"), ("glasses", {"confuse": 1}, "confuse"), ("smile", {"confusion": -1}, "confusion")],
)
def test_bad_settings_are_named(recipe, overrides, word):
    with pytest.raises(ConfigurationError, match=word):
        build_objective(MBU(CONFIG), "mbu", recipe, overrides)


def test_a_method_without_an_objective_is_named():
    with pytest.raises(ConfigurationError, match="press"):
        build_objective(MBU(CONFIG), "press", "glasses")
