"""`mbu-ops train-judge` on labelled pictures: several attributes, shares of the people, and how often it is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mbu_ops.data import Source
from mbu_ops.data.domains import Domains
from mbu_ops.errors import WeightsError
from mbu_ops.evaluation.judge import Judge
from mbu_ops_cli.app import run
from mbu_ops_cli.commands.train_judge import check_suits
from mbu_ops_cli.sources import source_of

from .celeba import LABELS, fill_celeba
from .conftest import judge_that_learnt

QUICK = ["--backbone", "small", "--steps", "1", "--count", "8"]
BEARDS = ("5_o_Clock_Shadow", "Mustache", "Goatee")


@pytest.fixture(scope="module")
def celeba(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(fill_celeba(tmp_path_factory.mktemp("data") / "celeba"))


def held_out(shown: str) -> list[str]:
    """Return the lines after the file's own, of which the figures by their titles."""
    titles = ("right on pictures with it", "right on pictures without it", "right, either kind as common")
    return [next((title for title in titles if line.startswith(f"{title}  ")), line) for line in shown.splitlines()[1:]]


def test_several_attributes_are_learnt_and_measured(
    celeba: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "judge.safetensors"
    arguments = ["train-judge", "--attribute", "glasses", "--also", "smiling", "--data", celeba, "--people", "1/2"]
    assert run([*arguments, *QUICK, "--seed", "3", "--out", str(path)]) == 0
    lines = held_out(capsys.readouterr().out)
    figures = ["right on pictures with it", "right on pictures without it", "right, either kind as common"]
    assert lines == ["glasses", *figures, "smile", *figures], "an alias is the attribute"
    judge = Judge.load(path)
    assert (judge.contents, judge.backbone) == (("glasses", "smile"), "small")
    assert judge.learnt["attribute"] == "glasses"
    assert judge.learnt["attributes"] == ["glasses", "smile"]
    assert (judge.learnt["people"], judge.learnt["steps"], judge.learnt["seed"]) == ("1/2", 1, 3)


def test_one_attribute_of_all_people(celeba: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "judge.safetensors"
    assert run(["train-judge", "--attribute", "smile", "--data", celeba, *QUICK, "--out", str(path)]) == 0
    assert held_out(capsys.readouterr().out)[0] == "right on pictures with it", "no name where there is one only"
    learnt = Judge.load(path).learnt
    assert learnt["attribute"] == "smile"
    assert not {"attributes", "people"} & set(learnt)


@pytest.mark.usefixtures("_no_measuring_package")
def test_what_a_judge_starts_from_may_be_missing(
    celeba: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "judge.safetensors"
    assert run(["train-judge", "--attribute", "smile", "--data", celeba, "--steps", "1", "--out", str(path)]) == 3
    assert capsys.readouterr().err.splitlines()[-1].endswith("not installed: pip install mbu-ops-measuring")
    assert not path.exists()
    assert run(["train-judge", "--attribute", "smile", "--data", celeba, *QUICK, "--out", str(path)]) == 0


def test_two_shares_learn_from_other_pictures(celeba: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Mapping[str, Domains]] = []

    def train(domains: Mapping[str, Domains], *_: object) -> Judge:
        seen.append(domains)
        return Judge(tuple(domains))

    monkeypatch.setattr("mbu_ops.evaluation.judge.train_judge", train)
    for part in ("1/2", "2/2"):
        out = str(tmp_path / f"{part[0]}.safetensors")
        assert (
            run(["train-judge", "--attribute", "glasses", "--data", celeba, "--people", part, *QUICK, "--out", out])
            == 0
        )
    first, second = (
        {
            person
            for traits in (one["glasses"].with_traits, one["glasses"].without_traits)
            if traits
            for person in traits.people
        }
        for one in seen
    )
    assert len(first) + len(second) == 40
    assert not first & second


def test_a_folder_that_lacks_a_label_is_left_out(
    celeba: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = fill_celeba(tmp_path / "full", (*LABELS, *BEARDS), count=400)
    path = tmp_path / "judge.safetensors"
    arguments = ["train-judge", "--attribute", "glasses", "--also", "facial_hair", "--data", celeba]
    assert run([*arguments, "--data", str(full), *QUICK, "--out", str(path)]) == 0
    shown = capsys.readouterr()
    assert "facial_hair: learnt without celeba, which has no label 5_o_Clock_Shadow, Goatee, Mustache" in shown.err
    assert "glasses: learnt without" not in shown.err
    assert Judge.load(path).contents == ("glasses", "facial_hair")
    path.unlink()
    assert run([*arguments, *QUICK, "--out", str(path)]) != 0, "where no folder has it"
    assert "5_o_Clock_Shadow" in capsys.readouterr().err
    assert not path.exists()


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    for side in ("with", "without"):
        (tmp_path / side).mkdir()
        for index in range(8):
            Image.fromarray(np.full((140, 140, 3), index, np.uint8)).save(tmp_path / side / f"{index}.png")
    return ["--with", str(tmp_path / "with"), "--without", str(tmp_path / "without")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--attribute", "glasses", "DATA", "--also", "smlie"], "Did you mean 'smile'"),
        (["--attribute", "glasses", "DATA", "--also", "eyeglasses"], "got glasses twice"),
        (["--attribute", "glasses", "DATA", "--also", "smile", "--also", "smile"], "got smile twice"),
        (["--attribute", "glasses", "DATA", "--also", "mouth"], "no labels of --data show 'mouth'"),
        (["--attributes", "glasses,smile", "DATA", "--also", "hair_men"], "--also goes with --attribute:"),
        (["FOLDERS", "--also", "smile"], "--also and --people go with --data"),
        (["FOLDERS", "--people", "1/2"], "--also and --people go with --data"),
        (["FOLDERS", "--people", "1/1"], "--also and --people go with --data"),
        (["--attribute", "glasses", "DATA", "--also", "smile", "--map"], "--map has a network of its own"),
        (["--attribute", "glasses", "DATA", "--backbone", "small", "--map"], "--map has a network of its own"),
        *(
            (["--attribute", "glasses", "DATA", "--people", people], f"got '{people}'")
            for people in ("0/2", "3/2", "x", "1", "1/2/3", "1/0", "-1/2", "1.5/2", "", "1/100")
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str],
    says: str,
    celeba: str,
    folders: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"DATA": ["--data", celeba], "FOLDERS": folders}
    given = [part for name in arguments for part in places.get(name, [name])]
    assert run(["train-judge", *given, "--steps", "1", "--out", str(tmp_path / "judge.safetensors")]) == 2
    shown = capsys.readouterr()
    assert says in " ".join(shown.err.split())
    assert not shown.out
    assert not (tmp_path / "judge.safetensors").exists()


def test_a_judge_suits_each_attribute_that_it_tells(tmp_path: Path) -> None:
    def source(attribute: str) -> Source:
        return source_of(None, attribute, None, (tmp_path / "celeba",), (), (), (), 0.0, None)

    facts = {**source("glasses").facts, "people": "1/2", "steps": 1}
    several = judge_that_learnt({**facts, "attributes": ["glasses", "smile"]})
    for attribute in ("glasses", "smile"):
        check_suits(several, tmp_path / "judge", source(attribute))
    strange = [{"attributes": words} for words in (["smile"], "glasses", {"glasses": 1}, 3)]
    for judge, attribute in [
        (several, "facial_hair"),
        (judge_that_learnt(facts), "smile"),
        *((judge_that_learnt(facts | one), "facial_hair") for one in strange),
    ]:
        with pytest.raises(WeightsError, match="has learnt from"):
            check_suits(judge, tmp_path / "judge", source(attribute))
