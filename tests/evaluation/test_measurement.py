"""What is measured, on edits whose quality is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kornia.color import rgb_to_lab
from torch import Tensor, nn

from mbu_ops.data.domains import Domains
from mbu_ops.errors import PluginError
from mbu_ops.evaluation.edits import EditMasks, Edits
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.judge import Judge
from mbu_ops.evaluation.measurement import STAGES, Follower, Instruments, measure
from mbu_ops.evaluation.networks import image_features
from mbu_ops.families import AttributeSpec, FamilySpec
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, load_pretrained, save, store


class Brightness(Judge):
    """Says that bright images show the content."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3)) - 0.5


JUDGE = Instruments(Brightness())


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    model = tiny_mbu()
    path = tmp_path / "a.safetensors"
    with torch.no_grad():
        guides = model.encode_guide(torch.rand(2, 3, 16, 16))
    save(path, model, WeightsInfo("mbu", model.config_to_dict(model.config), 16), guides)
    return path


@pytest.fixture
def examples() -> Examples:
    with_, without = torch.rand(6, 3, 16, 16) * 0.2 + 0.8, torch.rand(5, 3, 16, 16) * 0.2
    return Examples(with_, without, torch.ones(6, 1, 16, 16).bool(), torch.arange(6) < 4, with_)


@pytest.fixture
def corners(examples: Examples) -> EditMasks:
    """A region in the upper left of every image."""
    corner = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    corner[..., :8, :8] = True
    return EditMasks(corner.expand(len(examples.without), -1, -1, -1), corner.expand(len(examples.with_), -1, -1, -1))


def test_every_kind_of_figure_is_there_with_its_count(weights: Path, examples: Examples, corners: EditMasks) -> None:
    figures = {figure.name: figure for figure in measure(weights, examples, JUDGE, edit_masks=corners)}
    assert {name: figure.count for name, figure in figures.items()} == {
        "judge_with": 6,
        "judge_without": 5,
        "add": 5,
        "add_default": 5,
        "remove": 6,
        "swap": 6,
        "mask_add": 5,
        "mask_remove": 6,
        "outside_add": 5,
        "outside_remove": 6,
        "psnr_outside_add": 5,
        "psnr_outside_remove": 6,
        "psnr_inside_add": 5,
        "psnr_inside_remove": 6,
        "ssim_outside_add": 5,
        "ssim_outside_remove": 6,
        "ssim_inside_add": 5,
        "ssim_inside_remove": 6,
        "sharpness_add": 5,
        "sharpness_remove": 6,
        "sharpness_real": 5,
        "missed_add": 5,
        "missed_remove": 6,
        "untouched_add": 6,
        "untouched_remove": 5,
        "idle_4_add": 6,
        "idle_4_remove": 5,
        "idle_16_add": 6,
        "idle_16_remove": 5,
        "guides_differ": 5,
        "guide_colour": 5,
        "mask_iou": 4,
        "remove_psnr": 6,
        "untouched_psnr": 6,
        "milliseconds": 1,
        "megabytes": 1,
    }
    assert figures["judge_with"].value == figures["judge_without"].value == 1
    assert figures["untouched_psnr"].value == pytest.approx(100)
    assert figures["outside_add"].value == figures["outside_remove"].value == 0


