"""The objective of guided native networks: what adds learns from other views of one content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.native import NativeConfig, Planes
from mbu_ops.methods.native_guided import GuidedPlanes, NativeGuided
from mbu_ops.objectives.native_guided import LOSS_WEIGHTS, NativeGuidedLossWeights, NativeGuidedObjective, thin
from mbu_ops.testing import tiny_native

from .building import named

CONFIG = NativeConfig(resolution=32, height=16, channels=8, patch=2)
OF_THE_ADDER = {
    f"adder {name}"
    for name in (
        "reconstruction",
        "bands",
        "adversarial",
        "unpaired",
        "feature_matching",
        "keep",
        "mask",
        "flow",
        "light",
    )
}
Batch = tuple[Tensor, ...]


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    mask = torch.zeros(4, 1, 16, 32)
    mask[..., 5:11, 10:22] = 1
    photos, views = torch.rand(3, 4, 3, 16, 32), torch.rand(4, 4, 16, 32)
    shown = torch.where(mask > 0, 1.0, photos[0])
    return torch.cat([shown, photos[0], mask], 1), torch.cat([photos[1], mask], 1), photos[2], views


def objective(**weights: float) -> NativeGuidedObjective:
    torch.manual_seed(0)
    return NativeGuidedObjective(NativeGuided(CONFIG), replace(NativeGuidedLossWeights(), **weights))


def of_the_adder(one: NativeGuidedObjective, batch: Batch) -> dict[str, Tensor]:
    one.adder.steps_done.fill_(10_000)
    torch.manual_seed(1)
    return {
        name: value for group, terms, _ in one.steps(*batch) if group == "networks" for name, value in terms.items()
    }


def drawing(colour: Tensor, mask: Tensor) -> Callable[[Tensor, Tensor], GuidedPlanes]:
    """A network that shows those colours under that mask, whatever the guide."""
    none, still, light = torch.zeros_like(mask), torch.zeros(12, 2, 2, 4), torch.ones(12, 3, 2, 4)

    class Shown(GuidedPlanes):
        def float(self) -> Shown:
            return self

        def shown(self, image: Tensor, guide: Tensor) -> Tensor:
            return torch.lerp(image, colour, self.mask)

    return lambda _image, _code: Shown(mask, none, still, still, light, none + 1)


def test_both_networks_learn(batch: Batch) -> None:
    one = objective()
    assert [group for group, _, _ in one.steps(*batch)] == [
        *("classifier", "discriminator", "networks"),
        *("discriminator", "networks"),
    ]
    # but for the classifier of what adds, which nothing needs
    unused = len(list(one.adder.classifier.parameters()))
    assert sum(map(len, one.parameter_groups().values())) == len(list(one.parameters())) - unused
    assert set(of_the_adder(objective(less=0.0), batch)) == OF_THE_ADDER


@pytest.mark.parametrize(("left_out", "learns"), [("less", "adder"), ("adder", "less")])
def test_a_network_without_weight_stays_as_it_is(batch: Batch, left_out: str, learns: str) -> None:
    one = objective(**{left_out: 0.0})
    for _, terms, _ in one.steps(*batch):
        torch.stack(list(terms.values())).sum().backward()
    touched = {
        name: any(p.grad is not None for p in getattr(one.model, name).parameters()) for name in ("less", "adder")
    }
    assert touched == {left_out: False, learns: True}


@pytest.mark.parametrize("name", sorted(OF_THE_ADDER))
def test_each_term_can_be_switched_off_and_weighted(batch: Batch, name: str) -> None:
    term = name.removeprefix("adder ")
    assert name not in of_the_adder(objective(less=0.0, **{term: 0.0}), batch)
    once, thrice = (of_the_adder(objective(less=0.0, **{term: weight}), batch)[name] for weight in (1.0, 3.0))
    torch.testing.assert_close(thrice, 3 * once)


def test_what_is_right_costs_nothing(batch: Batch) -> None:
    """Drawn: what a pair shows, the photo with the content, and nothing on a photo without it."""
    pairs, with_, without, _ = batch
    one = objective(less=0.0)
    none = torch.zeros(12, 1, 16, 32)
    wanted = torch.cat([pairs[:, :3], with_[:, :3], without])
    for mask, right in ((torch.cat([torch.ones(8, 1, 16, 32), none[:4]]), True), (none, False)):
        one.model.adder.forward = drawing(wanted, mask)
        terms = of_the_adder(one, batch)
        for name in ("reconstruction", "bands", "feature_matching"):
            assert (float(terms[f"adder {name}"].detach()) < 1e-5) == right, name
        assert float(terms["adder keep"].detach()) == 0
        assert float(terms["adder flow"].detach()) == float(terms["adder light"].detach()) == 0


def test_edits_that_show_their_own_guide_cost_less(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is all that a guide shows: laid on the photos as it is, or the next guide's."""
    pairs, with_, without, views = batch
    pairs[:, 3:6] = 0.5
    guides = views[:, :3]
    monkeypatch.setattr(Planes, "shown", lambda _planes, image: torch.full_like(image, 0.5))  # takes all of it away
    costs = []
    for shown in (guides, guides.roll(1, 0)):
        one = objective(less=0.0, contrast=1.0)
        one.model.adder.forward = drawing(torch.cat([shown, without, without]), torch.ones(12, 1, 16, 32))
        costs.append(float(of_the_adder(one, (pairs, with_, without, views))["adder contrast"].detach()))
    assert costs[0] < 0.5 < costs[1]


