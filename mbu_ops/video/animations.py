"""Read and write animated GIF, WebP and PNG files through Pillow: frames as they are shown, durations, loops, alpha."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from mbu_ops.errors import VideoFileError
from mbu_ops.files import open_regular
from mbu_ops.images.formats import FORMATS
from mbu_ops.limits import current_limits
from mbu_ops.video.clip import ClipFrame, ClipKind, Pixels, check_size

MOST_PIXELS = 300_000_000
"""Pixels of all frames of the largest animation that is written: Pillow holds them all in memory."""

_LARGEST_PIXEL = 4
"""Bytes in memory: three samples and alpha."""

_USUAL = Fraction(1, 10)
"""Duration of a frame that says none: so long browsers show it."""

_OPAQUE = 255
_HALF = 128
"""Alpha from which a pixel of a GIF file is shown."""

_CLEAR = 255
"""Number of the transparent colour of a GIF frame; the colours before it are the frame's own."""

_MANY_COLOURS = 1 << 16
"""In a frame: its 255 are then found among colours of five bits a sample."""

_COARSE = 0xF8


class AnimationFile:
    """An animated GIF, WebP or PNG file.

    Args:
        path: where it is.

    Raises:
        VideoFileError: if it is missing, damaged, no animation, or has frames of too many pixels.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path), open_regular(path) as file, _opened(file) as image:
            check_size(path, image.width, image.height)
            format = str(image.format)
            self._first = int(bool(image.info.get("default_image")))  # of a PNG file whose still is no part of it
            lossless = format != "WEBP"
            if not lossless:
                file.seek(0)
                lossless = b"VP8L" in file.read()
            self.kind = ClipKind(
                path=path,
                format=format,
                width=image.width,
                height=image.height,
                frames=getattr(image, "n_frames", 1) - self._first,
                # a GIF file that says nothing is played once
                loop=int(image.info.get("loop", 1 if format == "GIF" else 0)),
                lossless=lossless,
                icc=image.info.get("icc_profile"),
            )

    def frames(self) -> Iterator[ClipFrame]:
        """Yield the frames as they are shown, one upon the other.

        Raises:
            VideoFileError: if the file is damaged.
        """
        time = Fraction(0)
        with _reading(self.path), open_regular(self.path) as file, _opened(file) as image:
            for number in range(self.kind.frames or 0):
                image.seek(number + self._first)
                shown = np.asarray(image.convert("RGBA"))
                duration = Fraction(image.info.get("duration", 0)).limit_denominator(1000) / 1000 or _USUAL
                alpha = np.ascontiguousarray(shown[..., 3])
                opaque = bool((alpha == _OPAQUE).all())
                yield ClipFrame(time, duration, np.ascontiguousarray(shown[..., :3]), None if opaque else alpha)
                time += duration


def check_animation(kind: ClipKind, frames: int) -> None:
    """Refuse to write animations that memory would not hold.

    Args:
        kind: what the clip is.
        frames: how many it has; 0 where nobody knows yet.

    Raises:
        VideoFileError: if it is too large.
    """
    most, total = min(MOST_PIXELS, current_limits().max_memory // _LARGEST_PIXEL), kind.width * kind.height * frames
    if total > most:
        raise VideoFileError(
            f"expected an animation of at most {most / 1e6:g} million pixels in all its frames, got "
            f"{total / 1e6:.0f}; write a video instead (-o name.mp4)"
        )


def write_animation(
    path: Path,
    frames: Iterable[tuple[ClipFrame, Pixels]],
    kind: ClipKind,
    format: str,
    durations: Sequence[float],
    transparent: bool,
    quality: int | None = None,
) -> None:
    """Write an animation.

    Args:
        path: where to.
        frames: each frame as it was, and its pixels as they are to be.
        kind: what the clip was.
        format: ``"GIF"``, ``"WEBP"`` or ``"PNG"``.
        durations: of the frames, in seconds.
        transparent: whether a pixel of any frame is.
        quality: of WebP files, 1 to 100; None keeps lossless files so, and takes the format's own for others.

    Raises:
        VideoFileError: if it is too large, or cannot be written.
    """
    check_animation(kind, len(durations))
    make = _indexed if format == "GIF" else _straight
    first, *rest = (make(pixels, frame.alpha) for frame, pixels in frames)
    settings: dict[str, Any] = {"duration": [_milliseconds(one, format) for one in durations]}
    if format == "GIF":
        settings |= {"disposal": 2 if transparent else 1, "optimize": False}
        settings |= {} if kind.loop == 1 else {"loop": kind.loop}
    else:
        settings |= {"loop": kind.loop} | ({"icc_profile": kind.icc} if kind.icc else {})
    if format == "WEBP":
        lossy = quality is not None or not kind.lossless
        settings |= {"quality": quality or FORMATS["WEBP"].quality} if lossy else {"lossless": True}
    try:
        first.save(path, format, save_all=True, append_images=rest, **settings)
    except (OSError, ValueError, RuntimeError) as error:
        raise VideoFileError(f"the animation cannot be written as {format} ({error})") from error


def over_white(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Return pixels as they look on white paper.

    Args:
        pixels: ``(H, W, 3)``.
        alpha: ``(H, W)``; None where all of it is opaque.
    """
    if alpha is None:
        return pixels
    cover = alpha[..., None].astype(np.uint16)
    return ((pixels * cover + _OPAQUE * (_OPAQUE - cover) + _HALF) // _OPAQUE).astype(np.uint8)


def _milliseconds(duration: float, format: str) -> int:
    step = 10 if format == "GIF" else 1  # it counts in hundredths of a second
    return round(duration * 1000 / step) * step


def _straight(pixels: Pixels, alpha: Pixels | None) -> Image.Image:
    return Image.fromarray(pixels if alpha is None else np.dstack([pixels, alpha]))


def _indexed(pixels: Pixels, alpha: Pixels | None) -> Image.Image:
    """Return a frame in 255 colours of its own, without dither: that would flicker."""
    image = Image.fromarray(pixels)
    if image.getcolors(_MANY_COLOURS) is not None:
        image = _in_colours(image)
    else:  # Pillow's search for 255 takes longer than their number grows: of noise, some 20 s for 2 megapixels
        coarse = _in_colours(image.point(lambda value: value & _COARSE))
        image = image.quantize(palette=coarse, dither=Image.Dither.NONE)
    if alpha is None:
        return image
    numbers = np.where(alpha < _HALF, np.uint8(_CLEAR), np.asarray(image))
    shown = Image.fromarray(numbers, "P")
    shown.putpalette((image.getpalette() or [])[: 3 * _CLEAR])
    shown.info["transparency"] = _CLEAR
    return shown


def _in_colours(image: Image.Image) -> Image.Image:
    return image.quantize(_CLEAR, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _opened(file: BinaryIO) -> Image.Image:
    return Image.open(file, formats=("GIF", "PNG", "WEBP"))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in whatever becomes of decoding it."""
    try:
        yield
    except (VideoFileError, GeneratorExit):
        raise
    except FileNotFoundError:
        raise VideoFileError(f"{str(path)!r}: no such file; check the path") from None
    except Exception as error:  # a hostile file can make a decoder raise nearly anything
        raise VideoFileError(
            f"{str(path)!r}: expected a whole GIF, WebP or PNG animation, got a damaged or other file "
            f"({error or type(error).__name__}); fetch it again"
        ) from error
