"""The objective of portrait networks: every term against its formula, paired and unpaired steps, and who learns."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.mask import dilate
from mbu_ops.functional.palette import palette_image, spread_palette
from mbu_ops.methods.parsing import Parsing
from mbu_ops.methods.portrait import Portrait
from mbu_ops.objectives import portrait as objective_module
from mbu_ops.objectives.portrait import LOSS_WEIGHTS, PortraitLossWeights, PortraitObjective, SourceVariation
from mbu_ops.testing import tiny_mbu, tiny_parsing, tiny_portrait
from mbu_ops.testing.tiny import TINY_PARSING, TINY_PORTRAIT

from .building import named

TERMS = tuple(field.name for field in fields(PortraitLossWeights))
PAIRED_ONLY = {"reconstruction", "feature_matching"}
EVERYTHING = PortraitLossWeights(**dict.fromkeys(TERMS, 1.0))
MOUTH, SKIN = 3, 4


def faces(count: int) -> tuple[Tensor, Tensor]:
    """Pictures of flat colours: skin with two eyes and a mouth, each picture in colours and a place of its own."""
    labels = torch.zeros(count, 1, 32, 32, dtype=torch.uint8)
    for index in range(count):
        top, left = 2 + index % 3, 4 + index % 4
        labels[index, :, top : top + 26, left : left + 20] = SKIN
        labels[index, :, top + 6 : top + 9, left + 2 : left + 6] = 1
        labels[index, :, top + 6 : top + 9, left + 14 : left + 18] = 2
        labels[index, :, top + 16 : top + 20, left + 6 : left + 14] = MOUTH
    colours = torch.rand(count, 5, 3, generator=torch.Generator().manual_seed(count))
    images = torch.stack([colours[index][labels[index, 0].long()] for index in range(count)]).movedim(-1, 1)
    return images, labels


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor]:
    for share in ("FLAT_BACKGROUNDS", "HIDDEN_BORDERS"):
        monkeypatch.setattr(objective_module, share, 0.0)
    return faces(4)


def objective(weights: PortraitLossWeights | None = EVERYTHING, loss: str = "l2") -> PortraitObjective:
    torch.manual_seed(0)
    one = PortraitObjective(tiny_portrait(), weights, loss)
    for discriminator in (one.fine_discriminator, one.coarse_discriminator):
        discriminator.eval()  # each of its training passes brings its spectral norms nearer
    return one


Steps = list[tuple[str, dict[str, Tensor], dict[str, Tensor]]]


class HaltError(Exception):
    """Raised where a test has seen enough."""


def drawn_on(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """What a step lays components on: pictures in [0, 1], and 1 where it hides their background."""
    one = PortraitObjective(tiny_portrait())
    seen: list[Tensor] = []

    def draw(_features: object, _mask: Tensor, pixels: Tensor, hidden: Tensor) -> None:
        seen.extend((pixels, hidden))
        raise HaltError

    one.model.encode = one.model.decode = lambda *_: []
    one.model.draw = draw
    with pytest.raises(HaltError):
        next(one.steps(images, labels))
    pixels, hidden = seen
    return (pixels + 1) / 2, hidden


def plainly(
    one: PortraitObjective, images: Tensor, labels: Tensor, shift: int, hidden: Tensor | None = None
) -> dict[str, Tensor]:
    """Equations 1 to 9 of the paper; the look comes from the picture so many places before."""
    model, pixels, mask = one.model, images * 2 - 1, F.one_hot(labels[:, 0].long(), 5).movedim(-1, 1).float()
    source, source_mask = pixels.roll(shift, 0), mask.roll(shift, 0)
    crops = model.crops(source, source_mask)
    features = [part.features(part.code(crop)) for part, crop in zip(model.components, crops, strict=True)]
    drawn = [part.pixels(feature) for part, feature in zip(model.components, features, strict=True)]
    result = model.draw(features, mask, pixels, hidden)
    fakes, reals = (
        (torch.cat([picture, mask], 1), F.avg_pool2d(torch.cat([picture, mask], 1), 2)) for picture in (result, pixels)
    )
    discriminators = (one.fine_discriminator, one.coarse_discriminator)
    seen = list(zip(discriminators, fakes, reals, strict=True))
    shares = model.parser.parse((result + 1) / 2)
    return {
        "local": sum(F.mse_loss(made, crop) for made, crop in zip(drawn, crops, strict=True)) / 4 / 2,
        "reconstruction": F.mse_loss(result, pixels) / 2,
        "adversarial": sum(-torch.sigmoid(discriminator(fake)).log().mean() for discriminator, fake, _ in seen) / 2,
        "feature_matching": sum(
            F.mse_loss(discriminator.features(fake)[-1], discriminator.features(real)[-1]) / 2
            for discriminator, fake, real in seen
        )
        / 2,
        "parsing": F.nll_loss(shares.log(), labels[:, 0].long()),
        "discriminator": sum(
            -torch.sigmoid(discriminator(real)).log().mean() - (1 - torch.sigmoid(discriminator(fake))).log().mean()
            for discriminator, fake, real in seen
        ),
        "agreement": (shares.argmax(1) == labels[:, 0]).float().mean(),
    }


@pytest.mark.parametrize("width", [0, 5])
def test_every_term_equals_its_formula(
    batch: tuple[Tensor, Tensor], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a border around the components is hidden."""
    one = objective()
    hidden = dilate((batch[1] != 0).float(), width)
    if width:
        monkeypatch.setattr(objective_module, "HIDDEN_BORDERS", 1.0)
        monkeypatch.setattr(objective_module, "dilate", lambda mask, _: dilate(mask, width))
    steps: Steps = list(one.steps(*batch))
    assert [group for group, *_ in steps] == ["networks", "discriminator"] * 2
    for shift, kind in enumerate(("paired", "unpaired")):
        (_, terms, measured), (_, judged, unmeasured) = steps[2 * shift : 2 * shift + 2]
        left_out = PAIRED_ONLY if shift else set()
        assert set(terms) == {f"{kind}_{name}" for name in set(TERMS) - left_out}
        assert set(judged) == {f"{kind}_discriminator"}
        assert set(measured) == {f"{kind}_agreement"}
        assert not unmeasured
        expected = plainly(one, *batch, shift, hidden)
        for name, value in (terms | judged | measured).items():
            torch.testing.assert_close(value, expected[name.removeprefix(f"{kind}_")], msg=name)


