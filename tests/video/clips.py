"""Tiny clips: a disc that moves over a texture, as a video with sound, or as an animation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mbu_ops.frames import Frame

WIDTH, HEIGHT, RADIUS = 96, 64, 12
STEP = 2
"""Pixels by which the disc moves to the right with each frame."""


def centre(number: int) -> tuple[float, float]:
    """Where the disc is in a frame."""
    return 24.0 + STEP * number, 32.0


def picture(number: int, noise: float = 0.0, disc: bool = True) -> np.ndarray:
    """One frame, ``(H, W, 3)`` uint8: a red disc on a green and blue texture, with noise of its own."""
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.dstack([np.full_like(across, 40), 60 + across, 60 + 2 * down]).astype(np.float64)
    x, y = centre(number)
    inside = (across + 0.5 - x) ** 2 + (down + 0.5 - y) ** 2 <= RADIUS**2
    if disc:
        pixels[inside] = (220, 90, 90)
    pixels += np.random.default_rng(number).normal(0, noise, pixels.shape)
    return pixels.clip(0, 255).round().astype(np.uint8)


def pictures(count: int, noise: float = 0.0) -> list[np.ndarray]:
    return [picture(number, noise) for number in range(count)]


def write_video(
    path: Path,
    frames: list[np.ndarray],
    times: list[int] | None = None,
    *,
    codec: str = "ffv1",
    pixels: str = "bgr0",
    base: Fraction = Fraction(1, 25),
    sound: str | None = None,
    rotation: int = 0,
    aspect: Fraction = Fraction(1),
    title: str = "",
    place: str = "",
) -> Path:
    """Write frames as a video; by default one that loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = base
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        tone: Any = None if sound is None else container.add_stream(sound, rate=8000, layout="mono")
        for titled in (container, tone):
            if titled is not None:
                titled.metadata["title"] = title
        container.metadata["location"] = place
        for time, frame in zip(times or range(len(frames)), frames, strict=True):
            shown = av.VideoFrame.from_ndarray(frame, format="rgb24")
            shown.time_base, shown.pts = base, time
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
        if tone is not None:
            for start in range(0, 8000, 1000):
                wave = np.sin(np.arange(start, start + 1000) / 9)[None].astype(np.float32)
                heard = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                heard.sample_rate, heard.pts = 8000, start
                container.mux(tone.encode(heard))
            container.mux(tone.encode(None))
    return path


def read_video(path: Path) -> tuple[list[np.ndarray], list[Fraction]]:
    """The frames of a video, and when they are shown."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        base = container.streams.video[0].time_base or Fraction(1)
        return [frame.to_ndarray(format="rgb24") for frame in frames], [(frame.pts or 0) * base for frame in frames]


def sound_of(path: Path) -> list[bytes]:
    """The packets of a clip's sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.dts is not None]


def write_gif(path: Path, frames: list[np.ndarray], duration: list[int] | int = 40, **options: Any) -> Path:
    """Write frames as an animation of the suffix's format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=duration, **options)
    return path


class DiscFinder:
    """Finds the disc, but for some frames, and never quite where it is."""

    def __init__(self, jitter: float = 0.0, blind: tuple[int, ...] = ()) -> None:
        self.jitter, self.blind = jitter, blind
        self.asked = 0

    def find(self, photo: Tensor) -> tuple[Frame, ...]:
        self.asked += 1
        red = (photo[0, 0] > 0.6).double()
        if red.sum() < 50:
            return ()
        rows, columns = (torch.arange(0.5, length, dtype=torch.float64) for length in red.shape)
        x, y = float(red.sum(0) @ columns / red.sum()), float(red.sum(1) @ rows / red.sum())
        if round((x - 24) / STEP) in self.blind:
            return ()
        # by what is seen alone, so that a run that goes on finds the same
        right, down = np.random.default_rng(round(1000 * float(photo.sum()))).normal(0, 1, 2) * self.jitter
        return (Frame(x + float(right), y + float(down), 4.0 * RADIUS),)
