"""`weights calibrate` teaches weights to see where nothing is to be done; `chain` leaves such pictures alone."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from mbu_ops_cli.app import run

from .conftest import save_tiny, training_of


def paint(folder: Path, count: int, bright: bool, suffix: str = "png") -> Path:
    """Write dark pictures, or pictures with a bright middle."""
    folder.mkdir()
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 90, (24, 24, 3), dtype=np.uint8)
        pixels[6:18, 6:18] += np.uint8(150 * bright)
        Image.fromarray(pixels).save(folder / f"{folder.name}{index}.{suffix}", quality=95, subsampling=0)
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Tiny weights that know bright middles, and what teaching them printed."""
    folder, said = tmp_path_factory.mktemp("taught"), io.StringIO()
    file = save_tiny(folder / "tiny") / "weights.safetensors"
    before = load_file(file)
    with_, without = paint(folder / "with", 60, True), paint(folder / "without", 60, False)
    sides = ["--with", str(with_), "--without", str(without), "--holdout", "0.4"]
    torch.manual_seed(0)
    with contextlib.redirect_stdout(said):
        assert run(["weights", "calibrate", str(folder / "tiny"), *sides, "--steps", "50"]) == 0
    after = load_file(file)
    assert all((after[name] == value).all() for name, value in before.items())
    assert training_of(file.parent)["presence"]["holdout"] == 0.4
    return file.parent, said.getvalue()


def test_the_table_counts_pictures_that_chose_nothing(taught: tuple[Path, str]) -> None:
    table = taught[1].splitlines()
    assert [line.split(":")[0] for line in table[1::3]] == ["remove", "add"]
    assert sum("(missed)" in line and "n=" in line for line in table) == 2
    assert sum("nothing to do, left alone" in line for line in table) == 2


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_what_has_nothing_to_do_is_a_copy(
    taught: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    dark, bright = paint(tmp_path / "dark", 2, False, suffix), paint(tmp_path / "bright", 2, True, suffix)
    out = tmp_path / "out"
    command = ["chain", f"remove:{taught[0]}", "-i", str(dark), "-i", str(bright), "-o", str(out), "--json"]
    assert run(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert {Path(one["input"]).parent.name for one in said["unchanged"]} == {"dark"}
    written = {Path(one["input"]): Path(one["output"]) for one in said["written"]}
    assert len(written) == 4
    for source, target in written.items():
        assert (source.read_bytes() == target.read_bytes()) == (source.parent.name == "dark")
    command[1] += ",presence=0"
    assert run([*command, "--existing", "overwrite"]) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == []


def test_a_copy_has_the_format_that_was_asked_for(
    taught: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = paint(tmp_path / "dark", 1, False) / "dark0.png"
    target = tmp_path / "out.bmp"
    assert run(["chain", f"remove:{taught[0]}", "-i", str(source), "-o", str(target)]) == 0
    assert "nothing to do in 1 picture, left unchanged" in capsys.readouterr().err
    with Image.open(target) as image:
        assert image.format == "BMP"
        assert (np.asarray(image) == np.asarray(Image.open(source))).all()


def test_a_quality_that_is_asked_for_is_what_files_get(taught: tuple[Path, str], tmp_path: Path) -> None:
    source = paint(tmp_path / "dark", 1, False, "jpg") / "dark0.jpg"
    target = tmp_path / "out.jpg"
    assert run(["chain", f"remove:{taught[0]}", "-i", str(source), "-o", str(target), "--quality", "30"]) == 0
    assert target.stat().st_size < source.stat().st_size


def test_calibrate_needs_pictures_that_training_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tiny(tmp_path / "tiny")
    sides = ["--with", str(paint(tmp_path / "a", 8, True)), "--without", str(paint(tmp_path / "b", 8, False))]
    assert run(["weights", "calibrate", str(tmp_path / "tiny"), *sides]) == 2
    assert "expected --holdout" in capsys.readouterr().err
