"""The objective of M-AAE: every term against its formula, the switches, and who learns from what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.maae import MAAE, MAAEConfig
from mbu_ops.methods.mbu import MBU, MBUConfig
from mbu_ops.objectives.maae import LOSS_WEIGHTS, MAAELossWeights, MAAEObjective

from .building import named

CONFIG = MAAEConfig(16, (4, 6), (4,), 6, 1, 1, 3, 3, (4, 6), residual=True)
TERMS = tuple(MAAELossWeights.__dataclass_fields__)
EVERYTHING = MAAELossWeights(**dict.fromkeys(TERMS, 1.0))
UNSAMPLED = replace(EVERYTHING, kl=0.0)
"""Without noise on the codes, so that a formula has one value."""


class Describer(nn.Module):
    """Stands for a face-recognition network."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 16 * 16, 5)
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        assert images.min() >= 0
        self.seen.append(len(images))
        return self.layer(images.flatten(1))


DESCRIBER = Describer()


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    """Four pictures of each domain, with the regions that may change."""
    images = [torch.rand(4, 3, 16, 16) for _ in range(2)]
    return tuple(torch.cat([one, (torch.rand(4, 1, 16, 16) > 0.5).float()], 1) for one in images)  # type: ignore[return-value]


def objective(
    weights: MAAELossWeights | None = UNSAMPLED,
    config: MAAEConfig = CONFIG,
    loss: str = "l1",
    identity: nn.Module | None = DESCRIBER,
) -> MAAEObjective:
    torch.manual_seed(0)
    one = MAAEObjective(MAAE(config), weights, loss, identity)
    one.discriminator.eval()  # each of its training passes brings its spectral norms nearer
    return one


