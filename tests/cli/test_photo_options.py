"""Options about faces that do not go together, and guides that are photos; real weights."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from mbu_ops_cli.app import run

from ..portraits import head_on_texture, portrait, texture
from .conftest import pixels_of


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["remove:smile", "--face", "1", "--no-align"], "leave --no-align and --frame out"),
        (["remove:smile", "--face", "1", "--frame", "0,0,9,9"], "leave --no-align and --frame out"),
        (["remove:smile", "--frame", "0,0,9,9", "--no-align"], "leave --no-align out"),
        (["remove:smile", "--save-boxes", "--no-align"], "--save-boxes needs photos to be searched"),
        (["remove:smile", "--save-boxes", "--frame", "0,0,9,9"], "--save-boxes needs photos to be searched"),
        (["remove:handbags/handle", "--save-boxes"], "--save-boxes needs photos to be searched"),
        (["remove:smile", "--small-faces", "--no-align"], "--small-faces needs photos to be searched"),
        (["remove:handbags/handle", "--face", "largest"], "--face needs photos to be searched"),
        (["remove:handbags/handle", "--views", "2"], "--views needs photos to be searched"),
        (["remove:smile", "--views", "2", "--no-align"], "--views needs photos to be searched"),
        (["remove:smile", "remove:handbags/handle"], "look for different things"),
        (["remove:smile", "--face", "9" * 5000], "all, largest or a number from 1"),
        (["remove:smile", "--batch-size", "9" * 5000], "auto or a number from 1"),
        (["remove:smile", "--face", "0"], "all, largest or a number from 1"),
        (["remove:smile", "--face", "-1"], "all, largest or a number from 1"),
        (["remove:smile", "--face", "1.5"], "all, largest or a number from 1"),
        (["remove:smile", "--face", "biggest"], "all, largest or a number from 1"),
        (["remove:smile", "--face", ""], "all, largest or a number from 1"),
        (["remove:smile", "--batch-size", "0"], "auto or a number from 1"),
        (["remove:smile", "--batch-size", "many"], "auto or a number from 1"),
    ],
)
def test_options_that_do_not_go_together(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texture(40, 30).save(tmp_path / "a.png")
    assert run(["chain", *args, "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_boxes_need_a_file_beside_which_to_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texture(40, 30).save(tmp_path / "a.png")
    assert run(["chain", "remove:smile", "-i", str(tmp_path / "a.png"), "-o", "-", "--save-boxes"]) == 2
    captured = capsys.readouterr()
    assert "--save-boxes" in captured.err
    assert "-o FILE" in captured.err
    assert not captured.out


def test_existing_boxes_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head_on_texture(420, 360, (60, 40, 300)).save(tmp_path / "a.png")
    boxes = tmp_path / "out.png.boxes.json"
    boxes.write_text("mine")
    args = ["chain", "remove:smile", "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "out.png"), "--save-boxes"]
    assert run(args) == 2
    assert "exist already" in capsys.readouterr().err
    assert boxes.read_text() == "mine"
    assert run([*args, "--existing", "overwrite"]) == 0
    assert boxes.read_text().startswith("{")


def test_the_face_of_a_guide_is_what_counts(tmp_path: Path) -> None:
    head_on_texture(420, 360, (60, 40, 300)).save(tmp_path / "a.png")
    head_on_texture(700, 500, (350, 150, 300)).save(tmp_path / "far.png")
    # the same face anywhere else, and beside a smaller one
    head_on_texture(560, 420, (20, 10, 300), (380, 200, 150)).save(tmp_path / "near.png")
    results = {}
    for guide in ("far", "near"):
        step, out = f"add:glasses@{tmp_path / guide}.png", tmp_path / f"with-{guide}.png"
        assert run(["chain", step, "-i", str(tmp_path / "a.png"), "-o", str(out)]) == 0
        results[guide] = pixels_of(out).astype(int)
    default = tmp_path / "default.png"
    assert run(["chain", "add:glasses", "-i", str(tmp_path / "a.png"), "-o", str(default)]) == 0
    apart = np.abs(results["far"] - pixels_of(default)).mean()
    assert np.abs(results["far"] - results["near"]).mean() < 0.3 * apart


@pytest.mark.parametrize("option", [False, True])
def test_a_guide_without_a_face_is_told_before_anything_is_written(
    option: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head_on_texture(420, 360, (60, 40, 300)).save(tmp_path / "a.png")
    texture(300, 200, 5).save(tmp_path / "guide.png")
    guide = tmp_path / "guide.png"
    step = ["add:glasses", "--guide", f"glasses={guide}"] if option else [f"add:glasses@{guide}"]
    assert run(["chain", *step, "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "out" / "a.png")]) == 2
    captured = capsys.readouterr()
    assert "expected a face in the guide picture of 'add:glasses" in captured.err
    assert "--no-align" in captured.err
    assert not captured.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "guide.png"]


def test_without_looking_for_faces_guides_are_taken_whole(tmp_path: Path) -> None:
    face = portrait().crop((135, 22, 315, 202))
    face.save(tmp_path / "a.png")
    texture(300, 200, 5).save(tmp_path / "guide.png")
    args = ["--no-align", "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "out.png")]
    assert run(["chain", f"add:glasses@{tmp_path / 'guide.png'}", *args]) == 0


@pytest.mark.parametrize(
    "option", [["--face", "1"], ["--views", "2"], ["--no-align"], ["--save-boxes"], ["--save-mask"]]
)
def test_the_demo_takes_no_options_it_would_not_heed(
    option: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["chain", "remove:smile", *option]) == 2
    assert f"{option[0]} needs -i" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_compiling_without_a_compiler_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class InductorError(RuntimeError):
        __module__ = "torch._inductor.exc"

    def no_compiler(*_args: object) -> NoReturn:
        raise InductorError("No working C++ compiler found")

    monkeypatch.setattr("mbu_ops.batch.runner.Runner.run", no_compiler)
    texture(40, 30).save(tmp_path / "a.png")
    paths = ["-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "out.png")]
    assert run(["chain", "remove:smile", "--no-align", "--compile", *paths]) == 2
    assert "install a C++ compiler, or leave --compile out" in capsys.readouterr().err