def test_terms_are_weighted(batch: tuple[Tensor, Tensor]) -> None:
    weights = PortraitLossWeights(10, 7, 0.3, 2, 0.5)
    for (_, terms, _), (_, plain, _) in zip(objective(weights).steps(*batch), objective().steps(*batch), strict=True):
        for name, value in plain.items():
            factor = getattr(weights, name.partition("_")[2], 1)
            torch.testing.assert_close(terms[name], factor * value)


@pytest.mark.parametrize("name", TERMS)
def test_a_weight_of_zero_switches_its_term_off(batch: tuple[Tensor, Tensor], name: str) -> None:
    steps: Steps = list(objective(replace(EVERYTHING, **{name: 0.0})).steps(*batch))
    expected = []
    for kind, left_out in (("paired", {name}), ("unpaired", {name} | PAIRED_ONLY)):
        expected.append(("networks", {f"{kind}_{term}" for term in set(TERMS) - left_out}))
        if name != "adversarial":
            expected.append(("discriminator", {f"{kind}_discriminator"}))
    assert [(group, set(terms)) for group, terms, _ in steps] == expected
    measured = {key for _, _, measurements in steps for key in measurements}
    assert measured == (set() if name == "parsing" else {"paired_agreement", "unpaired_agreement"})


@pytest.mark.parametrize("name", ["reconstruction", "feature_matching"])
def test_a_step_with_nothing_to_learn_is_none(batch: tuple[Tensor, Tensor], name: str) -> None:
    """The training loop adds a step's terms up, and there must be some."""
    weights = PortraitLossWeights(**(dict.fromkeys(TERMS, 0.0) | {name: 1.0}))
    steps: Steps = list(objective(weights).steps(*batch))
    assert [set(terms) for _, terms, _ in steps] == [{f"paired_{name}"}]


def test_the_published_weights_are_the_default(batch: tuple[Tensor, Tensor]) -> None:
    assert objective(None).weights == LOSS_WEIGHTS["paper"] == PortraitLossWeights(10, 1, 1, 1, 1)
    one = named(tiny_portrait(), "quick", {"local": 3.0}, distance="l1")
    assert one.weights == replace(LOSS_WEIGHTS["quick"], local=3.0)


