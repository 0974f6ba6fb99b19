"""The avatars: the contract of every family, and what their drawings promise."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from mbu_ops_avatars import drawing, family
from mbu_ops_avatars.drawing import STYLES, draw

from mbu_ops import Remove, Segment
from mbu_ops.testing import FamilyTester

ATTRIBUTES = [attribute.name for attribute in family.attributes]


class TestFamily(FamilyTester):
    """What every family's plugin must keep to."""

    family = "avatars"


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_only_the_thing_differs_and_the_mask_is_where(attribute):
    for pair in draw(attribute, "validation", 8, 128):
        change = np.abs(pair.with_.astype(int) - pair.without).max(axis=2)
        beside = np.pad(pair.mask, 1)  # a pixel that is hardly covered may differ beside one that is not
        near = np.logical_or.reduce([beside[y : y + 128, x : x + 128] for y in range(3) for x in range(3)])
        assert pair.mask.any()
        assert np.quantile(change[~near], 0.999) < 40
        assert change[pair.mask].max() > 60
        assert pair.mask.mean() < 0.25
        assert not pair.mask[:16].any()  # neither glasses nor beard nor mouth reaches the top of the head


def test_dark_glasses_cover_dark_eyes():
    """The mask is what the thing covers, not what happens to change colour."""
    unchanged = 0
    for pair in draw("glasses", "train", 20, 128):
        unchanged += int((pair.mask & (pair.with_ == pair.without).all(axis=2)).sum())
    assert unchanged > 100


def test_the_key_colour_is_nobody_s():
    for pair in draw("beard", "train", 6, 64):
        assert not (np.abs(pair.with_ - np.array([255, 0, 255])).max(axis=2) < 60).any()


def test_a_person_is_the_same_each_time_and_another_in_another_partition():
    one, again = (next(draw("glasses", "train", 1, 64)) for _ in range(2))
    for part, other in zip(one[:3], again[:3], strict=True):
        assert np.array_equal(part, other)
    assert not np.array_equal(next(draw("glasses", "validation", 1, 64)).without, one.without)


def test_no_person_is_drawn_twice_within_a_crowd():
    crowd = [pair.without.tobytes() for pair in draw("glasses", "train", 60, 64)]
    assert len(set(crowd)) == len(crowd)


def test_size_changes_nothing_but_the_size():
    small, large = (next(draw("beard", "train", 1, side)) for side in (64, 128))
    halved = large.without.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small.without).mean() < 6


@pytest.mark.parametrize("style", STYLES)
def test_every_variant_that_is_named_exists_in_the_art(style):
    art = json.loads(resources.files("dicebear_styles").joinpath(f"{style}.json").read_text(encoding="utf-8"))
    common, things = STYLES[style]
    for thing in things.values():
        assert set(thing.with_) | set(thing.without) <= set(art["components"][thing.component]["variants"])
        assert not set(thing.with_) & set(thing.without)
    colours = {f"{name}Color" for name in art["colors"]}
    variants = {f"{name}Variant" for name in art["components"]}
    chances = {f"{name}Probability" for name in art["components"]}
    assert set(common) <= colours | variants | chances


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_same_thing_is_drawn_on_somebody_else(attribute):
    """Hair may hide some of it; what both show lies on one place."""
    for pair in draw(attribute, "validation", 4, 96):
        other = pair.another()
        assert not np.array_equal(other.without, pair.without)
        assert np.array_equal(pair.another().with_, other.with_)  # the same each time
        assert (pair.mask & other.mask).sum() > 0.25 * min(pair.mask.sum(), other.mask.sum())


def test_an_unknown_attribute_is_refused():
    with pytest.raises(ValueError, match="got 'hat'"):
        next(draw("hat", "train", 1, 64))


def test_only_public_names_of_mbu_ops_are_used():
    """A third party has no others: no private module, no private name, nothing that is not exported."""
    for path in Path(drawing.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mbu_ops."):
                exported = importlib.import_module(node.module).__all__
                assert {alias.name for alias in node.names} <= set(exported), path.name


def test_every_promised_file_is_there_and_has_a_card():
    assert {attribute for spec in family.weights for attribute in spec.attributes} == set(ATTRIBUTES)
    for spec in family.weights:
        content = spec.locate().read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (spec.size, spec.sha256)
        card = resources.files(spec.package).joinpath(spec.file.replace(".safetensors", ".md"))
        assert spec.licence in card.read_text(encoding="utf-8")
        assert dict(spec.metrics)["mask_iou"] > 0


LEAST_OVERLAP = {"glasses": 0.5, "beard": 0.6, "smile": 0.03}
"""A smile is a pen line, and its mask is far wider; see the card."""


def test_shipped_weights_remove_and_segment():
    for spec in family.weights:
        (attribute,) = spec.attributes
        pairs = list(draw(attribute, "test", 16, 128))
        with_, without = (
            torch.from_numpy(np.stack([getattr(pair, name) for pair in pairs])).permute(0, 3, 1, 2).float() / 255
            for name in ("with_", "without")
        )
        truth = torch.from_numpy(np.stack([pair.mask for pair in pairs]))[:, None]
        with torch.no_grad():
            removed = Remove.from_pretrained(f"avatars/{attribute}")(with_)
            mask = Segment.from_pretrained(f"avatars/{attribute}")(with_) > 0.3
        assert (removed - without).square().mean() < (with_ - without).square().mean()
        assert (mask & truth).sum() > LEAST_OVERLAP[attribute] * (mask | truth).sum()
