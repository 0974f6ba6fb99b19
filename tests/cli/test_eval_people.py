"""`mbu-ops eval --pairs`: edits of photos beside the true photo of the same person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from mbu_ops.frames.frame import Frame
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, save
from mbu_ops_cli.app import run

from ..pictures import draw


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for seed, name in enumerate(("a", "b")):
        draw(folder / f"{name}_smile.jpg", (64, 56), seed)
        draw(folder / f"{name}_target.png", (40, 32), seed + 9)
    (folder / "transforms.json").write_text(json.dumps({name: [[1, 0, 10], [0, 1, 12]] for name in "ab"}))
    return folder


def test_steps_are_compared(people: Path, hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    chain = f"remove:{hats} add:{hats}"
    assert run(["eval", "--pairs", str(people), "--step", f"remove:{hats}", "--step", chain, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["steps"]) == [f"remove:{hats}", chain]
    first, second = ({one["name"]: one for one in figures} for figures in found["steps"].values())
    assert first["pairs_psnr"]["count"] == 2
    assert first["pairs_psnr"]["value"] != second["pairs_psnr"]["value"]
    assert first["pairs_psnr_untouched"] == second["pairs_psnr_untouched"]


def test_lines_for_people_and_a_table_of_several_steps(
    people: Path, hats: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "--pairs", str(people), "--step", f"remove:{hats}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert any("PSNR to the true photo: edited" in line and "dB" in line and "n=2" in line for line in lines)
    assert run(["eval", "--pairs", str(people), "--step", f"remove:{hats}", "--step", f"add:{hats}"]) == 0
    assert f"| | remove:{hats} | add:{hats} |" in capsys.readouterr().out


def test_a_report_is_not_measured_twice(
    people: Path, hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["eval", "--pairs", str(people), "--step", f"remove:{hats}", "--out", str(tmp_path / "out")]
    assert run(arguments) == 0
    first = capsys.readouterr().out
    (sheet,) = (tmp_path / "out").rglob("*.png")
    assert Image.open(sheet).size == (2 * 40, 3 * 32)
    assert "people.png" in (tmp_path / "out" / "report.md").read_text()
    monkeypatch.setattr("mbu_ops.evaluation.same_person.measure_people", None)
    assert run(arguments) == 0
    assert capsys.readouterr().out == first


def test_places_are_found_in_photos(
    people: Path, dolls: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A family that looks for something edits it where it is, and says in which photo there is none."""

    class Finder:
        def find(self, photo: Tensor) -> list[Frame]:
            return [] if photo.mean() < 0.1 else [Frame(30, 28, 40)]

    dolls(Finder())
    model = tiny_mbu()
    info = WeightsInfo("mbu", model.config_to_dict(model.config), 16, "dolls", ("mouth",))
    save(tmp_path / "mouth.safetensors", model, info)
    step = f"remove:{tmp_path / 'mouth.safetensors'}"
    assert run(["eval", "--pairs", str(people), "--step", step, "--json"]) == 0
    (figures,) = json.loads(capsys.readouterr().out)["steps"].values()
    assert figures[0]["value"] != figures[1]["value"]
    Image.fromarray(np.zeros((56, 64, 3), np.uint8)).save(people / "b_smile.jpg")
    assert run(["eval", "--pairs", str(people), "--step", step]) != 0
    assert "b_smile.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--step", "remove:smile"], "--pairs DIR"),
        (["--pairs", "{people}", "--weights", "faces/smile"], "leave --weights out"),
        (["--pairs", "{people}", "--data", "celeba"], "leave --data out"),
        (["--pairs", "{people}", "--judge-steps", "1"], "leave --judge-steps out"),
        (["--pairs", "{people}", "--step", "smile"], "verb"),
        (["--pairs", "{people}", "--step", "segment:{hats}"], "makes a mask"),
        (["--pairs", "{people}", "--step", "adjust:{hats}"], "adjust"),
        (["--pairs", "nowhere"], "transforms.json"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], reason: str, people: Path, hats: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", *(one.format(people=people, hats=hats) for one in arguments)]) == 2
    shown = capsys.readouterr()
    assert reason in shown.err
    assert shown.out == ""
