"""`mbu-ops eval --blind`: from photos to a sheet, and from answers to counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from mbu_ops.frames.frame import Frame
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import load_pretrained, save
from mbu_ops_cli.app import run

from ..pictures import draw
from .conftest import pixels_of, save_tiny


@pytest.fixture
def sides(tmp_path: Path) -> list[str]:
    for number in range(6):
        for side in ("hat", "bare"):
            draw(tmp_path / "people" / f"{number}_{side}.png", seed=number)
    return ["--with", str(tmp_path / "people" / "*_hat.png"), "--without", str(tmp_path / "people" / "*_bare.png")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "blind"


def test_a_sheet_is_made_and_its_answers_counted(
    sides: list[str], hats: str, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(["eval", "--blind", "--step", f"remove:{hats}", *sides, "--count", "2", "--out", str(out), "--seed", "3"])
        == 0
    )
    assert "4 pictures" in capsys.readouterr().out
    key = json.loads((tmp_path / "blind-key.json").read_text())
    assert key["edited"] == "with"
    (digest,) = key["weights"][f"remove:{hats}"]
    assert len(digest) == 64
    assert key["seed"] == 3
    assert len({picture["source"].split("/")[-1][0] for picture in key["pictures"].values()}) == 4
    for name, picture in key["pictures"].items():
        same = (pixels_of(out / "pictures" / f"{name}.png") == pixels_of(picture["source"])).all()
        assert same == (picture["shown"] == "real")
        assert ("bare" in picture["source"]) == same
    answers = tmp_path / "answers.txt"
    answers.write_text("\n".join(f"{name} {picture['shown']}" for name, picture in key["pictures"].items()))
    arguments = ["eval-blind", "--answers", str(answers), "--key", str(tmp_path / "blind-key.json")]
    assert run(arguments) == 0
    assert "100.0%  [51.0%, 100.0%]  n=4" in capsys.readouterr().out
    assert run([*arguments, "--json"]) == 0
    told, real, edited = json.loads(capsys.readouterr().out)["figures"]
    assert (told["value"], real["value"], edited["value"]) == (1, 0, 1)
    answers.write_text((out / "answers.txt").read_text())  # the form that nobody has filled in
    assert run(arguments) == 2
    assert "expected 'real' or 'edited'" in capsys.readouterr().err


def test_several_edits_in_one_sheet(
    sides: list[str], hats: str, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(save_tiny(tmp_path / "other", seed=1))
    steps = ["--step", f"remove:{hats}", "--step", f"adjust:{other},strength=-1", "--edit", "with"]
    assert run(["eval", "--blind", *steps, *sides, "--count", "1", "--out", str(out)]) != 0  # no dial in it
    capsys.readouterr()
    steps = ["--step", f"add:{hats}", "--step", f"add:{other},guide=2"]
    assert run(["eval", "--blind", *steps, *sides, "--count", "1", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 4
    key = json.loads((tmp_path / "blind-key.json").read_text())
    assert key["edited"] == "without"
    assert len(key["weights"]) == 2


def test_faces_are_found(dolls: Callable[..., None], sides: list[str], hats: str, out: Path, tmp_path: Path) -> None:
    class Corner:
        def find(self, image: Tensor) -> list[Frame]:
            return [Frame(6, 6, 12)]

    info = replace(load_pretrained(hats).info, family="dolls", guides=0)
    (tmp_path / "dolls").mkdir()
    save(tmp_path / "dolls" / "weights.safetensors", tiny_mbu(), info)
    dolls(Corner())
    step = ["--step", f"remove:{tmp_path / 'dolls'}"]
    assert run(["eval", "--blind", *step, *sides, "--count", "1", "--out", str(out)]) == 0
    assert {pixels_of(file).shape for file in (out / "pictures").iterdir()} == {(12, 12, 3)}
    other = str(tmp_path / "whole")
    assert run(["eval", "--blind", *step, *sides, "--no-align", "--count", "1", "--out", other]) == 0
    assert {pixels_of(file).shape for file in (tmp_path / "whole" / "pictures").iterdir()} == {(20, 24, 3)}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "expected --step and --out"),
        (["--step", "remove:{hats}", "--out", "{out}"], "expected photos"),
        (["--step", "segment:{hats}", "--out", "{out}", "SIDES"], "makes a mask"),
        (["--step", "remove:{hats}", "--step", "remove:{hats}", "--out", "{out}", "SIDES"], "got one twice"),
        (["--step", "remove:{hats}", "--step", "add:{hats}", "--out", "{out}", "SIDES"], "expected --edit with"),
        (["--step", "remove:{hats}", "--out", "{out}", "--key", "{out}/key.json", "SIDES"], "keep it elsewhere"),
        (["--step", "remove:{hats}", "--out", "{out}", "--count", "4", "SIDES"], "lower --count"),
        (["--step", "remove:{hats}", "--out", "{out}", "--attribute", "glasses", "SIDES"], "goes with --data"),
        (["--step", "remove:{hats}", "--out", "{there}", "SIDES"], "exists already"),
        (["--step", "remove:{hats}", "--out", "{out}", "--key", "{there}", "SIDES"], "exists already"),
        (["--answers", "{out}"], "--key"),
        (["--answers", "{out}", "--key", "{out}", "--out", "{out}"], "leave --out out"),
        (["--answers", "{out}", "--key", "{out}"], "expected the key"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str],
    reason: str,
    sides: list[str],
    hats: str,
    out: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "there").write_text("mine")
    words = [word.format(hats=hats, out=out, there=tmp_path / "there") for word in arguments]
    if "SIDES" in words:
        words = [*words[: words.index("SIDES")], *sides]
    assert run(["eval", "--blind", *words]) == 2
    assert reason in capsys.readouterr().err
    assert not out.exists()
    assert (tmp_path / "there").read_text() == "mine"


def test_help_of_the_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "--blind", "--help"]) == 0
    assert "Usage: mbu-ops eval --blind [OPTIONS]" in capsys.readouterr().out
