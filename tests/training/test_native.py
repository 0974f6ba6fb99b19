"""Runs of native networks: pairs made of two domains in, a remover out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import mbu_ops
from mbu_ops.data.composites import Composites
from mbu_ops.data.domains import Domains
from mbu_ops.data.donors import Drawn
from mbu_ops.errors import PluginError, TrainingStateError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.families.spec import AttributeSpec, FamilySpec
from mbu_ops.methods import native
from mbu_ops.methods.presence import OwnPresence, Presence
from mbu_ops.objectives.options import DistanceOptions
from mbu_ops.training import pairs as making
from mbu_ops.training.config import TrainingConfig
from mbu_ops.training.loop import Provenance, Trainer

PLUS = AttributeSpec("plus", "Plus")


@pytest.fixture
def composites(monkeypatch: pytest.MonkeyPatch) -> Composites:
    """Flat pictures; those of the second domain with a black plus."""
    small = native.NativeConfig(resolution=32, height=16, channels=8, patch=2, removal_dilation=1)
    monkeypatch.setitem(native.CONFIGS, "tiny", small)
    torch.manual_seed(0)
    shades = (torch.rand(40, 3, 1, 1) * 155 + 100).byte().expand(40, 3, 16, 32).clone()
    masks = torch.zeros(20, 1, 16, 32, dtype=torch.uint8)
    masks[..., 6:10, 8:24] = masks[..., 3:13, 14:18] = 255
    shades[20:] *= masks == 0
    return Composites(Domains(without=shades[:20], with_=shades[20:], source="shades"), masks)


def settings(**changes: object) -> TrainingConfig:
    short = TrainingConfig(
        method="native",
        config="tiny",
        steps=6,
        coarse_steps=0,
        batch_size=4,
        learning_rate=2e-3,
        average_decay=0.9,
        save_every=100,
        sample_every=100,
        log_every=1,
    )
    return replace(short, **changes)


def trainer(out: Path, composites: Composites, **changes: object) -> Trainer:
    return Trainer(settings(**changes), composites, out, Provenance(("plus",)))


@pytest.mark.slow
def test_a_plus_is_learnt_to_be_removed(tmp_path: Path, composites: Composites) -> None:
    run = trainer(
        tmp_path,
        composites,
        steps=120,
        options=DistanceOptions(loss_weights=(("adversarial", 0.0), ("classifier", 0.0))),
    )
    assert run.run()
    remove = mbu_ops.Remove.from_pretrained(tmp_path)
    remove.presence = 0.0
    dark, plain = composites.domains.with_[:8].float() / 255, composites.domains.without[:8].float() / 255
    where = (composites.masks[:8] > 0).expand_as(dark)
    cleared = remove(dark)
    assert cleared[where].mean() > 0.3 > dark[where].mean()
    assert (cleared - dark)[~where].abs().mean() < 0.05
    assert (remove(plain) - plain).abs().mean() < 0.03
    assert isinstance(remove.detector, OwnPresence)
    assert remove.dilation == 1  # what the configuration says


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path, composites: Composites) -> None:
    trainer(tmp_path / "whole", composites).run()
    trainer(tmp_path / "halves", composites, steps=3).run()
    again = trainer(tmp_path / "halves", composites)
    again.resume()
    assert again.step == 3
    again.run()
    whole, halves = (
        torch.cat([p.flatten() for p in mbu_ops.Remove.from_pretrained(tmp_path / name).model.parameters()])
        for name in ("whole", "halves")
    )
    assert torch.equal(whole, halves)


def test_the_learning_rate_falls(tmp_path: Path, composites: Composites) -> None:
    run = trainer(tmp_path, composites, learning_rate_decay=0.5)
    run.run()
    rates = [group["lr"] for group in run.backend.optimisers["networks"].param_groups]
    assert rates == [pytest.approx(2e-3 * (1 - 0.9 * 2 / 3))]


def test_other_pairs_are_another_run(tmp_path: Path, composites: Composites) -> None:
    trainer(tmp_path, composites, steps=2).run()
    other = trainer(tmp_path, replace(composites, masks_from="others"), steps=4)
    with pytest.raises(TrainingStateError, match="other pictures"):
        other.resume()


def test_the_log_names_every_term(tmp_path: Path, composites: Composites) -> None:
    trainer(tmp_path, composites, steps=2).run()
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert {"reconstruction", "bands", "mask", "discriminator", "covered", "redrawn"} <= set(line)


def test_masks_of_a_frame_within_are_cut_out() -> None:
    pictures = torch.zeros(2, 3, 20, 20, dtype=torch.uint8)
    pictures[1, 0, 5:10, 10:] = 255
    quarter = FrameSpec("quarter", within="all", x=0.75, y=0.25, width=0.5, height=0.5)
    masks = making.content_masks(lambda images: images[:, :1], pictures, quarter, (10, 10))
    assert masks.dtype == torch.uint8
    assert not masks[0].any()
    assert torch.equal(masks[1, 0, 5:], torch.full((5, 10), 255, dtype=torch.uint8))
    assert not masks[1, 0, :5].any()
    whole = making.content_masks(lambda images: images[:, :1], pictures, WHOLE_FRAME, (20, 20), batch=1)
    assert torch.equal(whole[:, 0], pictures[:, 0])


class Bright(Presence):
    """Finds the content in bright pictures."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