def test_distances(batch: tuple[Tensor, Tensor]) -> None:
    images = batch[0] * 2 - 1
    one = objective(loss="l1")
    _, terms, _ = next(one.steps(*batch))
    mask = one.model.one_hot(batch[1])
    result = one.model.draw(one.model.decode(one.model.encode(one.model.crops(images, mask), mask)), mask, images)
    torch.testing.assert_close(terms["paired_reconstruction"], F.l1_loss(result, images) / 2)
    with pytest.raises(ConfigurationError, match="expected a distance"):
        objective(loss="l3")


@pytest.mark.parametrize(
    ("recipe", "overrides", "word"),
    [("glasses", {}, "glasses"), ("paper", {"cycle": 1}, "cycle"), ("quick", {"local": -1}, "local")],
)
def test_bad_settings_are_named(recipe: str, overrides: dict[str, float], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        named(tiny_portrait(), recipe, overrides)


def test_other_networks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="PortraitObjective trains the networks of Portrait, got MBU"):
        PortraitObjective.build(tiny_mbu())


# -- who learns -----------------------------------------------------------------------------------------------------


def test_the_networks_step_leaves_the_discriminators_alone_and_theirs_the_networks(
    batch: tuple[Tensor, Tensor],
) -> None:
    one = objective()
    groups = one.parameter_groups()
    for group, terms, _ in one.steps(*batch):
        one.zero_grad()
        sum(terms.values()).backward()
        (other,) = set(groups) - {group}
        assert all(parameter.grad is None for parameter in groups[other])
        assert all(parameter.grad is None for parameter in one.model.parser.parameters())
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in groups[group])


def test_all_but_the_parser_learns() -> None:
    one = objective()
    groups = one.parameter_groups()
    learning = {id(parameter) for group in groups.values() for parameter in group}
    parser = {id(parameter) for parameter in one.model.parser.parameters()}
    assert not {id(one) for one in groups["networks"]} & {id(one) for one in groups["discriminator"]}
    assert learning == {id(parameter) for parameter in one.parameters()} - parser


def test_reconstruction_alone_teaches_every_component_and_the_generator(batch: tuple[Tensor, Tensor]) -> None:
    one = objective(PortraitLossWeights(**(dict.fromkeys(TERMS, 0.0) | {"reconstruction": 1.0})))
    next(one.steps(*batch))[1]["paired_reconstruction"].backward()
    for component in one.model.each_component():
        assert all(parameter.grad.abs().sum() > 0 for parameter in component.encode.parameters())
        assert all(parameter.grad is None for parameter in component.paint.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in one.model.generator.parameters())


@pytest.mark.parametrize("name", ["adversarial", "feature_matching", "parsing"])
def test_what_others_say_of_a_result_reaches_the_networks(batch: tuple[Tensor, Tensor], name: str) -> None:
    one = objective(PortraitLossWeights(**(dict.fromkeys(TERMS, 0.0) | {name: 1.0})))
    next(one.steps(*batch))[1][f"paired_{name}"].backward()
    assert one.model.generator.paint.weight.grad.abs().sum() > 0
    assert one.model.components[0].encode[0].weight.grad.abs().sum() > 0


def test_the_parser_is_copied_from_the_aid_and_never_trained(batch: tuple[Tensor, Tensor]) -> None:
    model, aid = tiny_portrait(), tiny_parsing(seed=3)
    own = {name: value.clone() for name, value in model.parser.state_dict().items()}
    one = named(model, "quick", aids={"parser": aid})
    before = {name: value.clone() for name, value in aid.state_dict().items()}
    assert any(not torch.equal(value, own[name]) for name, value in before.items())
    one.train()
    optimisers = {name: torch.optim.Adam(group, 1e-2) for name, group in one.parameter_groups().items()}
    drawn = model.generator.paint.weight.clone()
    for _ in range(3):
        for group, terms, _ in one.steps(*batch):
            optimisers[group].zero_grad()
            sum(terms.values()).backward()
            optimisers[group].step()
    assert not torch.equal(model.generator.paint.weight, drawn)
    assert model.parser is not aid
    assert not any(parameter.requires_grad for parameter in model.parser.parameters())
    for parser in (model.parser, aid):
        assert all(torch.equal(value, before[name]) for name, value in parser.state_dict().items())


