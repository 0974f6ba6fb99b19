"""Formats, qualities and names of results, and files that are not read, as the command line has them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import click
import pytest
from PIL import Image

from mbu_ops.images import read
from mbu_ops.images.formats import FORMATS
from mbu_ops_cli.app import run
from mbu_ops_cli.commands.chain import chain

from ..pictures import draw, smooth, touch
from .conftest import Command


def edit(hats: str, *args: object) -> int:
    return run(["chain", f"remove:{hats}", *map(str, args)])


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_says_what_was_not_read_and_why(
    hats: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(photos, "a.avi", "trip/b.AVI", "c.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    counted = "3 not read: 2 .avi (unsupported format), 1 .heic (pip install 'mbu-ops[heic]')"
    assert edit(hats, "-i", photos, "-o", tmp_path / "out", "--dry-run") == 0
    assert f"5 pictures to edit, 0 skipped, {counted}; nothing was done" in capsys.readouterr().out
    assert edit(hats, "-i", photos, "-o", tmp_path / "out") == 0
    assert capsys.readouterr().err.rstrip().endswith(f" s, {counted}")
    assert edit(hats, "-i", photos, "-o", tmp_path / "out", "--existing", "skip", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["skipped"]) == 5
    assert {Path(file["input"]).name: file["reason"] for file in report["unread"]} == {
        "a.avi": "unsupported format",
        "b.AVI": "unsupported format",
        "c.heic": "pip install 'mbu-ops[heic]'",
    }


def test_results_that_share_a_name_fail_alone(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(photos / "0.gif")
    assert edit(hats, "-i", photos, "-o", tmp_path / "out", "--dry-run", "--json") == 0
    refused = json.loads(capsys.readouterr().out)["refused"]
    assert sorted(Path(failure["input"]).name for failure in refused) == ["0.gif", "0.png"]
    assert edit(hats, "-i", photos, "-o", tmp_path / "out", "--dry-run") == 0
    assert "4 pictures to edit, 0 skipped, 2 refused; nothing was done" in capsys.readouterr().out
    assert edit(hats, "-i", photos, "-o", tmp_path / "out") == 1
    assert "4 pictures written, 2 failed" in capsys.readouterr().err
    assert tree(tmp_path / "out") == ["1.png", "2.png", "trip/a.png", "trip/deep/b.jpg"]
    assert edit(hats, "-i", photos, "-o", tmp_path / "out", "--existing", "skip") == 1
    assert "0 pictures written, 4 skipped (results exist), 2 failed" in capsys.readouterr().err


def test_formats_and_patterns(hats: str, photos: Path, tmp_path: Path) -> None:
    pattern = tmp_path / "out" / "{stem}-new.{ext}"
    assert edit(hats, "-i", photos, "-o", pattern, "--format", "webp", "--quality", 50) == 0
    assert tree(tmp_path / "out")[0] == "0-new.webp"
    assert not read(tmp_path / "out" / "0-new.webp").kind.lossless


def test_a_heic_photo_in_and_out(hats: str, tmp_path: Path) -> None:
    from mbu_ops.images import write

    write(tmp_path / "a.heic", smooth(64, 48))
    assert edit(hats, "-i", tmp_path / "a.heic", "-o", tmp_path / "out") == 0
    assert read(tmp_path / "out" / "a.heic").kind.format == "HEIF"


def test_a_pipe_takes_a_format(hats: str, photos: Path, mbu_ops: Command) -> None:
    data = (photos / "0.png").read_bytes()
    done = mbu_ops("chain", f"remove:{hats}", "-i", "-", "-o", "-", "--format", "avif", input=data)
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("AVIF", (24, 20))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-i", "photos", "-o", "one.jpg"], "expected a folder for the results"),
        (["-i", "photos", "-o", "out/{name}.jpg"], "expected {stem} and {ext}"),
        (["-i", "photos", "-o", "out", "--format", "gif"], "--format: expected one of jpg"),
        (["-i", "photos", "-o", "out", "--format", "heic"], "pip install 'mbu-ops[heic]'"),
        (["-i", "photos", "-o", "out", "--format", "png", "--quality", "80"], "leave it out"),
        (["-i", "photos/0.png", "-o", "a.jpg", "--format", "png"], "ends in .png"),
        (["--format", "png"], "--format needs -i"),
    ],
)
def test_what_does_not_go_together_is_told_before_any_work(
    args: list[str],
    message: str,
    hats: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    before = tree(tmp_path)
    assert edit(hats, *args) == 2
    assert message in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_the_help_names_every_format() -> None:
    (text,) = (one.help for one in chain.params if isinstance(one, click.Option) and one.name == "format")
    assert text is not None
    assert all(format.suffixes[0].strip(".") in text for format in FORMATS.values() if format.writable)


def test_two_shards_make_what_one_command_makes(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edit(hats, "-i", photos, "-o", tmp_path / "whole") == 0
    for shard in ("1/2", "2/2"):
        assert edit(hats, "-i", photos, "-o", tmp_path / "parts", "--shard", shard) == 0
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")
    for name in tree(tmp_path / "whole"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert edit(hats, "-i", photos, "-o", tmp_path / "none", "--shard", "9/9") == 0
    assert tree(tmp_path / "none") == []
    capsys.readouterr()
    for wrong in ("2", "3/2", "0/2", "a/b", "1/2/3"):
        assert edit(hats, "-i", photos, "-o", tmp_path / "none", "--shard", wrong) == 2
        assert "expected I/N with I from 1 to N, such as 2/8" in capsys.readouterr().err
