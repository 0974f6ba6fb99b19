"""CelebA's layout: rules, partitions, frames, balancing, and what happens when files are wrong."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mbu_ops.data.celeba import CelebA, Rule, Share, balancing_weights
from mbu_ops.data.domains import Domains
from mbu_ops.errors import DataError
from mbu_ops.families import FrameSpec
from mbu_ops.families.spec import AttributeSpec

GLASSES = AttributeSpec(
    "glasses", "Glasses", with_rule=(("Eyeglasses",),), without_rule=(("!Eyeglasses",),), balance=("Male",)
)


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Forty pictures in CelebA's layout: every second one has glasses (and is bright), every fourth is a man."""
    (tmp_path / "img_align_celeba").mkdir()
    rows, parts = [], []
    for index in range(40):
        glasses, male = index % 2 == 0, index % 4 == 0
        name = f"{index:06d}.jpg"
        Image.new("RGB", (178, 218), (200 if glasses else 40,) * 3).save(tmp_path / "img_align_celeba" / name)
        rows.append(f"{name} {1 if glasses else -1} {1 if male else -1}")
        parts.append(f"{name} {0 if index < 20 else 1}")
    (tmp_path / "list_attr_celeba.txt").write_text("40\nEyeglasses Male\n" + "\n".join(rows) + "\n")
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return tmp_path


def test_rules_select_the_partition(celeba: Path) -> None:
    table = CelebA.read(celeba)
    assert table.matching((("Eyeglasses", "!Male"),), "train").tolist() == [2, 6, 10, 14, 18]
    either = table.matching((("Eyeglasses", "Male"), ("!Eyeglasses",)), "validation")
    assert either.tolist() == [20, 21, 23, 24, 25, 27, 28, 29, 31, 32, 33, 35, 36, 37, 39]
    with pytest.raises(DataError, match="Hat"):
        table.matching((("Hat",),), "train")


def test_some_labels_are_learnt_from_seldom(celeba: Path) -> None:
    usual = Domains.from_celeba([celeba], GLASSES, 16)
    seldom = Domains.from_celeba([celeba], GLASSES, 16, seldom=(("Eyeglasses", 0.25),))
    np.testing.assert_allclose(seldom.without_odds, usual.without_odds)  # nobody among those without
    plain = AttributeSpec("glasses", "Glasses", with_rule=(("!Eyeglasses",),), without_rule=(("Male",), ("!Male",)))
    mixed = Domains.from_celeba([celeba], plain, 16, seldom=(("Eyeglasses", 0.25),))
    bright = (mixed.without[:, 0, 8, 8] > 100).numpy()
    assert bright.sum() == 10
    np.testing.assert_allclose(mixed.without_odds.sum(), 1)
    np.testing.assert_allclose(mixed.without_odds[bright], mixed.without_odds[~bright].mean() / 4)
    none = AttributeSpec("glasses", "Glasses", with_rule=(("!Eyeglasses",),), without_rule=(("Eyeglasses",),))
    with pytest.raises(DataError, match="expected pictures without glasses that are not all seldom, got none"):
        Domains.from_celeba([celeba], none, 16, seldom=(("Eyeglasses", 0.0),))
    with pytest.raises(DataError, match="Hat"):
        Domains.from_celeba([celeba], GLASSES, 16, seldom=(("Hat", 0.5),))


def test_domains_keep_labels_and_pictures_together(celeba: Path) -> None:
    (celeba / "img_align_celeba" / "000002.jpg").write_bytes(b"no picture")
    lines: list[str] = []
    domains = Domains.from_celeba([celeba], GLASSES, 16, report=lines.append)
    assert domains.without.shape == (10, 3, 16, 16)
    assert domains.with_.shape == (9, 3, 16, 16)
    assert domains.with_.float().mean() > 190
    assert domains.without.float().mean() < 50
    assert len(lines) == 1
    assert "000002.jpg" in lines[0]
    assert domains.without_odds is not None
    assert domains.without_odds.sum() == pytest.approx(1)


def test_files_may_be_called_otherwise(celeba: Path) -> None:
    usual = Domains.from_celeba([celeba], GLASSES, 16)
    (celeba / "img_align_celeba").rename(celeba / "img")
    (celeba / "list_attr_celeba.txt").rename(celeba / "list_attr.txt")
    found = Domains.from_celeba([celeba], GLASSES, 16)
    assert torch.equal(found.with_, usual.with_)
    assert found.facts == usual.facts