def test_contrast_is_off_by_default_and_leaves_the_remover_alone(batch: Batch) -> None:
    assert "adder contrast" not in of_the_adder(objective(less=0.0), batch)
    one = objective(less=0.0, contrast=1.0)
    terms = of_the_adder(one, batch)
    terms["adder contrast"].backward()
    assert all(p.grad is None and p.requires_grad for p in one.model.less.parameters())
    assert any(p.grad is not None for p in one.model.adder.parameters())


def test_it_is_built_by_names() -> None:
    built = named(NativeGuided(CONFIG), "quick", {"less": 0.0})
    assert isinstance(built, NativeGuidedObjective)
    assert built.weights == replace(LOSS_WEIGHTS["quick"], less=0.0)
    assert built.guides(built.model) is None
    with pytest.raises(ConfigurationError, match="trains the networks of NativeGuided, got Native"):
        NativeGuidedObjective.build(tiny_native())


def test_a_sheet_shows_three_guides_each(batch: Batch) -> None:
    sheet = objective().sheet(NativeGuided(CONFIG).eval(), batch[2], batch[1][:, :3])
    assert sheet.shape == (3, 11 * 16, 4 * 32)


def test_some_guides_are_the_content_alone(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, with_, without, _ = batch
    views = torch.zeros(4, 4, 16, 32)
    views[:, :3, 5:11, 10:22], views[:, 3:, 5:11, 10:22] = 1.0, 1.0
    seen: list[Tensor] = []
    one = objective(less=0.0)
    monkeypatch.setattr(
        one.model, "planes", lambda image, code, own=one.model.planes: (seen.append(code), own(image, code))[1]
    )
    for share, alone in ((0.0, True), (1.0, False)):
        monkeypatch.setattr(
            "mbu_ops.objectives.native_guided.even",
            lambda pixels, share=share: torch.full((len(pixels), 1, 1, 1), share),
        )
        of_the_adder(one, (pairs, with_, without, views))
        codes = seen.pop()
        assert codes.shape == (12, 5, 16, 32)
        assert torch.equal(codes[:4, :3], views[:, :3])
        assert torch.equal(codes[:4, 3:4], views[:, 3:]) is alone  # opacity
        assert torch.equal(codes[:4, 4:], views[:, 3:]) is alone  # where it is, by its own alpha
        assert bool((codes[4:, 3] == 1).all())


def test_no_guide_need_be_the_content_alone(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of smiles: the mouth alone would not say how cheeks rise."""
    one = named(NativeGuided(CONFIG), "quick", {"less": 0.0}, alone=0.0)
    seen: list[Tensor] = []
    monkeypatch.setattr(
        one.model, "planes", lambda image, code, own=one.model.planes: (seen.append(code), own(image, code))[1]
    )
    of_the_adder(one, batch)
    assert bool((seen[0][:, 3] == 1).all())


def test_what_is_thin_is_found_beside_what_is_broad() -> None:
    masks = torch.zeros(1, 1, 60, 60)
    masks[..., 10:50, 10:50] = 0.3
    masks[..., 10:12, 10:50] = 1.0
    found = thin(masks)
    assert float(found[..., 10:12, 20:40].min()) > 0.5
    assert float(found[..., 25:40, 20:40].max()) < 0.02
    assert not found[..., :6, :6].any()
