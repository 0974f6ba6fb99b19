"""CelebA's layout: rules, partitions, frames, balancing, and what happens when files are wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mbu_ops.data.celeba import CelebA, balancing_weights
from mbu_ops.data.domains import Domains
from mbu_ops.errors import DataError
from mbu_ops.families.spec import AttributeSpec

GLASSES = AttributeSpec(
    "glasses", "Glasses", with_rule=(("Eyeglasses",),), without_rule=(("!Eyeglasses",),), balance=("Male",)
)


@pytest.fixture
def celeba(tmp_path):
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


def test_rules_select_the_partition(celeba):
    table = CelebA.read(celeba)
    assert table.matching((("Eyeglasses", "!Male"),), "train").tolist() == [2, 6, 10, 14, 18]
    either = table.matching((("Eyeglasses", "Male"), ("!Eyeglasses",)), "validation")
    assert either.tolist() == [20, 21, 23, 24, 25, 27, 28, 29, 31, 32, 33, 35, 36, 37, 39]
    with pytest.raises(DataError, match="Hat"):
        table.matching((("Hat",),), "train")


def test_domains_keep_labels_and_pictures_together(celeba):
    (celeba / "img_align_celeba" / "000002.jpg").write_bytes(b"no picture")
    lines = []
    domains = Domains.from_celeba([celeba], GLASSES, 16, report=lines.append)
    assert domains.without.shape == (10, 3, 16, 16)
    assert domains.with_.shape == (9, 3, 16, 16)
    assert domains.with_.float().mean() > 190
    assert domains.without.float().mean() < 50
    assert len(lines) == 1
    assert "000002.jpg" in lines[0]
    assert domains.without_odds is not None
    assert domains.without_odds.sum() == pytest.approx(1)


def test_validation_pictures_are_not_training_pictures(celeba):
    table = CelebA.read(celeba)
    everything = ((),)
    train, validation = (set(table.matching(everything, part)) for part in ("train", "validation"))
    assert len(train) == len(validation) == 20
    assert not train & validation


@pytest.mark.parametrize("part", ["list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba"])
def test_a_missing_part_is_named(celeba, part):
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
def test_a_damaged_table_is_an_error(celeba, file, text):
    (celeba / file).write_text(text)
    with pytest.raises(DataError, match="layout"):
        CelebA.read(celeba)


def test_too_few_pictures_are_an_error(celeba):
    rare = AttributeSpec("rare", "Rare", with_rule=(("Eyeglasses", "!Eyeglasses"),), without_rule=(("Male",),))
    with pytest.raises(DataError, match="at least"):
        Domains.from_celeba([celeba], rare, 16)


@given(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=1, max_size=30),
)
def test_balancing_weights_are_probabilities_that_match_the_reference(reference, candidates):
    men = np.array(reference)[:, None]
    drawn = np.array(candidates)[:, None]
    odds = balancing_weights(men, drawn)
    assert odds.sum() == pytest.approx(1)
    assert (odds >= 0).all()
    if drawn.any() and not drawn.all():
        assert odds[drawn[:, 0]].sum() == pytest.approx(men.mean())