def test_inside_and_outside_are_told_apart(weights: Path, examples: Examples, corners: EditMasks) -> None:
    edits = Edits.make(load_pretrained(weights), examples)
    apart = (edits.removed.image - examples.with_).square()
    error = apart[..., :8, :8].flatten(1).mean(1)
    figures = {figure.name: figure for figure in measure(weights, examples, JUDGE, edit_masks=corners)}
    assert figures["psnr_inside_remove"].value == pytest.approx(float((-10 * error.log10()).mean()), rel=1e-4)
    own = {figure.name: figure for figure in measure(weights, examples, JUDGE)}
    assert own.get("psnr_outside_remove") is None or own["psnr_outside_remove"].value == 100


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_colour_of_what_is_added_is_compared_with_the_guides(
    weights: Path, examples: Examples, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share of the guide is laid on a quarter of the image: all of it has the guide's colour."""

    def edit(op: Transfer, image: Tensor, guide: Tensor | None = None) -> Edit:
        mask = torch.zeros_like(image[:, :1])
        mask[..., :8, :8] = 1
        guide = image if guide is None else guide
        return Edit(torch.lerp(image, torch.lerp(image, guide, share), mask), mask, image)

    def found(op: Segment, image: Tensor) -> Edit:
        return Edit(image, torch.ones_like(image[:, :1]), image)

    plain = dataclasses.replace(
        examples,
        with_=torch.tensor([0.8, 0.2, 0.2]).view(1, 3, 1, 1).expand(6, 3, 16, 16),
        without=torch.tensor([0.2, 0.2, 0.8]).view(1, 3, 1, 1).expand(5, 3, 16, 16),
    )
    monkeypatch.setattr(Transfer, "edit", edit)
    monkeypatch.setattr(Segment, "edit", found)
    figures = {figure.name: figure.value for figure in measure(weights, plain, JUDGE)}
    red, blue = (rgb_to_lab(images[:1, :, :1, :1]).flatten() for images in (plain.with_, plain.without))
    mixed = rgb_to_lab(torch.lerp(plain.without, plain.with_[:5], share)[:1, :, :1, :1]).flatten()
    assert figures["guide_colour"] == pytest.approx(float((mixed - red).norm()), rel=1e-3, abs=1e-3)
    assert float((blue - red).norm()) > 50


def test_what_is_measured_is_told_as_it_goes(weights: Path, examples: Examples) -> None:
    told = []
    measure(weights, examples, JUDGE, report=lambda: told.append(1))
    assert len(told) == STAGES


def test_nothing_is_measured_outside_where_nothing_changed(
    weights: Path, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(op: Transfer, image: Tensor, guide: Tensor | None = None) -> Edit:
        mask = torch.zeros_like(image[:, :1])
        mask[..., :8, :8] = 1
        return Edit(torch.where(mask > 0, 1 - image, image), mask, image)

    for op in (Transfer, Remove):
        monkeypatch.setattr(op, "edit", edit)
    both = dataclasses.replace(JUDGE, features=image_features.pretrained())
    figures = {f.name: f.value for f in measure(weights, examples, both)}
    for kind in ("add", "remove"):
        assert figures[f"psnr_outside_{kind}"] == 100
        assert figures[f"ssim_outside_{kind}"] == pytest.approx(1)
        assert figures[f"perceptual_outside_{kind}"] == pytest.approx(0, abs=1e-6)
        assert figures[f"perceptual_inside_{kind}"] > 0.01


def test_no_picture_is_its_own_guide_when_swapped(
    weights: Path, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, original = [], Transfer.edit

    def edit(op: Transfer, image: Tensor, guide: Tensor) -> Edit:
        asked.append(guide)
        return original(op, image, guide)

    monkeypatch.setattr(Transfer, "edit", edit)
    Edits.make(load_pretrained(weights), examples)
    guides = asked[-1]
    assert not any(torch.equal(one, other) for one, other in zip(guides, examples.with_, strict=True))


def test_chains_need_both_judges(weights: Path, examples: Examples) -> None:
    class Never(Judge):
        def forward(self, images: Tensor) -> Tensor:
            return -torch.ones(len(images))

    def chained(judge: nn.Module) -> dict[str, float]:
        follower = Follower(weights, Transfer.from_pretrained(weights), judge)
        return {f.name: f.value for f in measure(weights, examples, dataclasses.replace(JUDGE, follower=follower))}

    assert chained(Never())["chain_add"] == chained(Never())["chain_remove"] == 0
    assert chained(Never())["second_with"] == 0
    bright = chained(Brightness())
    assert (bright["second_with"], bright["second_without"]) == (1, 0)
    assert bright["chain_remove"] == 0  # one judge cannot say both


def test_a_threshold_that_takes_every_pixel_meets_a_mask_of_every_pixel(weights: Path, examples: Examples) -> None:
    figures = {figure.name: figure for figure in measure(weights, examples, JUDGE, threshold=-1)}
    assert figures["mask_iou"].value == 1


def test_what_is_not_known_is_not_measured(weights: Path, examples: Examples) -> None:
    plain = dataclasses.replace(examples, masks=None, known=None, removed=None)
    names = {figure.name for figure in measure(weights, plain, JUDGE)}
    assert not names & {"mask_iou", "remove_psnr", "untouched_psnr"}
    nothing = dataclasses.replace(examples, known=torch.zeros(6).bool())
    assert "mask_iou" not in {figure.name for figure in measure(weights, nothing, JUDGE)}


def test_many_images_are_edited_as_few_are(weights: Path, examples: Examples) -> None:
    many = dataclasses.replace(examples, without=torch.rand(70, 3, 16, 16))
    transfer = Transfer.from_pretrained(weights)
    with torch.no_grad():
        one_by_one = [transfer.edit_code(image[None], transfer.default_guides[:1]).image for image in many.without]
    edits = Edits.make(load_pretrained(weights), many)
    assert torch.allclose(edits.defaults[0], torch.cat(one_by_one), atol=1e-5)
    assert len(edits.added.mask) == 70


def test_the_same_seed_gives_the_same_figures(weights: Path, examples: Examples) -> None:
    once, again = (
        [figure for figure in measure(weights, examples, JUDGE, seed=3) if figure.name != "milliseconds"]
        for _ in range(2)
    )
    assert once == again


HAT = AttributeSpec("hat", "Hat")


def upper_half(attribute: str, images: Tensor) -> Tensor:
    assert attribute == "hat"
    masks = torch.zeros(len(images), 1, *images.shape[-2:])
    masks[1:, :, :4] = 1
    return masks


def test_masks_that_a_family_derives_are_known_where_it_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbu_ops.families.planes.load_target", lambda family, field: upper_half)
    pixels = torch.randint(0, 256, (9, 3, 8, 8), dtype=torch.uint8)
    family = FamilySpec("pets", attributes=(HAT,), masks="a:b")
    examples = Examples.chosen(Domains(pixels, pixels), 4, 0, family, HAT)
    assert len(examples.with_) == len(examples.without) == 4
    assert examples.known.tolist() == [False, True, True, True]
    assert examples.removed is None
    assert Examples.chosen(Domains(pixels, pixels), 4, 0, None, None).masks is None


@pytest.mark.parametrize("derive", [lambda *_: torch.zeros(1), lambda *_: 3, lambda *_: 1 / 0, lambda *_: exit()])
def test_a_family_that_derives_nonsense_is_named(monkeypatch: pytest.MonkeyPatch, derive: Callable[..., Any]) -> None:
    monkeypatch.setattr("mbu_ops.families.planes.load_target", lambda family, field: derive)
    pixels = torch.zeros(9, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(PluginError, match="family 'pets'"):
        Examples.chosen(Domains(pixels, pixels), 4, 0, FamilySpec("pets", attributes=(HAT,), masks="a:b"), HAT)


class Averages(torch.nn.Module):
    """Describes an image by its mean colour."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def test_whose_picture_it_still_is(weights: Path, examples: Examples) -> None:
    figures = {f.name: f for f in measure(weights, examples, dataclasses.replace(JUDGE, identity=Averages()))}
    edits = Edits.make(load_pretrained(weights), examples)
    distance = (edits.added.image.mean((2, 3)) - examples.without.mean((2, 3))).norm(dim=1).mean()
    assert figures["identity_distance_add"].value == pytest.approx(distance.item(), rel=1e-4)
    assert figures["identity_add"].count == 5
    colours = examples.with_.mean((2, 3))
    strangers = torch.nn.functional.cosine_similarity(colours, colours.roll(1, 0)).mean().item()
    assert figures["identity_strangers_remove"].value == pytest.approx(strangers, rel=1e-4)
    kept = (figures["identity_remove"].value - strangers) / (1 - strangers)
    assert figures["identity_kept_remove"].value == pytest.approx(kept, abs=1e-3)
    assert 0.5 < figures["identity_remove"].value <= 1


def test_how_edits_look(weights: Path, examples: Examples) -> None:
    figures = {
        f.name: f for f in measure(weights, examples, dataclasses.replace(JUDGE, features=image_features.pretrained()))
    }
    assert figures["perceptual_inside_add"].value > 0
    assert 0 <= figures["retrieved"].value <= 1
    assert 0 <= figures["retrieved_region"].value <= 1
    assert "spot_remove" not in figures  # five pictures say nothing
    assert figures["kid_remove"].count == 6


def test_weights_in_memory_are_measured_as_those_of_a_file(weights: Path, examples: Examples) -> None:
    loaded = load_pretrained(weights)
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    one, other = ({f.name: f.value for f in measure(what, examples, JUDGE, seed=3)} for what in (loaded, weights))
    for figures in (one, other):
        figures.pop("milliseconds")
        assert figures["megabytes"] == pytest.approx(
            weights.stat().st_size / 1e6, rel=0.3
        )  # names are in the file, too
    assert one == other
    assert all(torch.equal(value, before[name]) for name, value in loaded.model.state_dict().items())


def test_a_file_is_read_once(weights: Path, examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(
        store, "load", lambda path, load=store.load, **options: (read.append(path), load(path, **options))[1]
    )
    measure(weights, examples, JUDGE)
    assert read == [weights]
