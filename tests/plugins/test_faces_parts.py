"""The shipped parser and portrait networks, on the one face that comes with the library."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import mbu_ops
from mbu_ops.families import get_family
from mbu_ops.functional.mask import dilate
from mbu_ops.ops import Generate, Parse, Reshape

ANATOMY = get_family("faces").anatomy
assert ANATOMY is not None
NUMBER = {part.name: index for index, part in enumerate(ANATOMY.parts)}


@pytest.fixture(scope="module")
def labels(face: Tensor) -> Tensor:
    return Parse.from_pretrained("faces/skin").labels(face)


def middle(labels: Tensor, *names: str) -> Tensor:
    """Return the mean row and column of some parts."""
    there = torch.stack([labels[0, 0] == NUMBER[name] for name in names]).any(0)
    assert there.any(), names
    return torch.nonzero(there).float().mean(0)


def test_the_parts_of_a_face_are_found_where_they_are(labels: Tensor) -> None:
    left, right = middle(labels, "left_eye"), middle(labels, "right_eye")
    assert left[1] > right[1] + 10, "the person's own left is on the right"
    assert abs(left[0] - right[0]) < 6
    nose, mouth = middle(labels, "nose"), middle(labels, "upper_lip", "lower_lip", "inner_mouth")
    hair, neck = middle(labels, "hair"), middle(labels, "neck")
    assert hair[0] < left[0] < nose[0] < mouth[0] < neck[0]
    assert middle(labels, "left_brow")[0] < left[0]
    shares = torch.bincount(labels.flatten().long(), minlength=19) / labels.numel()
    assert 0.1 < shares[NUMBER["hair"]] < 0.5
    assert 0.1 < shares[NUMBER["skin"]] < 0.5
    assert shares[NUMBER["inner_mouth"]] > 0, "she smiles"
    for absent in ("glasses", "hat"):
        assert shares[NUMBER[absent]] < 0.005, absent


def test_a_part_of_a_chain_is_the_parsers(face: Tensor, labels: Tensor) -> None:
    with torch.inference_mode():
        found = mbu_ops.chain("segment:hair")(face)
    hair = (labels == NUMBER["hair"]).float()
    assert float(((found > 0.5) == (hair > 0.5)).float().mean()) > 0.97


def test_a_mirrored_face_is_parsed_as_the_mirrored_mask(face: Tensor, labels: Tensor) -> None:
    mirrored = Parse.from_pretrained("faces/skin").labels(face.flip(-1)).flip(-1)
    renamed = torch.tensor(ANATOMY.mirrored_order, dtype=torch.uint8)[mirrored.long()]
    assert float((renamed == labels).float().mean()) > 0.93


@pytest.mark.parametrize("component", ["eyes", "mouth", "skin", "hair", "face"])
def test_a_component_changes_and_nothing_else(component: str, face: Tensor, labels: Tensor) -> None:
    assert ANATOMY is not None
    with torch.inference_mode():
        swapped = mbu_ops.chain(f"swap:{component},guide=1")(face)
    moved = (swapped - face).abs().mean(1, keepdim=True)
    owners = [ANATOMY.components[index].attribute if index is not None else "" for index in ANATOMY.part_components]
    wanted = torch.tensor([component in (owner, "face" if owner else "") for owner in owners])[labels.long()]
    near = dilate(wanted.float(), 8) > 0
    assert float(moved[wanted].mean()) > 0.01
    assert float(moved[~near].mean()) < 0.002


def test_a_closed_mouth_is_drawn_where_the_mask_closes_it(face: Tensor) -> None:
    reshape = Reshape.from_pretrained("faces/face")
    parse = Parse(reshape.model)
    before = parse.labels(face)
    inside = before == NUMBER["inner_mouth"]
    wanted = torch.where(inside, NUMBER["lower_lip"], before)
    with torch.inference_mode():
        closed = reshape(face, wanted)
    after = parse.labels(closed)
    assert int((after == NUMBER["inner_mouth"]).sum()) < int(inside.sum()) / 2
    assert torch.equal(
        closed[(dilate(inside.float(), 12) == 0).expand_as(face)],
        face[(dilate(inside.float(), 12) == 0).expand_as(face)],
    )


def test_a_face_is_generated_in_the_shape_of_its_mask(face: Tensor, labels: Tensor) -> None:
    generate = Generate.from_pretrained("faces/face")
    with torch.inference_mode():
        made = [generate(labels, generate.guides[index : index + 1]) for index in (0, 1)]
        like = generate(labels, generate.encode(face), face)
    parse = Parse.from_pretrained("faces/skin")
    foreground = torch.tensor([index is not None for index in ANATOMY.part_components])[labels.long()]
    for one in (*made, like):
        agreed = (parse.labels(one) == labels)[foreground]
        assert float(agreed.float().mean()) > 0.75
    assert float((made[0] - made[1]).abs().mean()) > 0.02, "guides have looks of their own"
    assert float((like - face).abs().mean()) < float((made[0] - face).abs().mean())