def first_step(one: MAAEObjective, pair: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return next(one.steps(*pair))[1]


def strengths() -> Tensor:
    """Three of four at full strength, the rest at random: up for the first domain, down for the second."""
    torch.manual_seed(1)
    size = torch.rand(2, 4)
    size[:, :3] = 1
    return torch.cat([size[0], -size[1]])


def plainly(one: MAAEObjective, without: Tensor, with_: Tensor) -> dict[str, Tensor]:
    model, judge, batch = one.model, one.discriminator, torch.cat([without, with_])
    images, regions, strength = batch[:, :3] * 2 - 1, batch[:, 3:], strengths()

    def en(pixels: Tensor) -> Tensor:
        return model.encoder(pixels)

    def de(code: Tensor, amount: Tensor) -> Tensor:
        return torch.tanh(model.decoder(code + 5 * amount.view(-1, 1, 1, 1) * model.positions))

    none = torch.zeros(8)
    drawn = de(en(images), strength)
    plain = de(en(images), none)
    much = (3 * F.avg_pool2d((drawn - plain).abs().amax(1, keepdim=True) / 2, 5, 1, 2)).clamp(max=1)
    residual = (images + drawn - plain - much * (images - plain)).clamp(-1, 1)
    result = residual if model.config.residual else drawn
    few = [0, 1, 4, 5]
    apart = DESCRIBER(((result + 1) / 2)[few]) - DESCRIBER(batch[few, :3])
    scores, real = judge(result), judge(images)
    return {
        "reconstruction": (de(en(images), none) - images).abs().mean(),
        "adversarial": -(scores[:3, 1].mean() + scores[4:7, 0].mean()),
        "cycle": (de(en(result), -strength) - images).abs().mean(),
        "background": ((result - images).abs() * (1 - regions)).mean(),
        "identity": apart.square().sum(1).mean(),
        "discriminator": F.relu(1 - real[4:, 1]).mean()
        + F.relu(1 + scores[:3, 1]).mean()
        + 0.5 * F.relu(1 + real[:4, 1]).mean()
        + F.relu(1 - real[:4, 0]).mean()
        + F.relu(1 + scores[4:7, 0]).mean()
        + 0.5 * F.relu(1 + real[4:, 0]).mean(),
        "change": (result - images).abs().mean(),
    }


@pytest.mark.parametrize("residual", [False, True])
def test_every_term_equals_its_formula(pair: tuple[Tensor, Tensor], residual: bool) -> None:
    one = objective(config=replace(CONFIG, residual=residual))
    expected = plainly(one, *pair)
    torch.manual_seed(1)
    (_, terms, measured), (_, judged, _) = one.steps(*pair)
    assert set(terms) == set(TERMS) - {"kl"}
    found = terms | measured | judged
    assert set(found) == set(expected)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_the_divergence_of_codes_of_variance_one(pair: tuple[Tensor, Tensor]) -> None:
    one = objective(EVERYTHING)
    images = torch.cat(pair)[:, :3] * 2 - 1
    code = one.model.encoder(images)
    normal, standard = torch.distributions.Normal(code, 1.0), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(normal, standard).mean()
    torch.testing.assert_close(first_step(one, pair)["kl"], expected)


def test_codes_are_sampled_where_their_divergence_counts(pair: tuple[Tensor, Tensor]) -> None:
    for weights, same in ((EVERYTHING, False), (UNSAMPLED, True)):
        one = objective(weights)
        torch.manual_seed(2)
        values = [next(one.steps(*pair))[1]["reconstruction"] for _ in range(2)]
        assert torch.equal(*values) == same


def test_drawings_there_and_back_come_from_samples_of_one_code(pair: tuple[Tensor, Tensor]) -> None:
    """The shifted and the plain drawing differ by the shift alone: their noise is the same."""
    one = objective(replace(EVERYTHING, kl=1e-9))
    seen: list[Tensor] = []
    one.model.decoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    torch.manual_seed(1)
    next(one.steps(*pair))
    shift = 5 * strengths().view(-1, 1, 1, 1) * one.model.positions
    torch.testing.assert_close(seen[1] - seen[0], shift.expand_as(seen[0]), atol=1e-5, rtol=1e-5)


def test_terms_are_weighted(pair: tuple[Tensor, Tensor]) -> None:
    weights = MAAELossWeights(0.4, 5, 0.7, 0.3, 0.2, 0.1)
    terms, plain = first_step(objective(weights), pair), first_step(objective(EVERYTHING), pair)
    assert set(plain) == set(TERMS)
    for name, value in plain.items():
        torch.testing.assert_close(terms[name], getattr(weights, name) * value)


@pytest.mark.parametrize("name", TERMS)
def test_a_weight_of_zero_switches_its_term_off(pair: tuple[Tensor, Tensor], name: str) -> None:
    one = objective(replace(EVERYTHING, **{name: 0.0}))
    groups = {group: set(terms) for group, terms, _ in one.steps(*pair)}
    assert groups.pop("networks") == set(TERMS) - {name}
    assert groups == ({} if name == "adversarial" else {"discriminator": {"discriminator"}})


def test_without_aids_of_the_family_their_terms_are_missing(pair: tuple[Tensor, Tensor]) -> None:
    images = pair[0][:, :3], pair[1][:, :3]
    assert set(first_step(objective(EVERYTHING), images)) == set(TERMS) - {"background"}
    unknown = objective(EVERYTHING, identity=None)
    assert set(first_step(unknown, pair)) == set(TERMS) - {"identity"}
    assert unknown.weights.identity == 0


def test_regions_are_no_pixels(pair: tuple[Tensor, Tensor]) -> None:
    """Where everything may change the background costs nothing, and nothing else depends on it."""
    one = objective()
    before = first_step(one, pair)
    anywhere = tuple(torch.cat([images[:, :3], torch.ones(4, 1, 16, 16)], 1) for images in pair)
    after = first_step(one, anywhere)
    assert after["background"] == 0 < before["background"]
    assert all(torch.equal(before[name], after[name]) for name in before if name != "background")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_descriptor_looks_at_a_few_of_each_domain_and_learns_nothing(count: int) -> None:
    describer = Describer()
    one = objective(identity=describer)
    assert not describer.training
    term = first_step(one, (torch.rand(count, 3, 16, 16), torch.rand(count, 3, 16, 16)))["identity"]
    assert describer.seen == [2 * min(count, 2)] * 2
    term.backward()
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in describer.parameters())
    assert one.model.decoder[-1].weight.grad.abs().sum() > 0
    assert not [name for name in one.state_dict() if "identity" in name]
    learnt = {id(parameter) for group in one.parameter_groups().values() for parameter in group}
    assert learnt == {id(parameter) for parameter in one.parameters()}


