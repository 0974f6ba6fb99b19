"""What `mbu-ops train` says before it loads anything, what --dry-run says, and what a run leaves beside its sheets."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mbu_ops.data import Source
from mbu_ops.methods import mbu
from mbu_ops_cli.app import run

Captured = pytest.CaptureFixture[str]
SHORT = (
    "--method",
    "press",
    "--config",
    "tiny",
    "--steps",
    "50",
    "--coarse-steps",
    "0",
    "--batch-size",
    "2",
    "--threads",
    "1",
)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of eight pictures each, and a network small enough for tests."""
    monkeypatch.setitem(mbu.CONFIGS, "tiny", mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2))
    random = np.random.default_rng(0)
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        for index in range(8):
            Image.fromarray(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / name / f"{index}.png")
    return tmp_path


def arguments(folders: Path, *more: str) -> list[str]:
    places = ["--with", str(folders / "with"), "--without", str(folders / "without"), "--out", str(folders / "out")]
    return ["train", *places, *SHORT, *more]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where pictures are read."""

    def fail(*_args: object, **_options: object) -> None:
        raise AssertionError("pictures were read")

    monkeypatch.setattr(Source, "training", fail)


@pytest.mark.usefixtures("unread")
def test_a_dry_run_says_what_would_be_learnt_and_does_nothing(folders: Path, capsys: Captured) -> None:
    assert run(arguments(folders, "--dry-run")) == 0
    said = capsys.readouterr().out
    assert "press-tiny" in said
    assert f"{folders / 'with'}: 8 pictures with it" in said
    assert "0 to 50" in said
    assert said.endswith("nothing was done (--dry-run)\n")
    assert not (folders / "out").exists()


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--with", "no/hats", "--without", "no/heads"), 2, "found no folder at no/hats, no/heads"),
        (("--resume",), 2, "expected a training state"),
        (("--from", "./nothing.safetensors"), 3, "nothing.safetensors"),
        (("--out", "FOLDERS/with/0.png"), 2, "is a file"),
        (("--out", "FOLDERS/with/0.png/run"), 2, "is a file"),
        (("--coarse-steps", "50"), 2, "below steps (50)"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_is_missing_is_said_before_pictures_are_read(
    more: tuple[str, ...], code: int, says: str, dry: tuple[str, ...], folders: Path, capsys: Captured
) -> None:
    assert run(arguments(folders, *(word.replace("FOLDERS", str(folders)) for word in more), *dry)) == code
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("unread")
def test_a_missing_extra_is_said_before_pictures_are_read(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert run(arguments(folders)) == 2
    assert "pip install 'mbu-ops[train]'" in capsys.readouterr().err


@pytest.mark.usefixtures("charts")
def test_a_run_charts_its_losses_and_goes_on_from_where_a_dry_run_says(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert run(arguments(folders)) == 0
    assert (folders / "out" / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert "step 50 of 50 (100%" in capsys.readouterr().err
    assert run(arguments(folders, "--resume", "--steps", "60", "--dry-run")) == 0
    assert "50 to 60" in capsys.readouterr().out
    assert run(arguments(folders, "--resume", "--steps", "40")) == 2
    assert "is at step 50 already, got --steps 40" in capsys.readouterr().err


@pytest.mark.usefixtures("charts")
def test_without_matplotlib_a_run_is_the_same_but_for_its_chart(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(arguments(folders)) == 0
    assert capsys.readouterr().err.count("pip install 'mbu-ops[train]'") == 1
    assert (folders / "out" / "weights.safetensors").is_file()
    assert not (folders / "out" / "losses.png").exists()


def test_quiet_training_says_nothing(folders: Path, capsys: Captured) -> None:
    assert run(arguments(folders, "-q")) == 0
    assert capsys.readouterr().err == ""