@pytest.mark.parametrize("changes", [{"parts": 6}, {"widths": (8, 14)}, {"resolution": 64}, {"patch": 1}])
def test_a_parser_of_other_sizes_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="expected a parser of the sizes"):
        PortraitObjective(tiny_portrait(), parser=Parsing(replace(TINY_PARSING, **changes)))


@pytest.mark.slow
def test_a_few_dozen_steps_draw_the_pictures_better() -> None:
    images, labels = faces(4)
    torch.manual_seed(0)
    one = named(Portrait(TINY_PORTRAIT), "quick", distance="l2", aids={"parser": tiny_parsing()})
    optimisers = {name: torch.optim.Adam(group, 3e-3) for name, group in one.parameter_groups().items()}
    history: dict[str, list[float]] = {}
    for _ in range(60):
        for group, terms, _ in one.steps(images, labels):
            optimisers[group].zero_grad()
            sum(terms.values()).backward()
            optimisers[group].step()
            for name, value in terms.items():
                history.setdefault(name, []).append(value.item())
    for name in ("paired_reconstruction", "paired_local", "unpaired_local"):
        first, last = history[name][:5], history[name][-5:]
        assert sum(last) < 0.6 * sum(first), name


def test_low_precision_steps_are_near_the_exact_ones(batch: tuple[Tensor, Tensor]) -> None:
    exact: Steps = list(objective().steps(*batch))
    with torch.autocast("cpu", torch.bfloat16):
        rough: Steps = list(objective().steps(*batch))
    for (_, terms, _), (_, expected, _) in zip(rough, exact, strict=True):
        for name, value in terms.items():
            torch.testing.assert_close(value.float(), expected[name], rtol=0.05, atol=0.05, msg=name)


def test_discriminators_and_the_last_layer_round_nothing_in_low_precision(batch: tuple[Tensor, Tensor]) -> None:
    learning = objective()
    for discriminator in (learning.fine_discriminator, learning.coarse_discriminator):
        discriminator.register_forward_hook(lambda _, seen, scores: dtypes.update({seen[0].dtype, scores.dtype}))
    dtypes: set[torch.dtype] = set()
    with torch.autocast("cpu", torch.bfloat16):
        for _, terms, _ in learning.steps(*batch):
            dtypes.update(value.dtype for name, value in terms.items() if "parsing" not in name)
    assert dtypes == {torch.float32}


def test_a_batch_of_one_is_its_own_other(batch: tuple[Tensor, Tensor]) -> None:
    steps: Steps = list(objective().steps(*(one[:1] for one in batch)))
    torch.testing.assert_close(steps[0][1]["paired_parsing"], steps[2][1]["unpaired_parsing"])


# -- backgrounds, guides, sheets ------------------------------------------------------------------------------------


def test_flat_backgrounds_touch_the_background_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective_module, "FLAT_BACKGROUNDS", 1.0)
    images, labels = torch.rand(3, 3, 32, 32), faces(3)[1]
    flat = drawn_on(images, labels)[0]
    shown = (labels != 0).expand_as(images)
    torch.testing.assert_close(flat[shown], images[shown])
    colours = [picture[:, part[0] == 0].unique(dim=1) for picture, part in zip(flat, labels, strict=True)]
    assert [tuple(colour.shape) for colour in colours] == [(3, 1)] * 3
    assert len(torch.cat(colours, 1).unique(dim=1).T) == 3
    assert 0 <= flat.min() <= flat.max() <= 1


def test_some_backgrounds_are_flat(batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = (one[:1].expand(2000, -1, -1, -1) for one in batch)
    torch.testing.assert_close(drawn_on(images, labels)[0], images)
    monkeypatch.undo()
    changed = ((drawn_on(images, labels)[0] - images).abs() > 1e-3).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.15, abs=0.04)