def test_a_frame_of_the_family_is_cut(celeba: Path) -> None:
    rows, columns = np.mgrid[:218, :178].astype(np.uint8)
    for file in (celeba / "img_align_celeba").iterdir():
        Image.fromarray(np.stack([rows, columns, 0 * rows], -1)).save(file, quality=95)
    eyes = FrameSpec("eyes", within="face", y=0.4, width=0.6, height=0.3)
    domains = Domains.from_celeba([celeba], GLASSES, (51, 102), frame=eyes)
    assert domains.size == (51, 102)
    assert domains.facts["frame"] == "eyes"
    top, left = 36 + 0.25 * 170, 4 + 0.2 * 170
    shown = domains.with_[0].numpy().astype(float)
    assert np.abs(shown[0] - (top + np.arange(51))[:, None]).max() < 6
    assert np.abs(shown[1] - (left + np.arange(102))).max() < 6
    whole = Domains.from_celeba([celeba], GLASSES, 16, frame=FrameSpec("face"))
    assert torch.equal(whole.with_, Domains.from_celeba([celeba], GLASSES, 16).with_)
    assert set(whole.facts) == {"source", "holdout", "with", "without"}, "what runs of before have saved"


def test_the_first_frame_may_lie_elsewhere(celeba: Path) -> None:
    """As in tight crops of heads, whose face frame reaches beyond them."""
    said = {"picture": [356, 436], "centre": [150, 210], "side": 400}  # of pictures twice the size
    (celeba / "frame.json").write_text(json.dumps(said))
    assert np.allclose(CelebA.read(celeba).frame, (-50 / 356, 10 / 436, 350 / 356, 410 / 436))
    Image.new("RGB", (356, 436), (0, 0, 0)).save(celeba / "img_align_celeba" / "000000.jpg")
    with Image.open(celeba / "img_align_celeba" / "000000.jpg") as image:
        image.paste((255, 255, 255), (130, 190, 170, 230))  # a tenth of the frame, in its middle
        image.save(celeba / "img_align_celeba" / "000000.jpg", quality=95)
    domains = Domains.from_celeba([celeba], GLASSES, 40)
    assert domains.facts["first_frames"] == [list(CelebA.read(celeba).frame)], "a run goes on with the same frame only"
    assert json.loads(json.dumps(domains.facts)) == domains.facts
    face = domains.with_[0, 0].float()
    assert face[18:22, 18:22].min() > 200
    assert face[:16].max() < 30
    eyes = FrameSpec("eyes", within="face", width=0.1, height=0.1)
    assert Domains.from_celeba([celeba], GLASSES, 8, frame=eyes).with_[0].min() > 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"picture": [256, 256], "centre": [127, 104.5]}',
        '{"picture": 256, "centre": [127, 104.5], "side": 370}',
        '{"picture": [256, 256], "centre": [127, 104.5], "side": [370]}',
        '{"picture": [256, 256], "centre": [127, 104.5], "side": true}',
        '{"picture": [256, 256], "centre": [127, 104.5], "side": 0}',
        '{"picture": [256, 256], "centre": [127, NaN], "side": 370}',
        '{"picture": [256, 256], "centre": [127, 104.5], "side": 1' + 400 * "0" + "}",
        '{"picture": [256, 256], "centre": [900, 104.5], "side": 370}',
        "[" * 100_000,
    ],
)
def test_a_frame_file_that_says_something_else_is_an_error(celeba: Path, text: str) -> None:
    (celeba / "frame.json").write_text(text)
    with pytest.raises(DataError, match=r"frame\.json' to say where the first frame lies"):
        CelebA.read(celeba)


def test_validation_pictures_are_not_training_pictures(celeba: Path) -> None:
    table = CelebA.read(celeba)
    everything = ((),)
    train, validation = (set(table.matching(everything, part)) for part in ("train", "validation"))
    assert len(train) == len(validation) == 20
    assert not train & validation


@pytest.mark.parametrize("part", ["list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba"])
def test_a_missing_part_is_named(celeba: Path, part: str) -> None:
    (celeba / part).rename(celeba / "elsewhere")
    with pytest.raises(DataError, match=part):
        CelebA.read(celeba)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("list_attr_celeba.txt", "1\n"),
        ("list_attr_celeba.txt", "1\nEyeglasses Male\n000000.jpg 1\n"),
        ("list_eval_partition.txt", "000000.jpg\n"),
        ("list_eval_partition.txt", "another.jpg 0\n"),
    ],
)
def test_a_damaged_table_is_an_error(celeba: Path, file: str, text: str) -> None:
    (celeba / file).write_text(text)
    with pytest.raises(DataError, match="layout"):
        CelebA.read(celeba)


