"""`mbu-ops eval --attributes`: two contents, from folders, with a report, and what cannot be measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.testing import tiny_didd, tiny_maae
from mbu_ops.weights import WeightsInfo, save
from mbu_ops_cli.app import run


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Sixty pictures with a white bar on the left, and sixty with one on the right."""
    random = np.random.default_rng(0)
    for name, columns in (("hats", slice(2, 6)), ("ties", slice(14, 18))):
        (tmp_path / name).mkdir()
        for index in range(60):
            pixels = random.integers(0, 200, (20, 20, 3), dtype=np.uint8)
            pixels[:, columns] = 255
            Image.fromarray(pixels).save(tmp_path / name / f"{name}{index}.png")
    return ["--with", str(tmp_path / "hats"), "--with", str(tmp_path / "ties"), "--holdout", "0.2"]


@pytest.fixture
def pair(tmp_path: Path) -> str:
    model = tiny_didd()
    path = tmp_path / "pair.safetensors"
    info = WeightsInfo("didd", model.config_to_dict(model.config), 16, attributes=("hats", "ties"))
    save(path, model, info, torch.rand(2, *model.guide_shape))
    return str(path)


def test_two_folders_are_translated_both_ways(
    folders: list[str], pair: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "report"
    arguments = ["eval", *folders, "--weights", pair, "--judge-steps", "1", "--out", str(out)]
    assert run([*arguments, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    names = {figure["name"] for figure in shown["figures"]}
    assert names >= {"judge_hats", "judge_ties", "to_hats", "to_ties", "ms_hats", "psnr_ties", "megabytes"}
    assert [path.name for path in out.rglob("*.png")] == ["translation.png"]
    assert "ties to hats" in (out / "report.md").read_text()
    assert run(arguments) == 0
    again = capsys.readouterr()
    assert "judge, step" not in again.err  # nothing is measured twice
    assert "judge says hats's domain: ties to hats" in again.out


def test_a_judge_of_each_content_must_agree(
    folders: list[str], pair: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    judges = [str(tmp_path / f"{name}.safetensors") for name in ("hats_judge", "ties_judge")]
    for judge in judges:
        assert run(["train-judge", *folders, "--steps", "1", "--out", judge]) == 0
    capsys.readouterr()
    arguments = ["eval", *folders, "--weights", pair, "--judge-steps", "1", "--judges", *judges, "--json"]
    assert run([*arguments, "--compare", pair.replace("pair", "../" + tmp_path.name + "/pair")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {"strict_hats", "strip_ties", "both_hats"} <= {figure["name"] for figure in shown["figures"]}
    assert len(shown["compared"]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--then", "faces/smile"], "--then and --family-out go with one --attribute"),
        (["--weights", "faces/smile"], "not hats and ties"),
        ([], "expected --weights"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    folders: list[str], pair: str, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    given = arguments if arguments[:1] in ([], ["--weights"]) else ["--weights", pair, *arguments]
    assert run(["eval", *folders, *given, "--judge-steps", "1"]) == 2
    assert says in capsys.readouterr().err


def test_judges_of_contents_go_with_two(folders: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["eval", *folders[:2], "--without", folders[3], *folders[4:], "--judges", "a", "b"]) == 2
    assert "--judges goes with --attributes" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dial_is_measured_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torchmetrics")
    random = np.random.default_rng(0)
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        for index in range(60):
            pixels = random.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{name}{index}.png")
    model = tiny_maae()
    path = tmp_path / "dial.safetensors"
    save(path, model, WeightsInfo("maae", model.config_to_dict(model.config), 16), torch.ones(1, *model.guide_shape))
    out = tmp_path / "report"
    arguments = ["eval", "--with", str(tmp_path / "with"), "--without", str(tmp_path / "without"), "--holdout", "0.3"]
    assert run([*arguments, "--weights", str(path), "--judge-steps", "1", "--out", str(out), "--json"]) == 0
    shown = {figure["name"]: figure for figure in json.loads(capsys.readouterr().out)["figures"]}
    assert -1 <= shown["dial"]["value"] <= 1
    assert "swap" not in shown
    sheets = {path.name for path in out.rglob("*.png")}
    assert "dial.png" in sheets
    assert "swap.png" not in sheets
