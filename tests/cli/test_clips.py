"""`mbu-ops chain` on videos and animations, alone and among photos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mbu_ops_cli.app import run

from ..pictures import draw
from ..video.clips import pictures, read_video, sound_of, write_gif, write_video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture, a video with sound and an animation, one of them deeper than the others."""
    made = tmp_path / "in"
    draw(made / "photo.png")
    draw(made / "still.gif")
    write_video(made / "clip.mp4", pictures(4), codec="libx264", pixels="yuv420p", sound="aac")
    write_gif(made / "trip" / "moving.gif", pictures(3))
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_of_photos_and_clips(
    hats: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", "-i", str(folder), "-o", str(out)]) == 0
    assert names(out) == ["clip.mp4", "photo.png", "still.png", "trip/moving.gif"]
    assert len(read_video(out / "clip.mp4")[0]) == 4
    assert sound_of(out / "clip.mp4") == sound_of(folder / "clip.mp4")
    assert "2 pictures and 2 clips (7 frames) written" in capsys.readouterr().err


def test_the_report_counts_frames(hats: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["chain", f"remove:{hats}", "-i", str(folder / "clip.mp4"), "-o", str(tmp_path / "out.mkv")]
    assert run([*command, "--json", "--quality", "50", "--no-steady"]) == 0
    [written] = json.loads(capsys.readouterr().out)["written"]
    assert (written["output"], written["frames"]) == (str(tmp_path / "out.mkv"), 4)
    assert run([*command, "--existing", "skip"]) == 0
    assert "1 skipped" in capsys.readouterr().err


def test_the_summary_says_what_clips_keep(hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_video(tmp_path / "in.mp4", pictures(4), codec="libx264", pixels="yuv420p", place="+51.5-0.1/")
    command = ["chain", f"remove:{hats}", "-i", str(source), "-o"]
    assert run([*command, str(tmp_path / "a.mp4")]) == 0
    assert (
        "the source's metadata is kept in 1 clip, in 1 with the place where it was taken (--strip-gps)"
        in capsys.readouterr().err
    )
    assert run([*command, str(tmp_path / "b.mp4"), "--strip-gps"]) == 0
    assert "metadata is kept" not in capsys.readouterr().err


def test_dry_run_names_clips(hats: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", "-i", str(folder), "-o", str(out), "--dry-run", "--format", "jpg"]) == 0
    text = capsys.readouterr().out
    assert f"{folder / 'clip.mp4'} -> {out / 'clip.mp4'}" in text
    assert f"{folder / 'photo.png'} -> {out / 'photo.jpg'}" in text
    assert "2 pictures and 2 clips to edit" in text
    assert not out.exists()


def test_a_broken_or_long_clip_costs_itself_alone(
    hats: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", "-i", str(folder), "-o", str(out), "--max-frames", "3"]) == 1
    assert names(out) == ["photo.png", "still.png", "trip/moving.gif"]
    text = capsys.readouterr().err
    assert "damaged or other file" in text
    assert "at most 3 frames, got 4 or more" in text


def test_masks_are_made_of_pictures_only(
    hats: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"segment:{hats}", "-i", str(folder), "-o", str(out)]) == 1
    assert names(out) == ["photo.png", "still.png"]
    clip = str(folder / "clip.mp4")
    assert run(["chain", f"remove:{hats}", "-i", clip, "-o", str(tmp_path / "b.mp4"), "--save-mask"]) == 2
    assert run(["chain", f"remove:{hats}", "-i", clip, "-o", "-"]) == 2
    assert run(["chain", f"remove:{hats}", "-i", clip, "-o", str(tmp_path / "b.jpg")]) == 2
    assert "only for pictures" in capsys.readouterr().err


def test_videos_that_cannot_be_read_here_are_counted(
    hats: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None if name == "av" else find(name))
    assert run(["chain", f"remove:{hats}", "-i", str(folder), "-o", str(tmp_path / "out")]) == 0
    assert "1 .mp4 (pip install 'mbu-ops[video]')" in capsys.readouterr().err
