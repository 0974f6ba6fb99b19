"""The objective of native networks: every term against its meaning, the switches, and who learns from what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mbu_ops.data.composites import Pairs
from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.native import Native, NativeConfig, Planes
from mbu_ops.objectives.native import LOSS_WEIGHTS, NativeLossWeights, NativeObjective, unruly
from mbu_ops.testing import tiny_maae

from .building import named

CONFIG = NativeConfig(resolution=32, height=16, channels=8, patch=2, flow=True)
TERMS = tuple(NativeLossWeights.__dataclass_fields__)
EVERYTHING = NativeLossWeights(**dict.fromkeys(TERMS, 1.0))
OF_THE_NETWORKS = set(TERMS) - {"gradient_penalty"}
Batch = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    wanted, masks = torch.rand(4, 3, 16, 32), torch.zeros(4, 1, 16, 32)
    masks[..., 5:11, 10:22] = 1
    shown = torch.where(masks > 0, 1.0, wanted)
    with_ = torch.cat([torch.where(masks > 0, 1.0, torch.rand(4, 3, 16, 32)), masks], 1)
    return torch.cat([shown, wanted, masks], 1), with_, torch.rand(4, 3, 16, 32)


def objective(weights: NativeLossWeights | None = EVERYTHING, loss: str = "l1") -> NativeObjective:
    torch.manual_seed(0)
    model = Native(CONFIG)
    assert model.arrows is not None
    torch.nn.init.normal_(model.arrows.weight, std=0.3)
    return NativeObjective(model, weights, loss)


def steps(one: NativeObjective, batch: Batch, done: int = 10_000) -> dict[str, dict[str, Tensor]]:
    """Return the terms of each group, of a step after so many others."""
    one.steps_done.fill_(done)
    torch.manual_seed(1)
    return {group: terms for group, terms, _ in one.steps(*batch)}


def drawing(one: NativeObjective, batch: Batch, right: bool) -> None:
    """Make the networks paint what pairs want, and find the content; or white, everywhere."""
    pairs, with_, _ = batch
    wanted = torch.cat([Pairs.of(pairs).wanted, with_[:, :3], torch.zeros(4, 3, 16, 32)])
    where = torch.cat([Pairs.of(pairs).masks, with_[:, 3:], torch.zeros(4, 1, 16, 32)])
    white = Planes(torch.ones_like(wanted), torch.ones_like(where), torch.ones_like(where))
    drawn = Planes(wanted, where, where) if right else white
    one.model.planes = lambda _images: drawn


def test_all_terms_are_there_in_their_order(batch: Batch) -> None:
    one = objective()
    one.steps_done.fill_(16)
    groups = [group for group, _, _ in one.steps(*batch)]
    assert groups == ["classifier", "discriminator", "networks"]
    assert set(steps(one, batch)["networks"]) == OF_THE_NETWORKS
    assert set(steps(one, batch, 16)["discriminator"]) == {"discriminator", "gradient_penalty"}
    assert set(steps(one, batch, 17)["discriminator"]) == {"discriminator"}


@pytest.mark.parametrize("name", TERMS)
def test_each_term_can_be_switched_off(batch: Batch, name: str) -> None:
    terms = steps(objective(replace(EVERYTHING, **{name: 0.0})), batch, 1600)
    assert name not in {term for some in terms.values() for term in some}
    assert ("classifier" in terms) == (name != "classifier")


def test_without_what_needs_them_nothing_else_learns(batch: Batch) -> None:
    weights = replace(EVERYTHING, adversarial=0.0, unpaired=0.0, feature_matching=0.0, classifier=0.0)
    assert set(steps(objective(weights), batch)) == {"networks"}


@pytest.mark.parametrize("name", sorted(OF_THE_NETWORKS))
def test_weights_multiply(batch: Batch, name: str) -> None:
    single, triple = (
        steps(objective(replace(EVERYTHING, **{name: factor})), batch)["networks"] for factor in (1.0, 3.0)
    )
    torch.testing.assert_close(triple[name], 3 * single[name])


def test_what_is_right_costs_nothing(batch: Batch) -> None:
    one = objective()
    drawing(one, batch, right=True)
    terms = steps(one, batch)["networks"]
    costing = ("reconstruction", "drawn", "bands", "feature_matching", "keep", "same", "empty", "area")
    for name in costing:
        assert float(terms[name]) == pytest.approx(0, abs=1e-5), name
    drawing(one, batch, right=False)
    wrong = steps(one, batch)["networks"]
    for name in (*costing, "mask", "gate"):
        assert float(wrong[name]) > float(terms[name]) + 1e-3, name


def test_colours_must_be_right_however_little_of_them_shows(batch: Batch) -> None:
    """Else they learn to make up for what shines through."""
    one = objective()
    drawing(one, batch, right=False)
    planes = one.model.planes(batch[1])
    one.model.planes = lambda _images: planes._replace(redrawn=0 * planes.redrawn)
    pairs = Pairs.of(batch[0])
    wanted = ((2 - 2 * pairs.wanted) * (4 * pairs.masks - 2).clamp(0, 1)).mean()
    torch.testing.assert_close(steps(one, batch)["networks"]["drawn"], wanted * one.weights.drawn)


def test_photos_without_the_content_should_stay_bit_for_bit(batch: Batch) -> None:
    """A mask on them costs, whatever it shows."""
    one = objective()
    drawing(one, batch, right=False)
    terms = steps(one, batch)["networks"]
    torch.testing.assert_close(terms["same"], (2 - 2 * batch[2]).mean())
    assert float(terms["empty"]) == 1


def test_l2_is_the_square(batch: Batch) -> None:
    one, two = objective(), objective(loss="l2")
    for some in (one, two):
        drawing(some, batch, right=False)
    pairs = Pairs.of(batch[0])
    apart = (2 - 2 * pairs.wanted) * (1 + 4 * pairs.masks) ** 0.5
    torch.testing.assert_close(steps(two, batch)["networks"]["reconstruction"], apart.square().mean())
    apart = (2 - 2 * pairs.wanted) * (1 + 4 * pairs.masks)
    torch.testing.assert_close(steps(one, batch)["networks"]["reconstruction"], apart.mean())


def test_networks_that_judge_count_more_and_more(batch: Batch) -> None:
    one = objective()
    early, half, late = (steps(one, batch, done)["networks"] for done in (0, 200, 400))
    assert float(early["adversarial"].detach()) == 0
    for name in ("adversarial", "unpaired"):
        torch.testing.assert_close(2 * half[name], late[name])
    torch.testing.assert_close(2 * half["classifier"], late["classifier"])


@pytest.mark.parametrize("name", ["adversarial", "unpaired"])
def test_pairs_and_photos_are_judged_apart(batch: Batch, name: str) -> None:
    """A term of one of them gives the other's pictures no gradient."""
    one = objective(replace(NativeLossWeights(**dict.fromkeys(TERMS, 0.0)), **{name: 1.0}))
    one.steps_done.fill_(10_000)
    shown, photos = (part.clone().requires_grad_() for part in batch[:2])
    (*_, (group, terms, _)) = one.steps(shown, photos, batch[2])
    assert (group, list(terms)) == ("networks", [name])
    terms[name].backward()
    for part, judged in ((shown, "adversarial"), (photos, "unpaired")):
        assert (part.grad is not None and bool(part.grad.any())) == (judged == name)


