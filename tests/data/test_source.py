"""Sources know their pictures before one is read, and read those that training sees, or those that it never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mbu_ops.data import LabelledSource, Search, Source
from mbu_ops.data.folder import held_out
from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops.families import AttributeSpec, FamilySpec

from ..pictures import draw
from ..tiny_faces import ANATOMY, fill_folder

HAT = AttributeSpec("hat", "Hat")
DOLLS = FamilySpec("dolls", title="Dolls", attributes=(HAT,), anatomy=ANATOMY)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for index in range(60):
        for side in ("with", "without"):
            draw(tmp_path / side / f"{side}{index}.png", seed=index)
    return tmp_path


def test_folders_are_divided_into_what_training_sees_and_what_it_never_saw(folders: Path) -> None:
    source = Source(with_=(folders / "with",), without=(folders / "without",), holdout=0.4)
    lines: list[str] = []
    training, unseen = source.training(8, lines.append), source.unseen(8, lines.append, 1000)
    assert (training.size, unseen.size) == ((8, 8), (8, 8))
    left_out = sum(held_out(path, 0.4) for path in (folders / "with").iterdir())
    assert (len(training.with_), len(unseen.with_)) == (60 - left_out, left_out)
    assert lines == []


def test_without_a_holdout_nothing_is_unseen(folders: Path) -> None:
    assert Source(with_=(folders / "with",), without=(folders / "without",)).unseen(8, print, 10) is None


def test_facts_are_known_before_there_is_a_picture(tmp_path: Path) -> None:
    source = Source(DOLLS, HAT, ("hat",), with_=(tmp_path / "hats",), without=(tmp_path / "none",), holdout=0.1)
    assert source.facts == {
        "family": "dolls",
        "attribute": "hat",
        "data": [],
        "only": [],
        "with": ["hats"],
        "without": ["none"],
        "holdout": 0.1,
        "drawn": 0,
    }
    searched = replace(source, search=Search(DOLLS, tmp_path / "cuts", every=True), share=(1, 2))
    assert searched.facts == source.facts | {"found": "all", "people": "1/2"}
    assert replace(source, with_=(), without=()).facts["drawn"] == 2000


def test_what_no_family_draws_and_no_folder_holds_is_no_source() -> None:
    with pytest.raises(ConfigurationError, match="what do the pictures show"):
        Source().training(8, print)


def test_drawn_pictures_are_square() -> None:
    drawing = Source(replace(DOLLS, pictures="dolls:draw"), HAT, ("hat",), pictures=8)
    with pytest.raises(ConfigurationError, match="families draw square pictures, and the networks see 32 x 16"):
        drawing.training((16, 32), lambda _: None)


def test_too_few_pictures_are_told(tmp_path: Path) -> None:
    draw(tmp_path / "with" / "a.png")
    draw(tmp_path / "without" / "a.png")
    with pytest.raises(DataError, match="at least 8"):
        Source(with_=(tmp_path / "with",), without=(tmp_path / "without",)).training(8, print)


def test_the_first_labelled_folder_is_divided_and_the_others_add_to_training(tmp_path: Path) -> None:
    first, second = fill_folder(tmp_path / "first", 60), fill_folder(tmp_path / "second", 9)
    source = LabelledSource(DOLLS, (first, second), holdout=0.4)
    training, unseen = source.training(32, print), source.unseen(32, print)
    assert len(training.pixels) + len(unseen.pixels) == 69
    assert 8 < len(unseen.pixels) < 40
    assert replace(source, holdout=0.0).unseen(32, print) is None
    assert source.parser == f"dolls/{ANATOMY.names[0]}"


def test_labelled_folders_differ_and_their_family_names_parts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="got one twice"):
        LabelledSource(DOLLS, (tmp_path, tmp_path / "x" / ".."))
    with pytest.raises(ConfigurationError, match="the family 'dolls' names no parts"):
        LabelledSource(replace(DOLLS, anatomy=None), (tmp_path,))
