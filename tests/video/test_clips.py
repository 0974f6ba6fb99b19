"""Videos as they are read and written: time stamps, turned frames, sound, odd sizes, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from mbu_ops.errors import ConfigurationError, FrameError, ImageFileError, ShapeError, VideoFileError
from mbu_ops.frames import Box, Framed
from mbu_ops.images import Limits, limited
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import tiny_mbu
from mbu_ops.video import edit, edit_clip
from mbu_ops.video.clip import ClipFrame
from mbu_ops.video.door import open_clip

from .clips import DiscFinder, picture, pictures, read_video, sound_of, write_gif, write_video

DARK = torch.nn.Hardtanh(0, 0.5)
"""Leaves nothing brighter than a half."""

CORNER = Framed(DARK, Box(8, 8, 40, 40))


def test_outside_the_box_nothing_changes(tmp_path: Path) -> None:
    frames = pictures(5, noise=8)
    source = write_video(tmp_path / "in.mkv", frames)
    report = edit_clip(CORNER, source, tmp_path / "out.mkv", steady=False)
    results, _ = read_video(tmp_path / "out.mkv")
    assert report.frames == len(results) == 5
    for before, after in zip(frames, results, strict=True):
        inside = np.zeros(before.shape[:2], bool)
        inside[8:40, 8:40] = True
        assert np.array_equal(after[~inside], before[~inside])
        assert (after[inside] == np.minimum(before[inside], 128)).all()


def test_time_stamps_sound_and_title_stay(tmp_path: Path) -> None:
    times = [0, 3, 4, 11, 12, 30]
    source = write_video(
        tmp_path / "in.mp4",
        pictures(6),
        times,
        codec="libx264",
        pixels="yuv420p",
        base=Fraction(1, 50),
        sound="aac",
        title="Disc",
    )
    edit_clip(CORNER, source, tmp_path / "out.mp4")
    assert read_video(tmp_path / "out.mp4")[1] == read_video(source)[1] == [Fraction(time, 50) for time in times]
    assert sound_of(tmp_path / "out.mp4") == sound_of(source)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["title"] == "Disc"
        assert container.streams.video[0].codec_context.name == "h264"


def test_a_video_in_rgb_becomes_yuv_that_says_so(tmp_path: Path) -> None:
    frames = pictures(3)
    source = write_video(tmp_path / "in.mkv", frames, codec="libx264rgb", pixels="rgb24")
    edit_clip(CORNER, source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name.startswith("yuv")
        assert frame.colorspace == 6, "BT.601, and not RGB"
        assert np.abs(frame.to_ndarray(format="rgb24")[45:].astype(int) - frames[0][45:]).mean() < 3


def test_metadata_is_left_out_where_asked(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", pictures(3), title="Disc", place="+51.5-0.1/", sound="aac")
    for strip, title in ((None, "Disc"), ("gps", "Disc"), ("metadata", None)):
        report = edit_clip(CORNER, source, tmp_path / "out.mkv", strip=strip, overwrite=True)
        assert (report.keeps_metadata, report.keeps_place) == (title is not None, strip is None)
        with av.open(str(tmp_path / "out.mkv")) as container:
            assert container.metadata.get("title") == title
            assert container.streams.audio[0].metadata.get("title") == title
    assert not edit_clip(CORNER, source, tmp_path / "out.webp").keeps_metadata, "animations hold none"
    whole: Any = {"align": False, "views": 1, "strip": "metadata"}
    edit(source, tmp_path / "whole.mkv", "remove:smile", **whole)
    with av.open(str(tmp_path / "whole.mkv")) as container:
        assert "title" not in container.metadata
    wrong: Any = "place"
    with pytest.raises(ConfigurationError, match="expected strip = metadata, gps or None, got 'place'"):
        edit_clip(CORNER, source, tmp_path / "wrong.mkv", strip=wrong)


def test_a_container_of_another_kind_takes_the_sound_or_says_so(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", pictures(3), codec="libx264", pixels="yuv420p", sound="aac")
    edit_clip(CORNER, source, tmp_path / "out.mkv")
    assert sound_of(tmp_path / "out.mkv") == sound_of(source)
    with pytest.raises(VideoFileError, match=r"sound that a WEBM file takes, got aac"):
        edit_clip(CORNER, source, tmp_path / "out.webm")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mkv"]


def test_webm_is_written_without_sound_that_it_lacks(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", pictures(3))
    edit_clip(CORNER, source, tmp_path / "out.webm", quality=90)
    results, _ = read_video(tmp_path / "out.webm")
    assert np.abs(results[2].astype(int)[45:] - picture(2)[45:]).mean() < 4


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_videos_are_edited_and_written_upright(tmp_path: Path, turn: int) -> None:
    upright = pictures(3)
    lying = [np.ascontiguousarray(np.rot90(frame, -turn // 90)) for frame in upright]
    source = write_video(tmp_path / "in.mp4", lying, codec="libx264", pixels="yuv420p", rotation=turn)
    edit_clip(CORNER, source, tmp_path / "out.mp4")
    results, _ = read_video(tmp_path / "out.mp4")
    assert results[1].shape == upright[1].shape
    assert np.abs(results[1].astype(int)[45:] - upright[1][45:]).mean() < 6
    assert results[1][10:38, 10:38].max() < 150


def test_odd_sizes_and_pixels_that_are_not_square_stay(tmp_path: Path) -> None:
    frames = [np.ascontiguousarray(frame[:63, :95]) for frame in pictures(3)]
    source = write_video(tmp_path / "in.mp4", frames, codec="libx264", pixels="yuv444p", aspect=Fraction(4, 3))
    edit_clip(CORNER, source, tmp_path / "out.mp4")
    results, _ = read_video(tmp_path / "out.mp4")
    assert results[0].shape == (63, 95, 3)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_quality_makes_files_smaller(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", pictures(4, noise=9))
    for quality in (20, 95):
        edit_clip(CORNER, source, tmp_path / f"{quality}.mp4", quality=quality)
    assert (tmp_path / "20.mp4").stat().st_size < (tmp_path / "95.mp4").stat().st_size / 2


def hostile(folder: Path) -> dict[str, Path]:
    whole = write_video(folder / "whole.mp4", pictures(4), codec="libx264", pixels="yuv420p", sound="aac")
    data = whole.read_bytes()
    files = {"cut": data[: len(data) // 2], "empty": b"", "text": b"no video", "list": b"#EXTM3U\nwhole.mp4\n"}
    for name, content in files.items():
        (folder / f"{name}.mp4").write_bytes(content)
    with av.open(str(folder / "sound.mp4"), "w") as container:
        tone = container.add_stream("aac", rate=8000, layout="mono")
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        heard.sample_rate = 8000
        container.mux(tone.encode(heard))
        container.mux(tone.encode(None))
    return {path.stem: path for path in folder.iterdir()}


REASONS = {
    "cut": "damaged or other file",
    "empty": "an empty file",
    "text": "damaged or other file",
    "list": "damaged or other file",
    "sound": "a file without one",
    "missing": "no such file",
}


@pytest.mark.parametrize("name", REASONS)
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, name: str) -> None:
    source = hostile(tmp_path).get(name, tmp_path / "missing.mp4")
    before = set(tmp_path.iterdir())
    with pytest.raises(VideoFileError, match=REASONS[name]) as caught:
        edit_clip(CORNER, source, tmp_path / "out.mp4")
    assert repr(str(source)) in str(caught.value)
    assert set(tmp_path.iterdir()) == before


def test_long_clips_and_large_frames_are_refused(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", pictures(6))
    with pytest.raises(VideoFileError, match="at most 5 frames, got 6 or more"):
        edit_clip(CORNER, source, tmp_path / "out.mkv", max_frames=5)
    with limited(Limits(max_pixels=1000)), pytest.raises(VideoFileError, match="got 96 x 64"):
        edit_clip(CORNER, source, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


CLIPS: dict[str, Callable[[Path, list[Any]], Path]] = {"mkv": write_video, "gif": write_gif}


@pytest.mark.parametrize("suffix", CLIPS)
def test_clips_are_held_to_the_limits_of_pictures(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = CLIPS[suffix](tmp_path / f"in.{suffix}", pictures(4)), tmp_path / f"out.{suffix}"
    reasons = {
        r"of its frames, expected at most .* of memory": Limits(max_memory=96 * 64 * 9),
        r"expected a picture, which a process of its own could decode.*isolate": Limits(isolate=True),
    }
    for reason, limits in reasons.items():
        with limited(limits), pytest.raises(VideoFileError, match=reason) as caught:
            edit_clip(CORNER, source, out)
        assert repr(str(source)) in str(caught.value)
    with limited(Limits(timeout=60, max_memory=10**9)):
        assert edit_clip(CORNER, source, out).frames == 4
    out.unlink()

    kind = type(open_clip(source).clip)
    frames, over = kind.frames, threading.Event()

    def slow(self: Any) -> Iterator[ClipFrame]:
        for number, frame in enumerate(frames(self)):
            if number == 2:
                over.wait(30)
            yield frame

    monkeypatch.setattr(kind, "frames", slow)
    with limited(Limits(timeout=0.5)), pytest.raises(VideoFileError, match=r"expected frame 2 to be decoded within 0"):
        edit_clip(CORNER, source, out)
    over.set()
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_an_animation_that_memory_would_not_hold_is_refused_before_it_is_edited(tmp_path: Path) -> None:
    source = write_gif(tmp_path / "in.gif", pictures(40))
    told: list[str] = []
    with limited(Limits(max_memory=96 * 64 * 30)), pytest.raises(VideoFileError, match="write a video instead"):
        edit_clip(CORNER, source, tmp_path / "out.gif", progress=lambda stage, *_: told.append(stage))
    assert not told


def test_results_that_exist_and_the_clip_itself_are_safe(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", pictures(3))
    (tmp_path / "out.mkv").write_bytes(b"mine")
    with pytest.raises(ImageFileError, match="exists already"):
        edit_clip(CORNER, source, tmp_path / "out.mkv")
    assert (tmp_path / "out.mkv").read_bytes() == b"mine"
    with pytest.raises(ConfigurationError, match="would replace the clip"):
        edit_clip(CORNER, source, source, overwrite=True)
    edit_clip(CORNER, source, tmp_path / "out.mkv", overwrite=True)
    assert len(read_video(tmp_path / "out.mkv")[0]) == 3


def test_what_cannot_be_done_to_clips_is_said(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", pictures(3))
    with pytest.raises(ConfigurationError, match="end with a mask"):
        edit_clip(Segment(tiny_mbu()), source, tmp_path / "out.mkv")
    with pytest.raises(FrameError, match="in some frames of the clip, found none"):
        edit_clip(Framed(DARK, DiscFinder(blind=(0, 1, 2))), source, tmp_path / "out.mkv")
    with pytest.raises(ShapeError):
        edit_clip(Framed(DARK, Box(8, 8, 400, 40)), source, tmp_path / "out.mkv")
    with pytest.raises(ImageFileError, match="for a video or an animation"):
        edit_clip(CORNER, source, tmp_path / "out.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_without_pyav_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_video(tmp_path / "in.mkv", pictures(3))
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(ImageFileError, match=r"pip install 'mbu-ops\[video\]'"):
        edit_clip(CORNER, source, tmp_path / "out.mkv")
