"""The objective of Press et al., term by term, and a short training that must make progress."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.mbu import MBU
from mbu_ops.methods.networks import MBUConfig, to_signed
from mbu_ops.methods.press import Press
from mbu_ops.objectives.press import PressLossWeights, PressObjective

from .building import named

CONFIG = MBUConfig(resolution=16, common_widths=(8, 16), separate_widths=(6,), separate_channels=4)


@pytest.fixture
def model() -> Press:
    torch.manual_seed(0)
    return Press(CONFIG)


@pytest.fixture
def batches() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(4, 3, 16, 16, generator=generator), torch.rand(4, 3, 16, 16, generator=generator)


def test_terms_are_the_papers(model: Press, batches: tuple[Tensor, Tensor]) -> None:
    without, with_ = batches
    weights = PressLossWeights(2.0, 3.0, 0.5)
    objective = PressObjective(model, weights)
    steps = objective.steps(without, with_)
    group, terms, _ = next(steps)
    assert group == "networks"
    a, b = to_signed(without), to_signed(with_)
    common_a, common_b = model.common_code(a), model.common_code(b)
    expected = {
        "reconstruction_without": 2 * F.l1_loss(model.decode(common_a, model.zero_code(common_a)), a),
        "reconstruction_with": 3 * F.l1_loss(model.decode(common_b, model.separate_code(b)), b),
        "confusion": 0.5
        * sum(F.softplus(objective.discriminator(common)).mean() for common in (common_a, common_b))
        * 1.0,
    }
    assert set(terms) == set(expected)
    for name, value in expected.items():
        assert torch.allclose(terms[name], value, rtol=1e-4), name
    sum(terms.values()).backward()
    assert all(one.grad is None for one in objective.discriminator.parameters())
    assert all(one.grad is not None for one in model.parameters())
    group, losses, _ = next(steps)
    assert group == "discriminator"
    model.zero_grad()
    losses["discriminator"].backward()
    assert all(one.grad is None or not one.grad.any() for one in model.parameters())
    assert all(one.grad is not None for one in objective.discriminator.parameters())
    assert next(steps, None) is None


@pytest.mark.parametrize(
    ("term", "kept"),
    [
        (name, {"reconstruction_without", "reconstruction_with", "confusion"} - {name})
        for name in ("reconstruction_without", "reconstruction_with", "confusion")
    ],
)
def test_a_weight_of_zero_switches_a_term_off(
    model: Press, batches: tuple[Tensor, Tensor], term: str, kept: set[str]
) -> None:
    objective = named(model, "quick", {term: 0.0})
    steps = list(objective.steps(*batches))
    assert set(steps[0][1]) == kept
    assert len(steps) == (1 if term == "confusion" else 2)


@pytest.mark.parametrize("recipe", ["glasses", "smile", "hair_women", "hair_men"])
def test_every_experiment_has_the_published_weights(model: Press, recipe: str) -> None:
    assert named(model, recipe).weights == PressLossWeights(1.0, 1.0, 0.001)


def test_another_network_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="trains the networks of Press, got MBU"):
        PressObjective.build(MBU(CONFIG))
    with pytest.raises(ConfigurationError, match="confuse"):
        named(Press(CONFIG), "glasses", {"confuse": 1})


def test_training_draws_the_images_better(model: Press, batches: tuple[Tensor, Tensor]) -> None:
    smooth = [torch.nn.functional.interpolate(batch[:, :, :2, :2], (16, 16), mode="bilinear") for batch in batches]
    objective = named(model, "quick")
    groups = objective.parameter_groups()
    optimisers = {name: torch.optim.Adam(group, 2e-3) for name, group in groups.items()}
    history = []
    for _ in range(60):
        for group, losses, _ in objective.steps(*smooth):
            loss = sum(losses.values())
            optimisers[group].zero_grad()
            loss.backward()
            optimisers[group].step()
            if group == "networks":
                history.append(losses["reconstruction_without"].item())
    assert history[-1] < 0.6 * history[0]


def test_a_distance_of_self_blends_is_for_methods_that_have_them() -> None:
    with pytest.raises(ConfigurationError, match="press has no self-blends"):
        PressObjective(Press(CONFIG), loss="l2-self-blend")
