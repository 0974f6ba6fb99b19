"""`mbu-ops train` on folders of ordinary photos: what a family looks for is found in them, once, and cut out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from mbu_ops import families
from mbu_ops.families import FrameSpec
from mbu_ops.frames.frame import Frame
from mbu_ops.methods import mbu, parsing
from mbu_ops.weights import read_info
from mbu_ops_cli.app import run

from ..tiny_faces import fill_folder, register
from .conftest import training_of

SHORT = ["--config", "tiny", "--steps", "2", "--coarse-steps", "0", "--batch-size", "2", "--threads", "1"]
FRAMES = (FrameSpec("doll"), FrameSpec("eyes", within="doll", y=0.25, width=0.8, height=0.8))


class Finder:
    """Finds one doll: the square around the bright pixels."""

    def __init__(self) -> None:
        self.searched = 0

    def find(self, image: Tensor) -> tuple[Frame, ...]:
        self.searched += 1
        rows, columns = (image[0].amin(0) > 0.45).any(1).nonzero(), (image[0].amin(0) > 0.45).any(0).nonzero()
        if not len(rows):
            return ()
        side = float(columns[-1] - columns[0] + 1)
        return (Frame(float(columns[0]) + side / 2, float(rows[0]) + side / 2, side),)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # notes are not broken into lines
    monkeypatch.setitem(mbu.CONFIGS, "tiny", mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2))
    monkeypatch.setitem(parsing.CONFIGS, "tiny", parsing.ParsingConfig(16, (6, 8), patch=2))


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Finder]:
    found = Finder()
    register(monkeypatch, found, frames=FRAMES)
    families.refresh()
    yield found
    monkeypatch.undo()
    families.refresh()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten dark photos a side with a doll somewhere, and one that shows none."""
    for side in ("with", "without"):
        (tmp_path / side).mkdir()
        for index in range(11):
            pixels = np.random.default_rng(index).integers(0, 60, (60, 80, 3), dtype=np.uint8)
            if index < 10:
                pixels[5 + index : 29 + index, 10 + index : 34 + index] = 200 if side == "with" else 130
            Image.fromarray(pixels).save(tmp_path / side / f"{index}.png")
    return tmp_path


def arguments(photos: Path, *more: str, command: str = "train") -> list[str]:
    places = ["--with", str(photos / "with"), "--without", str(photos / "without"), "--out", str(photos / "out")]
    return [command, *places, *(SHORT if command == "train" else ()), *more]


def learnt(photos: Path, out: str = "out") -> dict[str, Any]:
    facts = training_of(photos / out)["pictures"]
    assert isinstance(facts, dict)
    return facts


def test_photos_of_a_family_are_searched_once(photos: Path, finder: Finder, capsys: pytest.CaptureFixture[str]) -> None:
    family = ["--family", "dolls"]
    assert run(arguments(photos, *family)) == 0
    said = capsys.readouterr().err
    assert "2 of 22 photos cannot be used: 2 without dolls ('10.png', '10.png')" in said
    assert "10 images with the content, 10 without it" in said
    assert finder.searched == 22
    info = read_info(photos / "out" / "weights.safetensors")
    assert (info.family, info.attributes) == ("dolls", ("content",))
    assert learnt(photos)["found"] == "largest"
    assert (photos / ".mbu-cuts").is_dir()
    assert run(arguments(photos, *family, "--resume", "--steps", "3")) == 0
    again = arguments(photos, *family, "--attribute", "mouth", "--frame", "eyes")
    again[again.index(str(photos / "out"))] = str(photos / "other")
    assert run(again) == 0
    assert finder.searched == 22, "one search for other steps, another run and another frame"
    assert learnt(photos, "other")["frame"] == "eyes"
    assert read_info(photos / "other" / "weights.safetensors").attributes == ("mouth",)


@pytest.mark.parametrize("change", [["--no-align"], ["--face", "all"], ["--frame", "eyes"]])
def test_a_run_goes_on_with_the_same_cuts_only(
    photos: Path, finder: Finder, capsys: pytest.CaptureFixture[str], change: list[str]
) -> None:
    assert finder is not None
    assert run(arguments(photos, "--family", "dolls")) == 0
    assert run(arguments(photos, "--family", "dolls", "--resume", "--steps", "3", *change)) == 2
    assert "cannot resume with other pictures" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--family", "dolls", "--no-align"], []])