def test_pictures_that_are_surely_in_the_wrong_domain_are_left_out() -> None:
    levels = torch.linspace(0, 255, 40).byte().view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    domains = Domains(without=levels, with_=levels.flip(0), without_odds=torch.full((40,), 1 / 40).double().numpy())
    kept, which, bare = making.believed(domains, domains, Bright())
    assert kept.without.max() <= 0.9 * 255
    assert kept.with_.min() >= 0.1 * 255 - 1
    assert len(kept.with_) == int(which.sum()) == 36
    assert torch.equal(domains.with_[which], kept.with_)
    assert torch.equal(domains.without[bare], kept.without)
    assert kept.without_odds is not None
    assert kept.without_odds.sum() == pytest.approx(1)
    assert making.believed(domains, domains, None)[0] is domains


def test_a_detector_of_something_else_is_not_believed() -> None:
    dark = torch.zeros(20, 3, 4, 4, dtype=torch.uint8)
    domains = Domains(without=dark, with_=dark)
    assert making.believed(domains, domains, Bright())[0] is domains


def draw(attribute: str, images: Tensor, frame: str) -> Drawn | None:
    """Draw a plus, badly where the frame says so."""
    if attribute != "plus":
        return None
    masks = torch.ones_like(images[:, :1])
    bad = {"tall": images[..., 1:, :], "bright": images + 1}
    return Drawn(bad.get(frame, images), masks)


def a_family() -> FamilySpec:
    return FamilySpec("signs", attributes=(PLUS, AttributeSpec("minus", "Minus")), pen=f"{__name__}:draw")


def test_a_family_draws_what_it_can() -> None:
    family = a_family()
    pen = making.family_pen(family, PLUS, "all", (16, 32))
    assert pen is not None
    photos = torch.rand(2, 3, 16, 32)
    assert torch.equal(pen(photos).pictures, photos)
    assert making.family_pen(family, family.attributes[1], "all", 16) is None
    assert making.family_pen(None, PLUS, "all", 16) is None
    assert making.family_pen(replace(family, pen=None), PLUS, "all", 16) is None


@pytest.mark.parametrize(("frame", "says"), [("tall", "expected drawn pictures of shape"), ("bright", r"in \[0, 1\]")])
def test_what_a_pen_does_wrong_is_named(frame: str, says: str) -> None:
    with pytest.raises(PluginError, match=f"family 'signs'.*{says}"):
        making.family_pen(a_family(), PLUS, frame, 16)


def hide(attribute: str, images: Tensor, masks: Tensor, frame: str) -> Tensor | None:
    """Leave a plus where pictures are dark, badly where the frame says so."""
    if attribute != "plus":
        return None
    bad = {"thin": masks[..., 1:], "bright": masks + 1, "nothing": masks * float("nan")}
    return bad.get(frame, masks * (images[:, :1] < 0.5))


def test_what_hides_nothing_is_not_cut_out() -> None:
    family = replace(a_family(), hides=f"{__name__}:hide")
    pictures = torch.full((70, 3, 4, 8), 200, dtype=torch.uint8)
    pictures[..., :3] = 20
    masks = torch.full((70, 1, 4, 8), 90, dtype=torch.uint8)
    left = making.hiding_masks(family, PLUS, pictures, masks, "all")
    assert left.dtype == torch.uint8
    assert (left[..., :3] == 90).all()
    assert (left[..., 3:] == 0).all()
    assert making.hiding_masks(family, family.attributes[1], pictures, masks, "all") is masks
    assert making.hiding_masks(a_family(), PLUS, pictures, masks, "all") is masks
    assert making.hiding_masks(None, None, pictures, masks, "all") is masks


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ("thin", r"what hides of shape \(2, 1, 4, 8\), got \(2, 1, 4, 7\)"),
        ("bright", r"in \[0, 1\]"),
        ("nothing", r"in \[0, 1\]"),
    ],
)
def test_what_hides_badly_is_named(frame: str, says: str) -> None:
    masks = torch.full((2, 1, 4, 8), 90, dtype=torch.uint8)
    with pytest.raises(PluginError, match=f"family 'signs'.*{says}"):
        making.hiding_masks(replace(a_family(), hides=f"{__name__}:hide"), PLUS, masks.repeat(1, 3, 1, 1), masks, frame)


