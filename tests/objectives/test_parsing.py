"""The objective of parsing networks: its terms against their formulas, and that it teaches a network to parse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.palette import palette_image, spread_palette
from mbu_ops.methods.parsing import Parsing, ParsingConfig
from mbu_ops.objectives.parsing import LOSS_WEIGHTS, ParsingLossWeights, ParsingObjective, missing_overlap
from mbu_ops.testing import tiny_mbu, tiny_parsing

from .building import named

BOTH = ParsingLossWeights(1.0, 1.0)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    return torch.rand(3, 3, 32, 32), torch.randint(0, 4, (3, 1, 32, 32)).to(torch.uint8)  # nobody shows part 4


def only_step(
    weights: ParsingLossWeights | None, batch: tuple[Tensor, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    ((group, terms, measured),) = ParsingObjective(tiny_parsing(), weights).steps(*batch)
    assert group == "networks"
    return terms, measured


def test_every_term_equals_its_formula(batch: tuple[Tensor, Tensor]) -> None:
    terms, measured = only_step(BOTH, batch)
    images, labels = batch
    shares = tiny_parsing().parse(images)
    right = shares.gather(1, labels.long())
    overlaps = []
    for part in range(4):
        there, share = (labels[:, 0] == part).float(), shares[:, part]
        overlaps.append(1 - 2 * (there * share).sum() / (there.sum() + share.sum()))
    torch.testing.assert_close(terms["cross_entropy"], -right.log().mean())
    torch.testing.assert_close(terms["overlap"], torch.stack(overlaps).mean())
    torch.testing.assert_close(measured["accuracy"], (shares.argmax(1) == labels[:, 0]).float().mean())
    assert set(terms) == {"cross_entropy", "overlap"}
    assert not measured["accuracy"].requires_grad


def test_terms_are_weighted(batch: tuple[Tensor, Tensor]) -> None:
    plain, weighted = (only_step(weights, batch)[0] for weights in (BOTH, ParsingLossWeights(0.5, 3.0)))
    torch.testing.assert_close(weighted["cross_entropy"], 0.5 * plain["cross_entropy"])
    torch.testing.assert_close(weighted["overlap"], 3 * plain["overlap"])


@pytest.mark.parametrize("name", ["cross_entropy", "overlap"])
def test_a_weight_of_zero_switches_its_term_off(batch: tuple[Tensor, Tensor], name: str) -> None:
    terms, _ = only_step(ParsingLossWeights(**{"cross_entropy": 1.0, "overlap": 1.0} | {name: 0.0}), batch)
    assert set(terms) == {"cross_entropy", "overlap"} - {name}


def test_the_paper_has_one_term(batch: tuple[Tensor, Tensor]) -> None:
    assert set(only_step(None, batch)[0]) == {"cross_entropy"}
    assert LOSS_WEIGHTS["paper"] == ParsingLossWeights(1.0, 0.0)
    assert LOSS_WEIGHTS["quick"].overlap > 0


def test_every_weight_is_trained_at_one_rate() -> None:
    objective = ParsingObjective(tiny_parsing())
    assert list(objective.parameter_groups()) == ["networks"]
    assert objective.parameter_groups()["networks"] == list(objective.model.parameters())


# -- overlap ----------------------------------------------------------------------------------------------------------


def one_hot(labels: Tensor, parts: int) -> Tensor:
    return F.one_hot(labels, parts).movedim(-1, 1).float()


def test_overlap_counts_small_parts_as_much_as_large_ones() -> None:
    labels = torch.zeros(1, 10, 10, dtype=torch.int64)
    labels[0, 0, 0] = 1
    missed = one_hot(torch.zeros_like(labels), 3)
    assert missing_overlap(missed, labels).item() == pytest.approx((1 - 198 / 199 + 1) / 2)
    assert missing_overlap(one_hot(labels, 3), labels).item() == pytest.approx(0, abs=1e-6)
    wrong = one_hot(torch.full_like(labels, 2), 3)
    assert missing_overlap(wrong, labels).item() == pytest.approx(1)


def test_parts_that_nobody_shows_do_not_count() -> None:
    labels = torch.randint(0, 2, (2, 6, 6))
    shares = torch.rand(2, 2, 6, 6).softmax(1)
    more = torch.cat([shares, torch.zeros(2, 9, 6, 6)], 1)
    torch.testing.assert_close(missing_overlap(more, labels), missing_overlap(shares, labels))


def test_overlap_is_of_the_whole_batch() -> None:
    """A part counts where any picture shows it: pictures that do not are right to name it nowhere."""
    labels = torch.zeros(2, 4, 4, dtype=torch.int64)
    labels[0, :2] = 1
    found = torch.zeros_like(labels)
    found[0, :2], found[1, 0] = 1, 1
    expected = ((1 - 2 * 20 / (24 + 20)) + (1 - 2 * 8 / (8 + 12))) / 2
    assert missing_overlap(one_hot(found, 2), labels).item() == pytest.approx(expected)


def test_overlap_pulls_towards_the_labels() -> None:
    logits = torch.zeros(1, 3, 2, 2, requires_grad=True)
    labels = torch.tensor([[[0, 1], [1, 0]]])
    missing_overlap(logits.softmax(1), labels).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.argmin(1), labels)


# -- learning ---------------------------------------------------------------------------------------------------------


def toys(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures whose parts have colours, with noise: two bars across a background."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.zeros(count, 1, 16, 16, dtype=torch.uint8)
    for picture in labels[:, 0]:
        row, column = torch.randint(0, 12, (2,), generator=generator).tolist()
        picture[row : row + 4] = 1
        picture[:, column : column + 3] = 2
    colours = torch.tensor([[0.2, 0.2, 0.8], [0.8, 0.3, 0.2], [0.3, 0.8, 0.3]])
    noise = 0.1 * torch.randn(count, 3, 16, 16, generator=generator)
    return (palette_image(labels, colours) + noise).clamp(0, 1), labels


@pytest.mark.parametrize("recipe", ["paper", "quick"])
def test_a_network_learns_to_parse(recipe: str) -> None:
    model = Parsing(ParsingConfig(16, (8, 12), parts=3, patch=2)).train()
    objective = named(model, recipe)
    optimiser = torch.optim.Adam(objective.parameter_groups()["networks"], 0.02)
    losses = []
    for step in range(60):
        ((_, terms, _),) = objective.steps(*toys(8, step))
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    images, labels = toys(16, 1000)
    with torch.no_grad():
        found = model.eval().parse(images).argmax(1, keepdim=True)
    assert (found == labels).float().mean() > 0.95


# -- what the training loop asks --------------------------------------------------------------------------------------


def test_it_follows_no_guides_and_has_nothing_to_settle(batch: tuple[Tensor, Tensor]) -> None:
    model = tiny_parsing()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    objective = ParsingObjective(model)
    objective.settle(model, *batch)
    assert objective.guides(model, *batch) is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_sheet_shows_pictures_their_parts_and_the_answer(batch: tuple[Tensor, Tensor]) -> None:
    model, (images, labels) = tiny_parsing(), batch
    sheet = ParsingObjective(model).sheet(model, images, labels)
    assert sheet.shape == (3, 3 * 32, 3 * 32)
    found, colours = model.logits(images).argmax(1, keepdim=True), spread_palette(5)
    for row, pictures in enumerate((images, palette_image(labels, colours), palette_image(found, colours))):
        assert torch.equal(sheet[:, 32 * row : 32 * row + 32], torch.cat(list(pictures), -1))


# -- building ---------------------------------------------------------------------------------------------------------


def test_it_is_built_by_names() -> None:
    objective = named(tiny_parsing(), "quick", {"cross_entropy": 0.5})
    assert isinstance(objective, ParsingObjective)
    assert objective.weights == ParsingLossWeights(0.5, LOSS_WEIGHTS["quick"].overlap)


@pytest.mark.parametrize(
    ("recipe", "overrides", "says"),
    [
        ("glasses", {}, r"expected a recipe \(paper, quick\), got 'glasses'"),
        ("paper", {"dice": 1.0}, r"expected a loss term \(cross_entropy, overlap\), got 'dice'"),
        ("paper", {"overlap": -1.0}, r"loss weight overlap must be 0 or more, got -1\.0"),
        ("paper", {"overlap": float("nan")}, "loss weight overlap must be 0 or more, got nan"),
        ("paper", {"cross_entropy": 0.0}, "cross_entropy"),
    ],
)
def test_recipes_and_terms_that_cannot_be_are_named(recipe: str, overrides: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        named(tiny_parsing(), recipe, overrides)


@pytest.mark.parametrize("network", [tiny_mbu, nn.Identity])
def test_other_networks_are_refused(network: Callable[[], nn.Module]) -> None:
    with pytest.raises(ConfigurationError, match="ParsingObjective trains the networks of Parsing, got"):
        ParsingObjective.build(network())
