"""The family of faces, as its plugin declares it."""

from __future__ import annotations

import hashlib
import importlib
import io
import itertools
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops import weights
from mbu_ops.data.celeba import FACE_FRAME
from mbu_ops.families import AttributeSpec, get_family, rule_holds
from mbu_ops.objectives.mbu import LOSS_WEIGHTS
from mbu_ops_faces.aligner import pretrained

FACES = get_family("faces")
ROOT = Path(__file__).parents[2]
LABELS = ("Male", "5_o_Clock_Shadow", "Mustache", "Goatee", "No_Beard", "Eyeglasses", "Smiling")


LEARNT = [attribute for attribute in FACES.attributes if attribute.with_rule]


@pytest.mark.parametrize("attribute", LEARNT, ids=lambda attribute: attribute.name)
def test_no_picture_is_in_both_sets_and_each_set_has_some(attribute: AttributeSpec) -> None:
    rules = attribute.with_rule + attribute.without_rule
    labels = sorted({label.removeprefix("!") for group in rules for label in group})
    pictures = [
        dict(zip(labels, values, strict=True)) for values in itertools.product([False, True], repeat=len(labels))
    ]
    with_ = [rule_holds(attribute.with_rule, picture) for picture in pictures]
    without = [rule_holds(attribute.without_rule, picture) for picture in pictures]
    assert any(with_)
    assert any(without)
    assert not any(a and b for a, b in zip(with_, without, strict=True))
    assert attribute.recipe in LOSS_WEIGHTS


def test_facial_hair_is_the_papers_rule() -> None:
    (hair,) = (attribute for attribute in FACES.attributes if attribute.name == "facial_hair")
    shaven = dict.fromkeys(LABELS, False) | {"Male": True, "No_Beard": True}
    assert rule_holds(hair.without_rule, shaven)
    for sign in ({"Mustache": True}, {"Goatee": True}, {"No_Beard": False}):
        assert rule_holds(hair.with_rule, shaven | sign)
        for neither in ({"5_o_Clock_Shadow": True}, {"Male": False}):
            assert not rule_holds(hair.with_rule, shaven | sign | neither)
            assert not rule_holds(hair.without_rule, shaven | sign | neither)


def test_the_face_is_celeba_s_aligned_crop() -> None:
    """What the aligner finds, and the whole aligned picture as its head."""
    left, top, right, bottom = (edge * side for edge, side in zip(FACE_FRAME, (178, 218) * 2, strict=True))
    assert (FACES.frame().name, FACES.frame()) == ("face", FACES.frame("face"))
    head = FACES.frame("head")
    width, height = right - left, bottom - top
    assert (head.width * width, head.height * height) == pytest.approx((178, 218))
    assert left + (head.x - head.width / 2) * width == pytest.approx(0)
    assert top + (head.y - head.height / 2) * height == pytest.approx(0)


def test_the_quick_start_names_the_box_of_celeba_s_pictures() -> None:
    """Whole aligned pictures are not what the networks know, so ``--no-align`` is not for them."""
    box = ",".join(str(round(edge * side)) for edge, side in zip(FACE_FRAME, (178, 218) * 2, strict=True))
    text = (ROOT / "docs" / "quickstart.md").read_text("utf-8")
    assert re.search(rf"CelebA's aligned pictures.*`--frame {box}`", text)
    assert not re.search(r"celeba.*--no-align", text)


@pytest.mark.parametrize(
    ("name", "landmarks", "outside"),
    [
        ("eyes", (*range(17, 27), *range(36, 48)), (8, *range(48, 68))),  # brows and eyes; neither chin nor mouth
        ("eyes_and_cheeks", (*range(17, 27), *range(31, 48)), (8, *range(54, 60))),  # to the nose's tip
        ("lower_face", (*range(5, 12), *range(31, 36), *range(48, 68)), (*range(17, 27), *range(36, 48))),
        ("face", range(68), ()),
        ("head", range(68), ()),
    ],
)
def test_frames_show_their_part_of_the_mean_face(name: str, landmarks: Iterable[int], outside: Iterable[int]) -> None:
    frame = FACES.frame(name)
    middle, half = torch.tensor([frame.x, frame.y]), torch.tensor([frame.width, frame.height]) / 2
    inside = ((pretrained().shape - middle).abs() < half - 0.01).all(1)
    assert inside[list(landmarks)].all()
    assert not inside[list(outside)].any()


def test_frames_are_as_wide_as_so_many_distances_of_the_pupils() -> None:
    points = pretrained().shape
    apart = float(points[42:48, 0].mean() - points[36:42, 0].mean())
    sizes = {"eyes": (2.6, 1.1), "eyes_and_cheeks": (2.6, 1.467), "lower_face": (2.2, 1.65)}
    for name, (width, height) in sizes.items():
        frame = FACES.frame(name)
        assert frame.width / apart == pytest.approx(width, rel=0.06)  # landmarks lie a little closer than pupils
        assert frame.height / apart == pytest.approx(height, rel=0.06)
    assert FACES.frame("eyes").y == pytest.approx(float(points[36:48, 1].mean()), abs=0.01)


def test_aliases() -> None:
    known = {alias: attribute.name for attribute in FACES.attributes for alias in attribute.aliases}
    assert (known["eyeglasses"], known["smiling"], known["beard"]) == ("glasses", "smile", "facial_hair")


def test_the_sample_is_a_credited_portrait_with_a_face_in_its_box() -> None:
    (sample,) = FACES.samples
    picture = Image.open(io.BytesIO(sample.locate().read_bytes()))
    left, top, right, bottom = sample.box
    assert right - left == bottom - top, "the model frame is square"
    assert 0 <= left < right <= picture.width
    assert 0 <= top < bottom <= picture.height
    assert sample.locate().stat().st_size < 300_000
    credits = sample.locate().parent / "CREDITS.md"
    assert "NASA" in sample.credit
    assert "public domain" in credits.read_text()
    assert sample.locate().name in credits.read_text()

    # an aligned face: its middle is skin, redder than it is blue, and its darkest rows are the eyes' at 0.44
    pixels = np.asarray(picture.convert("RGB").crop(sample.box).resize((100, 100)), dtype=float)
    cheeks = pixels[50:60, 35:65]
    assert (cheeks[..., 0] > cheeks[..., 2] + 20).mean() > 0.95
    rows = pixels[36:56, 32:44].mean((1, 2)) + pixels[36:56, 54:66].mean((1, 2))
    assert 40 <= 36 + int(rows.argmin()) <= 48


def test_every_promised_file_is_there_and_sound() -> None:
    manifest = json.loads((Path(importlib.import_module("mbu_ops_faces").__file__).parent / "weights.json").read_text())
    assert [entry["id"] for entry in manifest] == [spec.id for spec in FACES.weights]
    folder = Path(importlib.import_module("mbu_ops_checkpoints").__file__).parent
    assert {path.name for path in folder.glob("faces-*.safetensors")} == {spec.file for spec in FACES.weights}
    for spec in FACES.weights:
        card = folder / Path(spec.file).with_suffix(".md")
        assert spec.licence.lower() in card.read_text(encoding="utf-8").lower()
        content = spec.locate().read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (spec.size, spec.sha256)
        info = weights.verify(f"faces/{spec.attributes[0]}/{spec.id}")
        assert (info.family, info.method, info.licence) == ("faces", spec.method, spec.licence)
