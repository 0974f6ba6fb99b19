"""`mbu-ops eval-masks` and `mbu-ops train-judge`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mbu_ops_cli.app import run


@pytest.fixture
def labelled(tmp_path: Path) -> list[str]:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        Image.fromarray(random.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(tmp_path / "images" / f"{index}.png")
        labels = np.zeros((32, 32), np.uint8)
        labels[4:12, 4:20] = 13
        Image.fromarray(labels, "L").save(tmp_path / "masks" / f"{index}.png")
    return ["eval-masks", "--images", str(tmp_path / "images"), "--masks", str(tmp_path / "masks")]


@pytest.fixture
def sets(tmp_path: Path) -> list[str]:
    random = np.random.default_rng(1)
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        for index in range(100):
            pixels = random.integers(0, 200, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return ["--with", str(tmp_path / "with"), "--without", str(tmp_path / "without")]


def test_weights_and_baselines_are_measured_side_by_side(
    labelled: list[str], sets: list[str], hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "map.safetensors")
    assert run(["train-judge", *sets, "--steps", "1", "--map", "--out", out]) == 0
    capsys.readouterr()
    kinds = ["--weights", hats, "--map", out, "--difference", hats]
    assert run([*labelled, "--value", "13", *kinds, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"].split(",")[0] for row in rows] == [hats, "activation map", "pixel difference"]
    assert all(0 <= row["value"] <= 1 and row["count"] == 4 for row in rows)
    assert run([*labelled, "--value", "13", *kinds]) == 0
    assert capsys.readouterr().out.count("thresholds") == 3


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--value", "13"], "expected something to measure"),
        (["--value", "13", "--weights", "faces/glasses", "--least", "0.5", "--most", "0.2"], "--least below --most"),
        (["--value", "9", "--weights", "faces/glasses"], "none of 4 is so"),
        (["--value", "13", "--weights", "faces/glasses", "--box", "1,2,3"], "expected LEFT,TOP,RIGHT,BOTTOM"),
        (["--value", "300", "--weights", "faces/glasses"], "300"),
    ],
)
def test_wrong_usage_is_named(
    labelled: list[str], capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    assert run([*labelled, *more]) == 2
    assert says in capsys.readouterr().err


def test_a_judge_is_trained_and_measured(sets: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "judge.safetensors")
    assert run(["train-judge", *sets, "--holdout", "0.3", "--steps", "1", "--out", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == out
    assert "right on pictures with it" in lines[1]
    assert run(["train-judge", *sets, "--steps", "1", "--out", out]) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(["train-judge", *sets, "--steps", "1", "--out", str(tmp_path / "no" / "where")]) == 2
    assert "make it first" in capsys.readouterr().err
    assert run(["train-judge", *sets, "--steps", "1", "--out", str(tmp_path / "second")]) == 0
    assert "without --holdout" in capsys.readouterr().err
