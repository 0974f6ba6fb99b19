"""Edits that follow what moves: they do not flicker, keep what is not edited, and go on after a stop."""

from __future__ import annotations

import math
import os
import shutil
import stat
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, VideoFileError
from mbu_ops.frames import Framed
from mbu_ops.methods.presence import Detector
from mbu_ops.ops import Remove
from mbu_ops.ops.bound import Chain
from mbu_ops.testing import tiny_mbu
from mbu_ops.video import ClipReport, edit_clip
from mbu_ops.video.work import FoundFile

from .clips import HEIGHT, RADIUS, WIDTH, DiscFinder, centre, pictures, read_video, write_video

COUNT = 20


class Moody(nn.Module):
    """Draws something else whenever the noise is another one, as networks do, in the middle of what it sees."""

    def forward(self, seen: Tensor) -> Tensor:
        mood = torch.sin(seen.mean((1, 2, 3), keepdim=True) * 3000)
        return (seen + 0.15 * mood).clamp(0, 1)


def drawn_on(folder: Path, name: str = "in.mkv", noise: float = 3.0) -> Path:
    return write_video(folder / name, pictures(COUNT, noise))


def around_disc(frame: np.ndarray, number: int) -> np.ndarray:
    """The middle of the disc, moved back to where it was at first."""
    x, y = (round(value) for value in centre(number))
    return frame[y - 7 : y + 7, x - 7 : x + 7].astype(np.float64)


def flicker(frames: list[np.ndarray]) -> float:
    """How much the disc changes from frame to frame, its motion left out."""
    discs = [around_disc(frame, number) for number, frame in enumerate(frames)]
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(discs)]))


def test_edits_flicker_less_than_those_of_single_frames(tmp_path: Path) -> None:
    source = drawn_on(tmp_path)
    results = {}
    for steady in (True, False):
        op = Framed(Moody(), DiscFinder(jitter=0.7))
        edit_clip(op, source, tmp_path / f"{steady}.mkv", steady=steady)
        results[steady] = read_video(tmp_path / f"{steady}.mkv")[0]
    assert flicker(results[False]) > 15
    assert flicker(results[True]) < flicker(results[False]) / 2


def test_what_no_mask_covers_is_the_sources_own(tmp_path: Path) -> None:
    source = drawn_on(tmp_path)
    edit_clip(Framed(Moody(), DiscFinder(jitter=0.7)), source, tmp_path / "out.mkv")
    across, down = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    for number, (before, after) in enumerate(
        zip(read_video(source)[0], read_video(tmp_path / "out.mkv")[0], strict=True)
    ):
        x, y = centre(number)
        far = np.maximum(np.abs(across - x), np.abs(down - y)) > 2 * RADIUS + 3
        assert np.array_equal(before[far], after[far])
        assert not np.array_equal(before, after)


def test_a_gap_in_what_is_found_does_not_show(tmp_path: Path) -> None:
    source = drawn_on(tmp_path)
    dark = nn.Hardtanh(0, 0.3)
    edit_clip(Framed(dark, DiscFinder(blind=(8, 9, 10))), source, tmp_path / "out.mkv")
    assert (
        max(around_disc(frame, number).max() for number, frame in enumerate(read_video(tmp_path / "out.mkv")[0])) < 90
    )