def test_hidden_borders_surround_the_components_of_some_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = faces(3)
    monkeypatch.setattr(objective_module, "HIDDEN_BORDERS", 1.0)
    widths = set()
    for _ in range(40):
        hidden = drawn_on(images, labels)[1]
        (width,) = (width for width in range(9) if torch.equal(hidden, dilate((labels != 0).float(), width)))
        widths.add(width)
    assert widths <= set(range(1, 5)), "up to an eighth of the side"
    assert len(widths) > 2
    monkeypatch.undo()
    images, labels = (one[:1].expand(2000, -1, -1, -1) for one in (images, labels))
    some = drawn_on(images, labels)[1].amax((1, 2, 3))
    assert some.mean().item() == pytest.approx(0.3, abs=0.05)


def test_guides_are_looks_of_pictures_that_show_every_component() -> None:
    one, (images, labels) = objective(), faces(12)
    images = torch.rand_like(images)
    labels[::2][labels[::2] == MOUTH] = SKIN
    guides = one.guides(one.model, images, labels)
    assert guides.shape[1:] == one.model.guide_shape
    assert 1 < len(guides) <= 6
    codes = one.model.encode_guide(images)
    nearest = torch.cdist(guides.flatten(1), codes.flatten(1)).min(1)
    assert nearest.values.max() < 1e-4
    assert (nearest.indices % 2 == 1).all()
    assert len(set(nearest.indices.tolist())) == len(guides)
    lacking = labels.clone()
    lacking[lacking == MOUTH] = SKIN
    assert 1 < len(one.guides(one.model, images, lacking)) <= 8, "none shows all: any will do"


@torch.no_grad()
def test_a_sheet_shows_pictures_masks_and_exchanges() -> None:
    one, (images, labels) = objective(), faces(3)
    model = one.model
    sheet = one.sheet(model, images, labels)
    rows = sheet.unflatten(1, (9, 32)).movedim(1, 0).unflatten(-1, (3, 32)).movedim(-2, 1)
    assert sheet.shape == (3, 9 * 32, 3 * 32)
    assert 0 <= sheet.min() <= sheet.max() <= 1
    mask = model.one_hot(labels)
    codes = model.encode(model.crops(images * 2 - 1, mask), mask)
    assert torch.equal(rows[0], images)
    assert torch.equal(rows[1], palette_image(labels, spread_palette(5)))
    torch.testing.assert_close(rows[2], model.compose(codes, mask, images))
    assert torch.equal(rows[3], images.roll(1, 0))
    torch.testing.assert_close(rows[4], model.compose(codes.roll(1, 0), mask, images))
    assert all(not torch.equal(row, images) for row in rows[5:])


@pytest.mark.parametrize("strength", [0.3, 1.0, 9.9])
def test_half_of_the_sources_are_bent_with_their_masks(strength: float) -> None:
    torch.manual_seed(0)
    labels = faces(32)[1]
    mask = F.one_hot(labels[:, 0].long(), 5).movedim(-1, 1).float()
    pixels = (mask * torch.linspace(-1, 1, 5).view(1, 5, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    varied, moved = SourceVariation(strength)(pixels, mask)
    same = (varied == pixels).flatten(1).all(1)
    assert 8 <= int(same.sum()) <= 24
    assert torch.equal(moved[same], mask[same])
    assert not (moved == mask).flatten(1).all(1)[~same].any()
    assert torch.equal(moved.sum(1), torch.ones(32, 32, 32)), "each pixel has one part"
    skin = moved[~same][:, SKIN : SKIN + 1].expand(-1, 3, -1, -1) > 0
    assert float((varied[~same][skin] > 0.4).float().mean()) > 0.75, "pictures move as their masks do"


def test_only_sources_of_paired_steps_are_bent(batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Steps = list(objective().steps(*batch))
    learning = objective()
    learning.vary_source = SourceVariation(1.0)
    monkeypatch.setattr(learning.vary_source, "forward", lambda pixels, mask: (pixels.flip(-1), mask.flip(-1)))
    bent: Steps = list(learning.steps(*batch))
    for (_, terms, _), (_, expected, _) in zip(bent, plain, strict=True):
        for name, value in terms.items():
            same = torch.equal(value, expected[name])
            assert same == name.startswith("unpaired"), name


def test_the_paper_bends_nothing() -> None:
    assert named(tiny_portrait(), "paper", guide_variation=0.0).vary_source is None
    bending = named(tiny_portrait(), "quick", guide_variation=0.5)
    assert isinstance(bending.vary_source, SourceVariation)