def test_too_few_pictures_are_an_error(celeba: Path) -> None:
    rare = AttributeSpec("rare", "Rare", with_rule=(("Eyeglasses", "!Eyeglasses"),), without_rule=(("Male",),))
    with pytest.raises(DataError, match="at least"):
        Domains.from_celeba([celeba], rare, 16)


@given(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=1, max_size=30),
)
def test_balancing_weights_are_probabilities_that_match_the_reference(
    reference: list[bool], candidates: list[bool]
) -> None:
    men = np.array(reference)[:, None]
    drawn = np.array(candidates)[:, None]
    odds = balancing_weights(men, drawn)
    assert odds.sum() == pytest.approx(1)
    assert (odds >= 0).all()
    if drawn.any() and not drawn.all():
        assert odds[drawn[:, 0]].sum() == pytest.approx(men.mean())


def test_who_is_in_each_picture_is_read_where_it_is_known(celeba: Path) -> None:
    nobody = Domains.from_celeba([celeba], GLASSES, 16, "validation")
    assert len(set(nobody.with_traits.people) | set(nobody.without_traits.people)) == 20
    (celeba / "identity_CelebA.txt").write_text("\n".join(f"{index:06d}.jpg {index // 4}" for index in range(40)))
    (celeba / "img_align_celeba" / "000022.jpg").write_bytes(b"no picture")
    known = Domains.from_celeba([celeba], GLASSES, 16, "validation")
    assert known.with_traits.people.tolist() == [index // 4 for index in range(20, 40, 2) if index != 22]
    assert known.without_traits.people.tolist() == [index // 4 for index in range(21, 40, 2)]
    assert known.with_traits.labels[:, 0].tolist() == [index % 4 == 0 for index in range(20, 40, 2) if index != 22]


@pytest.mark.parametrize("text", ["000000.jpg 1\n", "000000.jpg one", "000000.jpg", "\udce4"])
def test_people_that_are_none_are_refused(celeba: Path, text: str) -> None:
    (celeba / "identity_CelebA.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="CelebA's layout"):
        CelebA.read(celeba)


EVERYTHING: Rule = ((),)


def people_in(table: CelebA, share: Share, rule: Rule = EVERYTHING) -> list[int]:
    return table.people[table.matching(rule, "train", share)].tolist()


@pytest.mark.parametrize("known", [True, False])
def test_shares_of_the_people_are_disjoint_and_all(celeba: Path, known: bool) -> None:
    if known:  # three pictures of each person, not side by side
        lines = "\n".join(f"{index:06d}.jpg {100 + index % 7}" for index in range(40))
        (celeba / "identity_CelebA.txt").write_text(lines)
    table = CelebA.read(celeba)
    for count in (2, 3):
        shares = [people_in(table, (number, count)) for number in range(1, count + 1)]
        assert all(shares)
        assert sum(map(len, map(set, shares))) == len(set().union(*shares)), "nobody in two"
        assert sorted(chain(*shares)) == sorted(people_in(table, (1, 1)))
    halves = [table.matching((("Eyeglasses",),), "train", (number, 2)) for number in (1, 2)]
    assert sorted(np.concatenate(halves)) == table.matching((("Eyeglasses",),), "train").tolist()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=30), st.integers(1, 6))
def test_shares_part_any_people(people: list[int], count: int) -> None:
    size = len(people)
    columns = np.ones((size, 1), bool)
    table = CelebA(Path(), ("",) * size, ("A",), columns, np.zeros(size, int), np.array(people))
    found = [set(people_in(table, (number, count))) for number in range(1, count + 1)]
    assert sum(map(len, found)) == len(set(people))
    assert set().union(*found) == set(people)


def test_domains_of_a_share_show_its_pictures_only(celeba: Path) -> None:
    everyone = (("Eyeglasses",), ("!Eyeglasses",))
    anybody = AttributeSpec("anybody", "Anybody", with_rule=everyone, without_rule=everyone)
    halves = [Domains.from_celeba([celeba], anybody, 16, share=(number, 2)) for number in (1, 2)]
    first, second = ({*half.with_traits.people, *half.without_traits.people} for half in halves)
    assert len(first) + len(second) == 20
    assert not first & second
