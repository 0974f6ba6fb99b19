"""Animated GIF, WebP and PNG files: durations, loops, transparency, and one format in place of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.errors import VideoFileError
from mbu_ops.frames import Box, Framed
from mbu_ops.images.formats import is_clip
from mbu_ops.video import edit_clip

from .clips import DiscFinder, centre, picture, pictures, read_video, write_gif, write_video

CORNER = Framed(torch.nn.Hardtanh(0, 0.5), Box(8, 8, 40, 40))


def frames_of(path: Path) -> list[tuple[np.ndarray, float]]:
    with Image.open(path) as image:
        shown = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            shown.append((np.asarray(image.convert("RGBA")), image.info.get("duration", 0)))
        return shown


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_durations_and_loops_stay(tmp_path: Path, suffix: str) -> None:
    lossless: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    source = write_gif(tmp_path / f"in.{suffix}", pictures(4), [40, 200, 80, 1000], loop=3, **lossless)
    before = frames_of(source)
    report = edit_clip(CORNER, source, tmp_path / f"out.{suffix}")
    after = frames_of(tmp_path / f"out.{suffix}")
    assert report.frames == 4
    assert [duration for _, duration in after] == [40, 200, 80, 1000]
    with Image.open(tmp_path / f"out.{suffix}") as image:
        assert image.info["loop"] == 3
    for (one, _), (other, _) in zip(before, after, strict=True):
        assert np.abs(other[45:].astype(int) - one[45:]).mean() < (3 if suffix == "gif" else 1e-9)
        assert other[10:38, 10:38, :3].max() <= 132


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_frames_without_a_duration_are_shown_as_browsers_do(tmp_path: Path, suffix: str) -> None:
    source = write_gif(tmp_path / f"in.{suffix}", pictures(8), 0)
    edit_clip(Framed(torch.nn.Hardtanh(0, 0.5), DiscFinder()), source, tmp_path / f"out.{suffix}")
    after = frames_of(tmp_path / f"out.{suffix}")
    assert [duration for _, duration in after] == [100] * 8
    for number, (frame, _) in enumerate(after):  # each edited where the disc is then
        x, y = map(round, centre(number))
        assert frame[y - 4 : y + 4, x - 11 : x + 11, :3].max() <= 150
    edit_clip(CORNER, source, tmp_path / "out.mp4")
    assert [float(time) for time in read_video(tmp_path / "out.mp4")[1]] == pytest.approx([n / 10 for n in range(8)])


def test_a_gif_that_is_played_once_stays_so(tmp_path: Path) -> None:
    source = write_gif(tmp_path / "in.gif", pictures(3))
    edit_clip(CORNER, source, tmp_path / "out.gif")
    edit_clip(CORNER, source, tmp_path / "out.webp")
    with Image.open(tmp_path / "out.gif") as gif, Image.open(tmp_path / "out.webp") as webp:
        assert "loop" not in gif.info
        assert webp.info["loop"] == 1


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_what_is_transparent_stays_so(tmp_path: Path, suffix: str) -> None:
    frames = []
    for number in range(4):
        alpha = np.full((64, 96), 255, np.uint8)
        alpha[50:, 10 * number : 10 * number + 20] = 0
        frames.append(Image.fromarray(np.dstack([picture(number), alpha])))
    frames[0].save(tmp_path / f"in.{suffix}", save_all=True, append_images=frames[1:], duration=50, disposal=2)
    edit_clip(CORNER, tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}")
    for (before, _), (after, _) in zip(
        frames_of(tmp_path / f"in.{suffix}"), frames_of(tmp_path / f"out.{suffix}"), strict=True
    ):
        assert (before[..., 3] == 0).any()
        assert np.array_equal(after[..., 3] < 128, before[..., 3] < 128)


def test_few_colours_stay_exact(tmp_path: Path) -> None:
    frames = [np.where(picture(number) > 120, 200, 30).astype(np.uint8) for number in range(3)]
    source = write_gif(tmp_path / "in.gif", frames)
    edit_clip(CORNER, source, tmp_path / "out.gif", steady=False)
    for number, (after, _) in enumerate(frames_of(tmp_path / "out.gif")):
        assert np.array_equal(after[41:, :, :3], frames[number][41:])


def test_videos_and_animations_become_each_other(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mkv", pictures(4), [0, 5, 6, 20])
    edit_clip(CORNER, video, tmp_path / "out.gif")
    assert [duration for _, duration in frames_of(tmp_path / "out.gif")][:3] == [200, 40, 560]
    gif = write_gif(tmp_path / "in.gif", pictures(3), [100, 300, 100])
    edit_clip(CORNER, gif, tmp_path / "out.mp4")
    frames, times = read_video(tmp_path / "out.mp4")
    assert [round(1000 * time) for time in times] == [0, 100, 400]
    assert np.abs(frames[2][45:].astype(int) - picture(2)[45:]).mean() < 5


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_stills_are_no_clips(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(picture(0)).save(tmp_path / f"still.{suffix}")
    write_gif(tmp_path / f"moving.{suffix}", pictures(2))
    assert [is_clip(tmp_path / f"{name}.{suffix}") for name in ("still", "moving", "missing")] == [False, True, False]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_damaged_animations_are_refused_by_name(tmp_path: Path, suffix: str) -> None:
    source = write_gif(tmp_path / f"in.{suffix}", pictures(6, noise=20))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 3])
    with pytest.raises(VideoFileError, match=rf"in\.{suffix}'"):
        edit_clip(CORNER, source, tmp_path / f"out.{suffix}")
    assert not (tmp_path / f"out.{suffix}").exists()


def test_an_animation_that_memory_could_not_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbu_ops.video.animations.MOST_PIXELS", 10_000)
    source = write_gif(tmp_path / "in.gif", pictures(3))
    with pytest.raises(VideoFileError, match="write a video instead"):
        edit_clip(CORNER, source, tmp_path / "out.gif")


def test_the_colours_of_noise_are_not_searched_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 300, 300, 3), dtype=np.uint8)
    source = write_gif(tmp_path / "in.webp", list(noise), 100, lossless=True)
    before, searched = Image.Image.quantize, []

    def quantize(self: Image.Image, *args: Any, palette: Image.Image | None = None, **options: Any) -> Image.Image:
        if palette is None:
            searched.append(len(self.getcolors(1 << 24)))
        return before(self, *args, palette=palette, **options)

    monkeypatch.setattr(Image.Image, "quantize", quantize)
    edit_clip(torch.nn.Identity(), source, tmp_path / "out.gif")
    assert len(searched) == 2
    assert max(searched) <= 1 << 15
    for (frame, _), expected in zip(frames_of(tmp_path / "out.gif"), noise, strict=True):
        assert np.abs(frame[..., :3].astype(int) - expected).mean() < 15
