from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mbu_ops.families import FamilySpec
from mbu_ops_cli.app import run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_without_input_the_sample_is_edited_and_shown(
    pets: FamilySpec, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chain", "remove:hat", "add:hat", "--family", "pets"]) == 0
    out = capsys.readouterr().out
    assert "wrote mbu-ops-demo.png" in out
    assert "drawn by the tests" in out
    assert out.splitlines()[-1] == "mbu-ops chain remove:hat add:hat --family pets -i photo.jpg -o result.jpg"
    assert [path.name for path in here.iterdir()] == ["mbu-ops-demo.png"]
    with Image.open("mbu-ops-demo.png") as sheet:
        assert sheet.width > 3 * 256  # before, after each step
        assert sheet.height > 3 * 256  # the whole, close up, the mask
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 100


def test_again_and_as_json(pets: FamilySpec, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert run(["chain", "segment:hat", "--family", "pets", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["demo"] == "mbu-ops-demo.png"


def test_a_dry_run_writes_no_sheet(pets: FamilySpec, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chain", "remove:hat", "--family", "pets", "--dry-run"]) == 0
    assert "demo" in capsys.readouterr().out
    assert list(here.iterdir()) == []


def test_a_family_without_samples_says_so(
    pets: FamilySpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mbu_ops_cli.demo.get_family", lambda name: type("Family", (), {"samples": ()}))
    assert run(["chain", "remove:hat", "--family", "pets"]) == 2
    assert "-i and -o" in capsys.readouterr().err