def bend(attribute: str, images: Tensor, towards: bool) -> Tensor | None:
    """Take pixels from further right towards a plus, from further left away from it; badly of dark pictures."""
    if attribute != "plus":
        return None
    flow = torch.zeros(len(images), 2, 8, 8)
    flow[:, 0] = (0.1 if towards else -0.1) * torch.linspace(0, 1, 8)
    return flow[:, :1] if images.max() < 0.1 else 20 * flow if images.max() < 0.3 else flow


def test_what_a_content_bends_is_cut_to_the_frame() -> None:
    family = replace(a_family(), bends=f"{__name__}:bend")
    pictures = torch.full((70, 3, 16, 16), 200, dtype=torch.uint8)
    half = FrameSpec("right", "all", 0.75, 0.5, 0.5, 1.0)
    whole = making.content_bends(family, PLUS, pictures, True, WHOLE_FRAME, (64, 128))
    assert whole is not None
    assert whole.shape == (70, 2, 8, 16)
    assert whole[0, 0, 0, -1] == pytest.approx(0.1, abs=0.01)
    right = making.content_bends(family, PLUS, pictures, True, half, (64, 64))
    away = making.content_bends(family, PLUS, pictures, False, half, (64, 64))
    assert right is not None
    assert away is not None
    # half as wide a frame: the same way is twice as many of its sides
    assert right[0, 0, 0, -1] == pytest.approx(0.2, abs=0.01)
    assert 0.09 < float(right[0, 0, 0, 0]) < 0.13
    assert torch.equal(right, -away)
    assert making.content_bends(family, family.attributes[1], pictures, True, half, 64) is None
    assert making.content_bends(a_family(), PLUS, pictures, True, half, 64) is None
    assert making.content_bends(None, PLUS, pictures, True, half, 64) is None


@pytest.mark.parametrize(
    ("shade", "says"), [(10, r"bends of shape \(2, 2, h, w\), got \(2, 1, 8, 8\)"), (60, "at most one side")]
)
def test_what_bends_badly_is_named(shade: int, says: str) -> None:
    pictures = torch.full((2, 3, 16, 16), shade, dtype=torch.uint8)
    with pytest.raises(PluginError, match=f"family 'signs'.*{says}"):
        making.content_bends(replace(a_family(), bends=f"{__name__}:bend"), PLUS, pictures, True, WHOLE_FRAME, 32)


def test_a_sheet_shows_pairs(composites: Composites) -> None:
    assert making.pairs_sheet(composites).shape == (3, 6 * 16, 8 * 32)


def test_masks_grow_with_a_soft_rim() -> None:
    pictures = torch.zeros(1, 3, 40, 40, dtype=torch.uint8)
    pictures[0, 0, 18:22, 18:22] = 255
    masks = making.content_masks(lambda images: images[:, :1], pictures, WHOLE_FRAME, 40, grown=0.2)[0, 0]
    assert masks[20, 20 - 6] > 240
    assert 50 < masks[20, 20 - 10] < 220
    assert masks[20, 20 - 18] == 0


def test_edits_are_cut_to_the_frame_and_laid_on_the_photos() -> None:
    seen, photos = (torch.full((5, 3, side, side), 100, dtype=torch.uint8) for side in (20, 40))
    photos += torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1)
    half = FrameSpec("half", within="all", x=0.5, y=0.75, width=1.0, height=0.5)

    def edit(images: Tensor) -> Tensor:
        images = images.clone()
        images[:, 0, 15:] += 0.2  # the lower half of the frame
        return images

    edited = making.edited_photos(edit, seen, half, photos, limit=3, batch=2)
    assert len(edited.of.unique()) == 3
    change = edited.pictures.float() - photos[edited.of].float()
    assert change[:, 1:].abs().max() == 0
    assert change[:, 0, :18].abs().max() == 0
    torch.testing.assert_close(change[:, 0, 22:], torch.full((3, 18, 40), 51.0))