def test_the_networks_step_leaves_the_judge_alone_and_its_the_networks(pair: tuple[Tensor, Tensor]) -> None:
    one = objective(EVERYTHING)
    steps = one.steps(*pair)
    group, terms, _ = next(steps)
    assert group == "networks"
    sum(terms.values()).backward()
    assert all(parameter.grad is None for parameter in one.discriminator.parameters())
    assert all(parameter.grad is not None for parameter in one.model.parameters())
    one.model.zero_grad()
    group, judged, _ = next(steps)
    assert group == "discriminator"
    judged["discriminator"].backward()
    assert all(parameter.grad is None for parameter in one.model.parameters())
    assert all(parameter.grad is not None for parameter in one.discriminator.parameters())
    assert next(steps, None) is None


def test_what_the_judge_says_reaches_encoder_and_decoder(pair: tuple[Tensor, Tensor]) -> None:
    one = objective(MAAELossWeights(**{**dict.fromkeys(TERMS, 0.0), "adversarial": 1.0}))
    first_step(one, pair)["adversarial"].backward()
    for part in (one.model.encoder[0], one.model.decoder[-1]):
        assert part.weight.grad.abs().sum() > 0


def test_the_judge_learns_to_tell_the_domains_apart(pair: tuple[Tensor, Tensor]) -> None:
    one = objective()
    one.discriminator.train()
    without, with_ = (images[:, :3] * scale for images, scale in zip(pair, (0.2, 1.0), strict=True))
    optimiser = torch.optim.Adam(one.parameter_groups()["discriminator"], 2e-2)
    for _ in range(40):
        _, (_, judged, _) = one.steps(without, with_)
        optimiser.zero_grad()
        judged["discriminator"].backward()
        optimiser.step()
    scores = [one.discriminator(images * 2 - 1).mean((0, 2, 3)) for images in (without, with_)]
    assert scores[0][0] > scores[1][0]
    assert scores[1][1] > scores[0][1]


def test_distances(pair: tuple[Tensor, Tensor]) -> None:
    one = objective(loss="l2")
    terms, expected = first_step(one, pair), plainly(one, *pair)
    for name in ("reconstruction", "cycle"):
        assert not torch.allclose(terms[name], expected[name])
    torch.testing.assert_close(terms["background"], expected["background"])
    with pytest.raises(ConfigurationError, match="expected a distance"):
        objective(loss="l3")


def test_published_weights() -> None:
    """0.1 (0.1 KL + 80 L1) + 10 GAN + 20 identity + 80 cycle + 80 background."""
    for recipe in ("glasses", "smile"):
        assert LOSS_WEIGHTS[recipe] == MAAELossWeights(0.01, 8, 10, 20, 80, 80)


def test_built_by_name(pair: tuple[Tensor, Tensor]) -> None:
    describer = Describer()
    one = named(MAAE(CONFIG), "smile", {"cycle": 3.0}, aids={"identity": describer})
    assert isinstance(one, MAAEObjective)
    assert one.weights == replace(MAAELossWeights(), cycle=3.0)
    first_step(one, pair)
    assert describer.seen
    with pytest.raises(ConfigurationError, match="hats"):
        named(MAAE(CONFIG), "hats")
    with pytest.raises(ConfigurationError, match="confusion"):
        named(MAAE(CONFIG), "smile", {"confusion": 1})
    with pytest.raises(ConfigurationError, match="trains the networks of MAAE, got MBU"):
        MAAEObjective.build(MBU(MBUConfig(16, (4, 8, 12), (4, 8), 3)))


def test_other_methods_are_given_no_identity() -> None:
    named(MBU(MBUConfig(16, (4, 8, 12), (4, 8), 3)), "smile", aids={"identity": Describer()})


@pytest.mark.parametrize("residual", [False, True])
def test_low_precision_steps_are_near_the_exact_ones(pair: tuple[Tensor, Tensor], residual: bool) -> None:
    one = objective(config=replace(CONFIG, residual=residual))
    exact = first_step(one, pair)
    with torch.autocast("cpu", torch.bfloat16):
        rough = first_step(one, pair)
    for name, value in rough.items():
        torch.testing.assert_close(value.float(), exact[name], rtol=0.1, atol=0.1, msg=name)
    torch.stack([value.float() for value in rough.values()]).sum().backward()
