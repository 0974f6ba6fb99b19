"""What moves: the frames of a video or an animation as they are read, and what has to go with them when written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mbu_ops.errors import VideoFileError
from mbu_ops.images.deadline import within
from mbu_ops.images.file import Strip
from mbu_ops.limits import current_limits

Pixels = NDArray[np.uint8]


class ClipFrame(NamedTuple):
    """One frame.

    Attributes:
        time: when it is shown, in seconds.
        duration: for how long, in seconds.
        pixels: ``(H, W, 3)`` RGB, upright.
        alpha: ``(H, W)``; None where all of it is opaque.
    """

    time: Fraction
    duration: Fraction
    pixels: Pixels
    alpha: Pixels | None = None


@dataclass(frozen=True, slots=True)
class ClipKind:
    """What a clip was, beside its frames: writing goes back to it.

    Attributes:
        path: where it was read from; sound is taken from there.
        format: name of its format, see :data:`mbu_ops.images.formats.FORMATS`.
        width: of its frames, in pixels.
        height: of its frames, in pixels.
        frames: how many there are; None where the file does not say.
        time_base: unit of time stamps, in seconds; None for animations.
        rate: frames a second on average; None where nobody knows.
        codec: of a video.
        aspect: width of a pixel over its height.
        colours: FFmpeg's numbers of colour space, range, primaries and transfer function.
        metadata: title, date and the like.
        loop: how often an animation is played; 0 = for ever.
        lossless: whether an animated WebP file was.
        icc: ICC profile of an animation.
        strip: which metadata is left out where it is written, that of its sound too; see :meth:`without`.
    """

    path: Path
    format: str
    width: int
    height: int
    frames: int | None = None
    time_base: Fraction | None = None
    rate: Fraction | None = None
    codec: str = ""
    aspect: Fraction = Fraction(1)
    colours: tuple[int, int, int, int] = (2, 0, 2, 2)
    metadata: dict[str, str] = field(default_factory=dict)
    loop: int = 0
    lossless: bool = True
    icc: bytes | None = None
    strip: Strip | None = None

    def without(self, strip: Strip | None) -> ClipKind:
        """Return it with less metadata.

        Args:
            strip: ``"metadata"`` leaves all of it out, ``"gps"`` where the clip was taken, None nothing.

        Example:
            >>> kind = ClipKind(Path("a.mp4"), "MP4", 8, 8, metadata={"title": "Disc", "location": "+51.5-0.1/"})
            >>> kind.without("gps").metadata, kind.without("metadata").metadata
            ({'title': 'Disc'}, {})
        """
        return replace(self, metadata=kept_metadata(self.metadata, strip), strip=strip)

    @property
    def described(self) -> bool:
        """Whether its metadata says more than how the file is made."""
        return any(name.lower() not in _TECHNICAL for name in self.metadata)

    @property
    def located(self) -> bool:
        """Whether its metadata says where it was taken."""
        return any(map(_is_place, self.metadata))


_PLACES = ("location", "gps", "xyz")
"""What names of metadata hold that say where a clip was taken."""

_TECHNICAL = ("major_brand", "minor_version", "compatible_brands", "encoder")
"""Names of metadata that only say how a file is made."""


def kept_metadata(metadata: Mapping[str, str], strip: Strip | None) -> dict[str, str]:
    """Return what is left of metadata; see :meth:`ClipKind.without`.

    Example:
        >>> kept_metadata({"title": "Disc", "location": "+51.5-0.1/"}, "gps")
        {'title': 'Disc'}
    """
    if strip == "metadata":
        return {}
    return {name: text for name, text in metadata.items() if strip is None or not _is_place(name)}


def _is_place(name: str) -> bool:
    return any(part in name.lower() for part in _PLACES)


class ClipSource(Protocol):
    """A clip that can be read from its beginning any number of times."""

    @property
    def kind(self) -> ClipKind:
        """What it is."""

    def frames(self) -> Iterator[ClipFrame]:
        """Yield its frames in the order in which they are shown."""


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse frames of too many pixels, or for which memory would not do, before any is decoded.

    Raises:
        VideoFileError: if they are too large, or there are none.
    """
    limits = current_limits()
    if not width * height:
        raise VideoFileError(f"{str(path)!r}: expected frames of at least one pixel, got {width} x {height}")
    if flaw := limits.flaw(width, height, bits=8, scans=0, file_bytes=0):
        raise VideoFileError(f"{str(path)!r}: of its frames, {flaw}")


class HeldClip:
    """A clip that is held to the limits of pictures, frame by frame.

    Each frame, and opening the clip, may take as long as a picture may (:class:`mbu_ops.limits.Limits`).

    Args:
        path: where it is.
        open: opens it.

    Attributes:
        clip: what is held.

    Raises:
        VideoFileError: if it cannot be read, takes too long, or is to be decoded in a process of its own.
    """

    def __init__(self, path: Path, open: Callable[[Path], ClipSource]) -> None:
        limits = current_limits()
        if limits.isolate:
            raise VideoFileError(
                f"{str(path)!r}: expected a picture, which a process of its own could decode, got a video or an "
                "animation; leave it out, or isolate (--isolate) if you trust the file"
            )
        self._path, self._timeout = path, limits.timeout
        self.clip = within(self._timeout, lambda: open(path), str(path), late=self._late("to be opened"))

    @property
    def kind(self) -> ClipKind:
        """What it is."""
        return self.clip.kind

    def frames(self) -> Iterator[ClipFrame]:
        """Yield its frames in the order in which they are shown.

        Raises:
            VideoFileError: if the file is damaged, or a frame takes too long.
        """
        frames = self.clip.frames()
        for number in count():
            late = self._late(f"frame {number} to be decoded")
            frame = within(self._timeout, lambda: next(frames, None), str(self._path), late=late)
            if frame is None:
                return
            yield frame

    def _late(self, what: str) -> VideoFileError:
        return VideoFileError(
            f"{str(self._path)!r}: expected {what} within {self._timeout or 0:g} s, and it was not; it is far too "
            "large, or made to be slow: leave it out, or raise the timeout"
        )


def check_length(path: Path, frames: int, limit: int) -> None:
    """Refuse clips of too many frames.

    Raises:
        VideoFileError: if there are too many.
    """
    if frames > limit:
        raise VideoFileError(
            f"{str(path)!r}: expected at most {limit} frames, got {frames} or more; cut the clip, or raise the limit "
            "(--max-frames, in Python max_frames)"
        )