def test_pictures_that_are_cut_already(photos: Path, finder: Finder, more: list[str]) -> None:
    assert run(arguments(photos, *more)) == 0
    assert finder.searched == 0
    assert set(learnt(photos)) == {"source", "holdout", "with", "without"}
    assert learnt(photos)["with"] == 11
    assert not (photos / ".mbu-cuts").exists()


def test_a_family_without_an_aligner_takes_pictures_as_they_are(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register(monkeypatch)
    families.refresh()
    assert run(arguments(photos, "--family", "dolls")) == 0
    assert "11 images with the content" in capsys.readouterr().err
    assert run(arguments(photos, "--family", "dolls", "--cuts", "cuts")) == 2
    assert "--cuts goes with" in capsys.readouterr().err


def test_cuts_are_kept_where_the_user_says(photos: Path, finder: Finder, capsys: pytest.CaptureFixture[str]) -> None:
    assert finder is not None
    family = ["--family", "dolls", "--cuts", str(photos / "kept")]
    assert run(arguments(photos, *family)) == 0
    assert len(list((photos / "kept").glob("dolls-*/*.jpg"))) == 20
    assert "looking for dolls in 11 photos" in capsys.readouterr().err


def test_too_few_dolls_are_an_error(photos: Path, finder: Finder, capsys: pytest.CaptureFixture[str]) -> None:
    assert finder is not None
    for index in range(3):
        (photos / "with" / f"{index}.png").write_bytes(b"nothing")
    assert run(arguments(photos, "--family", "dolls")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "at least 8 pictures of dolls, found 7 in 11 photos" in said
    assert "3 unreadable ('0.png', '1.png', '2.png')" in said
    assert "--no-align" in said
    assert not (photos / "out" / "state.safetensors").exists()


@pytest.mark.slow
def test_judges_and_figures_share_the_cuts(photos: Path, finder: Finder, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("with", "without"):
        for index in range(40):  # enough on either side of the holdout
            with Image.open(photos / side / f"{index % 10}.png") as image:
                image.resize((240, 180), Image.Resampling.NEAREST).save(photos / side / f"large{index}.png")
        for path in photos.glob(f"{side}/?.png"):  # large enough for a run, and not for a judge
            with Image.open(path) as image:
                image.resize((40, 30), Image.Resampling.NEAREST).save(path)
    given = ["--family", "dolls", "--holdout", "0.4"]
    assert run(arguments(photos, *given)) == 0
    before = finder.searched
    assert before <= 102, "no photo twice"
    judge = arguments(photos, *given, "--steps", "1", command="train-judge")
    judge[judge.index(str(photos / "out"))] = str(photos / "judge.safetensors")
    assert run(judge) == 0
    assert "too small" in capsys.readouterr().err
    measured = arguments(photos, *given, "--weights", str(photos / "out"), "--count", "4", command="eval")
    measured[measured.index("--out") + 1] = str(photos / "report")
    measured += ["--judge", str(photos / "judge.safetensors")]
    assert run(measured) == 0
    assert finder.searched == 102, "each photo once"
    capsys.readouterr()
    assert run([*measured, "--frame", "eyes"]) == 2
    assert "were trained on the frame doll, not on eyes: leave --frame out" in capsys.readouterr().err
    assert run([*measured, "--no-align"]) == 3
    assert "use another file" in capsys.readouterr().err, "a judge of faces is none of whole photos"


def test_labelled_pictures_are_cut_too(photos: Path, finder: Finder, capsys: pytest.CaptureFixture[str]) -> None:
    assert finder is not None
    labelled = fill_folder(photos / "labelled", 12)
    command = ["train", "--method", "parsing", "--family", "dolls", "--labelled", str(labelled), *SHORT]
    command += ["--out", str(photos / "parser")]
    assert run([*command, "--frame", "eyes"]) == 0
    assert learnt(photos, "parser")["frame"] == "eyes"
    assert run([*command, "--resume", "--steps", "3"]) == 2
    assert "cannot resume with other pictures" in capsys.readouterr().err
    assert run([*command, "--no-align"]) == 2
    assert "leave --no-align out" in capsys.readouterr().err