def test_flows_that_are_rough_long_or_fold_cost() -> None:
    still = torch.zeros(1, 2, 4, 8)
    assert float(unruly(still)) == 0
    shift, shear, fold = still.clone(), still.clone(), still.clone()
    shift[:, 0] = 1 / 8  # by one cell
    shear[:, 0] = torch.arange(4).view(-1, 1) / 32  # a quarter of a cell more in every row
    fold[:, 0] = -2 * torch.arange(8) / 8  # mirrors the photo
    assert float(unruly(shift)) == pytest.approx(0.01)
    assert float(unruly(shear)) == pytest.approx(0.1 / 16 + 0.01 * (0 + 1 + 4 + 9) / 16 / 4)
    assert float(unruly(fold)) > 0.1 * 4 + 1.2  # an area of -1, where 0.2 is the least


def test_networks_that_move_nothing_have_no_term_for_it(batch: Batch) -> None:
    still = NativeObjective(Native(replace(CONFIG, flow=False)), EVERYTHING)
    assert set(steps(still, batch)["networks"]) == OF_THE_NETWORKS - {"flow"}


def test_every_step_is_counted(batch: Batch) -> None:
    one = objective()
    for _ in range(3):
        list(one.steps(*batch))
    assert int(one.steps_done) == 3
    assert int(one.state_dict()["steps_done"]) == 3  # so that a resumed run goes on where it was


def test_each_group_learns_from_its_own_terms(batch: Batch) -> None:
    one = objective()
    groups = one.parameter_groups()
    assert sum(map(len, groups.values())) == len(list(one.parameters()))
    for group, terms, _ in one.steps(*batch):
        one.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        for name, parameters in groups.items():
            moved = any(p.grad is not None and bool((p.grad != 0).any()) for p in parameters)
            assert moved == (name == group), (group, name)


def test_it_is_built_by_names() -> None:
    built = named(Native(CONFIG), "quick", {"gate": 0.5})
    assert isinstance(built, NativeObjective)
    assert built.weights == replace(LOSS_WEIGHTS["quick"], gate=0.5)
    assert built.guides(built.model) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"recipe": "smile"}, "expected a recipe .quick., got 'smile'"),
        ({"overrides": {"warp": 1.0}}, "expected a loss term .*, got 'warp'"),
        ({"distance": "l3"}, "expected distance to be one of l1, l2"),
    ],
)
def test_what_it_does_not_know_is_named(wrong: dict[str, object], says: str) -> None:
    options: dict[str, object] = {"recipe": "quick"} | wrong
    with pytest.raises(ConfigurationError, match=says):
        named(Native(CONFIG), **options)


def test_it_trains_native_networks_only() -> None:
    with pytest.raises(ConfigurationError, match="trains the networks of Native, got MAAE"):
        NativeObjective.build(tiny_maae())


def test_a_sheet_has_eight_rows(batch: Batch) -> None:
    pairs, _, without = batch
    assert objective().sheet(Native(CONFIG).eval(), without, pairs[:, :3]).shape == (3, 8 * 16, 4 * 32)