class Undecided(Detector):
    """Sure of what is there in most frames, and not in some."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.asked = 0

    def forward(self, images: Tensor) -> Tensor:
        self.asked += len(images)
        chance = (images.mean((1, 2, 3)) * 5000) % 1
        return (chance < self.share).float()


@pytest.mark.parametrize(("share", "edited"), [(0.75, True), (0.25, False)])
def test_whether_there_is_something_to_do_is_decided_once_for_a_track(
    tmp_path: Path, share: float, edited: bool
) -> None:
    remove = Remove(tiny_mbu())
    remove.detector = Undecided(share)
    source = drawn_on(tmp_path)
    report = edit_clip(Framed(remove, DiscFinder()), source, tmp_path / "out.mkv")
    pairs = zip(read_video(source)[0], read_video(tmp_path / "out.mkv")[0], strict=True)
    assert {bool((before != after).any()) for before, after in pairs} == {edited}
    assert report.idle == (() if edited else ("Remove",))
    if not edited:
        assert (tmp_path / "out.mkv").read_bytes() == source.read_bytes()


def test_steps_of_a_chain_in_a_chain_are_named(tmp_path: Path) -> None:
    remove = Remove(tiny_mbu())
    remove.detector = Undecided(0.25)
    chain = Chain([("inner", Chain([("dim", nn.Hardtanh(0, 0.5)), ("remove:hat", remove)]))])
    report = edit_clip(Framed(chain, DiscFinder()), drawn_on(tmp_path), tmp_path / "out.mkv")
    assert report.idle == ("remove:hat",)


def stop_at(stage: str, frame: int) -> Callable[[str, int, int], None]:
    def told(now: str, done: int, total: int) -> None:
        if (now, done) == (stage, frame):
            raise KeyboardInterrupt

    return told


def run(source: Path, out: Path, finder: DiscFinder, stage: str = "", frame: int = 0) -> ClipReport:
    return edit_clip(Framed(Moody(), finder), source, out, progress=stop_at(stage, frame))


@pytest.mark.parametrize(
    ("stage", "frame", "resumed", "searched"),
    [("searching", 7, 0, COUNT - 7), ("editing", 18, 16, 0), ("writing", 5, COUNT, 0)],
)
def test_a_run_that_was_stopped_goes_on_and_makes_the_same_frames(
    tmp_path: Path, stage: str, frame: int, resumed: int, searched: int
) -> None:
    source = drawn_on(tmp_path)
    run(source, tmp_path / "whole.mkv", DiscFinder(jitter=0.7))
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "out" / "a.mkv", DiscFinder(jitter=0.7), stage, frame)
    assert not (tmp_path / "out" / "a.mkv").exists()
    finder = DiscFinder(jitter=0.7)
    report = run(source, tmp_path / "out" / "a.mkv", finder)
    assert (report.resumed, finder.asked) == (resumed, searched)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mkv"]
    for one, other in zip(
        read_video(tmp_path / "whole.mkv")[0], read_video(tmp_path / "out" / "a.mkv")[0], strict=True
    ):
        assert np.array_equal(one, other)


def test_other_steps_or_another_clip_do_not_go_on(tmp_path: Path) -> None:
    source = drawn_on(tmp_path)
    for change in (lambda: None, lambda: drawn_on(tmp_path, noise=4.0)):
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "a.mkv", DiscFinder(), "editing", 18)
        change()
    finder = DiscFinder()
    report = edit_clip(Framed(nn.Hardtanh(0, 0.5), finder), source, tmp_path / "a.mkv")
    assert (report.resumed, finder.asked) == (0, COUNT)


def test_two_runs_do_not_work_on_one_result(tmp_path: Path) -> None:
    source = drawn_on(tmp_path)

    def told(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("editing", 3):
            with pytest.raises(VideoFileError, match="another run is at work"):
                run(source, tmp_path / "a.mkv", DiscFinder())

    report = edit_clip(Framed(Moody(), DiscFinder()), source, tmp_path / "a.mkv", progress=told)
    assert (report.frames, report.tracks) == (COUNT, 1)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where a run on ``a.mkv`` keeps its work."""
    with pytest.raises(KeyboardInterrupt):
        run(drawn_on(tmp_path), tmp_path / "a.mkv", DiscFinder(), "editing", 2)
    [folder] = tmp_path.glob(".*.work")
    return folder


def test_a_link_for_a_work_folder_is_not_followed(tmp_path: Path, work: Path) -> None:
    shutil.rmtree(work)
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "photo.jpg").touch()
    work.symlink_to(tmp_path / "album")
    with pytest.raises(VideoFileError, match="expected a work folder of your own under this name, got a link"):
        run(drawn_on(tmp_path), tmp_path / "a.mkv", DiscFinder())
    assert [path.name for path in (tmp_path / "album").iterdir()] == ["photo.jpg"]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="has no such users")
def test_a_work_folder_is_for_its_user_alone(tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stat.S_IMODE(work.stat().st_mode) == 0o700
    monkeypatch.setattr(os, "getuid", lambda: work.stat().st_uid + 1)
    with pytest.raises(VideoFileError, match="or a folder of somebody else; remove it, or choose another output"):
        run(drawn_on(tmp_path), tmp_path / "a.mkv", DiscFinder())


def test_what_does_not_belong_into_a_work_folder_is_said(tmp_path: Path, work: Path) -> None:
    (work / "album").mkdir()
    with pytest.raises(VideoFileError, match=r"\.work': cannot be written"):
        run(drawn_on(tmp_path, noise=4.0), tmp_path / "a.mkv", DiscFinder())


def test_progress_counts_frames(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    source = drawn_on(tmp_path)
    edit_clip(Framed(Moody(), DiscFinder()), source, tmp_path / "a.mkv", progress=lambda *one: told.append(one))
    for stage in ("editing", "writing"):
        assert [one for one in told if one[0] == stage] == [(stage, done, COUNT) for done in range(1, COUNT + 1)]


def test_memory_that_runs_out_is_said(tmp_path: Path) -> None:
    class Large(nn.Module):
        def forward(self, seen: Tensor) -> Tensor:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(ConfigurationError, match="out of memory; frames of 96 x 64"):
        edit_clip(Framed(Large(), DiscFinder()), drawn_on(tmp_path), tmp_path / "a.mkv")


def test_whole_frames_are_edited_where_nothing_is_looked_for(tmp_path: Path) -> None:
    source = drawn_on(tmp_path)
    edit_clip(nn.Hardtanh(0, 0.25), source, tmp_path / "a.mkv")
    assert max(int(frame.max()) for frame in read_video(tmp_path / "a.mkv")[0]) == math.ceil(255 / 4)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_during_the_search_is_named() -> None:
    with Path("/dev/full").open("ab", buffering=0) as file, pytest.raises(VideoFileError, match=r"full.*make room"):
        FoundFile(file).add({"time": 0.0})
