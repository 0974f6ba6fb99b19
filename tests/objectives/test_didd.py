"""The objective of DIDD: every term against its formula, the switches, and who learns from what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.render import render
from mbu_ops.methods.didd import DIDD, Codes, DIDDConfig
from mbu_ops.methods.mbu import MBU, MBUConfig
from mbu_ops.objectives.didd import LOSS_WEIGHTS, PRESENT, DIDDLossWeights, DIDDObjective

from .building import named

CONFIG = DIDDConfig(16, (4, 8, 12), (4, 8), 3, spectral_norm=False, norm_channels=2)
TERMS = tuple(name for name in DIDDLossWeights.__dataclass_fields__ if name != "neither")
EVERYTHING = DIDDLossWeights(**dict.fromkeys(TERMS, 1.0))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    return torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)


def objective(
    weights: DIDDLossWeights | None = EVERYTHING, loss: str = "l1", config: DIDDConfig = CONFIG
) -> DIDDObjective:
    torch.manual_seed(0)
    one = DIDDObjective(DIDD(config), weights, loss)
    if one.image_discriminator is not None:
        one.image_discriminator.eval()  # each of its training passes brings its spectral norms nearer
    return one


def plainly(one: DIDDObjective, without: Tensor, with_: Tensor) -> dict[str, Tensor]:
    """The formulas of the paper one by one; images of the first domain show the first content: ``with``."""
    model, first, second = one.model, with_ * 2 - 1, without * 2 - 1
    ec, (e1, e2) = model.common_encoder, model.separate_encoders
    zero = torch.zeros(4, *CONFIG.separate_code_shape)

    def g(common: Tensor, one: Tensor, two: Tensor) -> Tensor:
        return torch.tanh(model.decoder(torch.cat([common, one, two], 1)))

    to_first, to_second = g(ec(second), e1(first), zero), g(ec(first), zero, e2(second))
    logits = [one.discriminator(ec(image)) for image in (first, second)]
    terms = {
        "reconstruction": F.l1_loss(g(ec(first), e1(first), zero), first)
        + F.l1_loss(g(ec(second), zero, e2(second)), second),
        "zero": e2(first).abs().mean() + e1(second).abs().mean(),
        "presence": sum(
            F.relu(1 - (code.square().mean((1, 2, 3)) + 1e-6).sqrt() / PRESENT).mean()
            for code in (e1(first), e2(second))
        ),
        "confusion": sum(F.binary_cross_entropy(torch.sigmoid(one), torch.zeros(4)) for one in logits),
        "cycle": F.mse_loss(ec(to_first), ec(second))
        + F.mse_loss(e1(to_first), e1(first))
        + F.mse_loss(ec(to_second), ec(first))
        + F.mse_loss(e2(to_second), e2(second)),
        "change": F.l1_loss(to_first, g(ec(second), zero, e2(second)))
        + F.l1_loss(to_second, g(ec(first), e1(first), zero)),
    }
    discriminator = one.image_discriminator
    if discriminator is not None:
        terms["adversarial"] = -discriminator(to_first)[:, 0].mean() - discriminator(to_second)[:, 1].mean()
        terms["image_discriminator"] = (
            F.relu(1 - discriminator(first)[:, 0]).mean()
            + F.relu(1 + discriminator(to_first)[:, 0]).mean()
            + F.relu(1 - discriminator(second)[:, 1]).mean()
            + F.relu(1 + discriminator(to_second)[:, 1]).mean()
            + 0.5 * F.relu(1 + discriminator(second)[:, 0]).mean()
            + 0.5 * F.relu(1 + discriminator(first)[:, 1]).mean()
        )
    one_hot = [torch.ones(4), torch.zeros(4)]
    terms["discriminator"] = sum(
        F.binary_cross_entropy(torch.sigmoid(logit), wanted) for logit, wanted in zip(logits, one_hot, strict=True)
    )
    return terms


def test_every_term_equals_its_formula(pair: tuple[Tensor, Tensor]) -> None:
    one = objective()
    expected = plainly(one, *pair)
    (_, terms, _), (_, judged, _) = one.steps(*pair)
    assert set(terms) == set(TERMS)
    assert set(judged) == {"discriminator", "image_discriminator"}
    for name, value in (terms | judged).items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_the_discriminator_tells_the_domains_apart(pair: tuple[Tensor, Tensor]) -> None:
    """The first domain is its 1, and confusion pulls both to 0."""
    one = objective(DIDDLossWeights())
    optimiser = torch.optim.Adam(one.parameter_groups()["discriminator"], 1e-3)
    losses = []
    for _ in range(60):
        (_, _, _), (group, judged, _) = one.steps(*pair)
        assert group == "discriminator"
        optimiser.zero_grad()
        judged["discriminator"].backward()
        optimiser.step()
        losses.append(judged["discriminator"].item())
    assert losses[-1] < 0.5 * losses[0]
    commons = [one.model.common_code(images * 2 - 1) for images in pair]
    assert [one.discriminator(codes).sign().unique().tolist() for codes in commons] == [[-1], [1]]


def test_terms_are_weighted(pair: tuple[Tensor, Tensor]) -> None:
    weights = DIDDLossWeights(5, 0.7, 0.3, 0.2, 0.1, 0.6, 0.4)
    terms = next(objective(weights).steps(*pair))[1]
    plain = next(objective().steps(*pair))[1]
    for name, value in plain.items():
        torch.testing.assert_close(terms[name], getattr(weights, name) * value)


@pytest.mark.parametrize("name", TERMS)
def test_a_weight_of_zero_switches_its_term_off(pair: tuple[Tensor, Tensor], name: str) -> None:
    one = objective(replace(EVERYTHING, **{name: 0.0}))
    (_, terms, _), (_, judged, _) = one.steps(*pair)
    assert set(terms) == set(TERMS) - {name}
    gone = {"confusion": "discriminator", "adversarial": "image_discriminator"}.get(name)
    assert set(judged) == {"discriminator", "image_discriminator"} - {gone}


def test_without_judges_there_is_one_step(pair: tuple[Tensor, Tensor]) -> None:
    steps = list(objective(DIDDLossWeights(confusion=0)).steps(*pair))
    assert [group for group, *_ in steps] == ["networks"]
    assert set(steps[0][1]) == {"reconstruction", "zero"}


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_distances(pair: tuple[Tensor, Tensor], loss: str) -> None:
    one = objective(loss=loss)
    value = next(one.steps(*pair))[1]["reconstruction"]
    assert torch.allclose(value, plainly(one, *pair)["reconstruction"]) == (loss == "l1")


def test_an_unknown_distance_and_one_of_self_blends_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="didd has no self-blends"):
        objective(loss="l2-self-blend")
    with pytest.raises(ConfigurationError, match="expected a distance"):
        objective(loss="l3")


def test_one_encoding_has_no_zero_loss(pair: tuple[Tensor, Tensor]) -> None:
    one = objective(config=replace(CONFIG, one_encoding=True))
    assert set(next(one.steps(*pair))[1]) == set(TERMS) - {"zero"}
    assert one.weights == replace(EVERYTHING, zero=0.0)


def test_the_networks_step_leaves_the_discriminators_alone_and_theirs_the_networks(
    pair: tuple[Tensor, Tensor],
) -> None:
    one = objective()
    groups = one.parameter_groups()
    assert {id(p) for group in groups.values() for p in group} == {id(p) for p in one.parameters()}
    assert not {id(p) for p in groups["networks"]} & {id(p) for p in groups["discriminator"]}
    steps = one.steps(*pair)
    group, terms, _ = next(steps)
    assert group == "networks"
    sum(terms.values()).backward()
    assert all(parameter.grad is None for parameter in groups["discriminator"])
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in one.model.decoder[-1].parameters())
    assert all(parameter.grad is not None for parameter in groups["networks"])
    one.model.zero_grad()
    group, judged, _ = next(steps)
    assert group == "discriminator"
    sum(judged.values()).backward()
    assert all(parameter.grad is None for parameter in groups["networks"])
    assert all(parameter.grad is not None for parameter in groups["discriminator"])
    assert next(steps, None) is None


@pytest.mark.parametrize("term", ["confusion", "adversarial"])
def test_what_the_judges_say_reaches_the_networks(pair: tuple[Tensor, Tensor], term: str) -> None:
    one = objective(DIDDLossWeights(**{**dict.fromkeys(TERMS, 0.0), term: 1.0}))
    next(one.steps(*pair))[1][term].backward()
    assert one.model.common_encoder[0].weight.grad.abs().sum() > 0
    drawn = one.model.decoder[0].weight.grad
    assert (drawn is not None and drawn.any()) == (term == "adversarial")


def test_the_separate_encoders_see_half_of_every_domain_varied(pair: tuple[Tensor, Tensor]) -> None:
    """Alike for images with a content and without it: else traces of the variation tell them apart, and win."""
    torch.manual_seed(0)
    one = DIDDObjective(DIDD(CONFIG), replace(EVERYTHING, cycle=0.0, neither=1.0), guide_variation=1.0)
    common, separate = [], []
    one.model.common_encoder.register_forward_hook(lambda _, inputs, __: common.append(inputs[0]))
    for encoder in one.model.separate_encoders:
        encoder.register_forward_hook(lambda _, inputs, __: separate.append(inputs[0]))
    neither = torch.rand(4, 3, 16, 16)
    next(one.steps(*pair, neither))
    without, with_, third = (images * 2 - 1 for images in (*pair, neither))
    assert [torch.equal(*two) for two in zip(common, (with_, without, third), strict=True)] == [True, True, True]
    # each encoder: its own domain, the other one, and the images that show neither
    assert len(separate) == 6
    for seen in separate:
        (plain,) = (images for images in (with_, without, third) if torch.equal(images[1::2], seen[1::2]))
        assert not any(torch.allclose(*two, atol=0.05) for two in zip(plain[::2], seen[::2], strict=True))


def test_published_weights_and_quick_ones() -> None:
    for recipe in ("glasses", "smile"):
        assert LOSS_WEIGHTS[recipe] == DIDDLossWeights(1, 1, 0.001, 0, 0)
    assert named(DIDD(CONFIG), "smile").image_discriminator is None
    assert named(DIDD(CONFIG), "quick").image_discriminator is not None


@pytest.mark.parametrize(
    ("recipe", "overrides", "word"),
    [("hats", {}, "hats"), ("glasses", {"mask_area": 1}, "mask_area"), ("smile", {"zero": -1}, "zero")],
)
def test_bad_settings_are_named(recipe: str, overrides: dict[str, float], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        named(DIDD(CONFIG), recipe, overrides)


def test_other_networks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="DIDDObjective trains the networks of DIDD, got MBU"):
        DIDDObjective.build(MBU(MBUConfig(16, (4, 8, 12), (4, 8), 3)))


def test_training_draws_the_images_better_and_empties_the_codes(pair: tuple[Tensor, Tensor]) -> None:
    batches = [F.interpolate(batch[:, :, :2, :2], (16, 16), mode="bilinear") for batch in pair]
    one = objective(replace(LOSS_WEIGHTS["quick"], zero=2.0, adversarial=0.1))
    optimisers = {name: torch.optim.Adam(group, 2e-3) for name, group in one.parameter_groups().items()}
    history = []
    for _ in range(40):
        for group, losses, _ in one.steps(*batches):
            optimisers[group].zero_grad()
            sum(losses.values()).backward()
            optimisers[group].step()
            if group == "networks":
                history.append((losses["reconstruction"].item(), losses["zero"].item()))
    assert history[-1][0] < 0.8 * history[0][0]
    assert history[-1][1] < 0.5 * history[0][1]


def test_images_that_show_neither_bring_their_own_share_of_every_term(pair: tuple[Tensor, Tensor]) -> None:
    """Each term is that of the two domains, and a share of the same formula for the third."""
    share, neither = 0.3, torch.rand(4, 3, 16, 16)
    one = objective(replace(EVERYTHING, neither=share))
    (_, alone, _), (_, judged_alone, _) = one.steps(*pair)
    (_, terms, _), (_, judged, _) = one.steps(*pair, neither)
    model, third = one.model, neither * 2 - 1
    ec, (e1, e2), zero = model.common_encoder, model.separate_encoders, torch.zeros(4, *CONFIG.separate_code_shape)
    second, first = (images * 2 - 1 for images in pair)

    def g(common: Tensor) -> Tensor:
        return torch.tanh(model.decoder(torch.cat([common, zero, zero], 1)))

    shown = torch.cat([ec(first), ec(second)])[::2]
    logits = [one.neither_discriminator(codes) for codes in (shown, ec(third))]
    towards = [F.binary_cross_entropy(torch.sigmoid(logit), torch.zeros(4)) for logit in logits]
    discriminator = one.image_discriminator
    assert discriminator is not None
    stripped = g(shown)
    both = [model.decode(Codes(ec(first), e1(first), zero)), model.decode(Codes(ec(second), zero, e2(second)))]
    drawn = torch.cat(both)[::2]
    more = {
        "reconstruction": F.l1_loss(g(ec(third)), third),
        "zero": e1(third).abs().mean() + e2(third).abs().mean(),
        "confusion": sum(towards),
        "adversarial": -discriminator(stripped)[:, 2].mean(),
        "cycle": torch.tensor(0.0),
        "presence": torch.tensor(0.0),
        "change": F.l1_loss(stripped, drawn),
    }
    for name, value in more.items():
        torch.testing.assert_close(terms[name], alone[name] + share * value, msg=name)
    assert set(judged) == {"discriminator", "neither_discriminator", "image_discriminator"}
    torch.testing.assert_close(judged["discriminator"], judged_alone["discriminator"])
    wanted = F.binary_cross_entropy(torch.sigmoid(logits[0]), torch.ones(4)) + towards[1]
    torch.testing.assert_close(judged["neither_discriminator"], wanted)
    scores = {
        "first": discriminator(first),
        "second": discriminator(second),
        "third": discriminator(third),
        "stripped": discriminator(stripped),
    }
    hinge = F.relu(1 - scores["third"][:, 2]).mean() + F.relu(1 + scores["stripped"][:, 2]).mean()
    hinge = hinge + 0.5 * F.relu(1 + torch.cat([scores["first"], scores["second"]])[:, 2]).mean()
    # a third kind of false images for the other two channels
    for channel, other in ((0, "second"), (1, "first")):
        false = torch.cat([scores[other], scores["third"]])[:, channel]
        hinge = hinge + 0.5 * (F.relu(1 + false).mean() - F.relu(1 + scores[other][:, channel]).mean())
    torch.testing.assert_close(judged["image_discriminator"], judged_alone["image_discriminator"] + hinge)


def test_without_images_that_show_neither_their_share_is_left_out(pair: tuple[Tensor, Tensor]) -> None:
    one = objective(replace(EVERYTHING, neither=1.0))
    assert set(dict(next(one.steps(*pair))[1])) == set(TERMS)


def test_residual_results_are_judged_as_users_see_them(pair: tuple[Tensor, Tensor]) -> None:
    seen: list[Tensor] = []
    one = objective(config=replace(CONFIG, residual=True))
    assert one.image_discriminator is not None
    one.image_discriminator.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    next(one.steps(*pair))
    codes = [one.model.encode(images) for images in pair]
    expected = one.model.compared(
        codes[0]._replace(first=codes[0].first * 0),
        codes[0]._replace(first=codes[1].first, second=codes[0].second * 0),
    )
    torch.testing.assert_close(seen[0], render(pair[0], expected).raw * 2 - 1)


@pytest.mark.parametrize("residual", [False, True])
def test_low_precision_steps_are_near_the_exact_ones(pair: tuple[Tensor, Tensor], residual: bool) -> None:
    one = objective(config=replace(CONFIG, residual=residual))
    _, exact, _ = next(one.steps(*pair))
    with torch.autocast("cpu", torch.bfloat16):
        _, rough, _ = next(one.steps(*pair))
    for name, value in rough.items():
        torch.testing.assert_close(value.float(), exact[name], rtol=0.1, atol=0.1, msg=name)
    torch.stack([value.float() for value in rough.values()]).sum().backward()
