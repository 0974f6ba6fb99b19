"""Read videos through PyAV: upright RGB frames in the order in which they are shown, with their time stamps."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from mbu_ops.errors import VideoFileError
from mbu_ops.files import open_regular
from mbu_ops.images.formats import FORMAT_OF_SUFFIX, FORMATS, require
from mbu_ops.video.clip import ClipFrame, ClipKind, check_size

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video import VideoStream

_CONTAINERS = "mov,matroska"
"""FFmpeg's names of the containers that are read, MP4 and WebM among them: playlists could name other files."""

_FEWEST = Fraction(1, 1000)
"""Least time between two frames, in seconds, where time stamps do not grow."""

_USUAL = Fraction(1, 25)
"""Duration of a frame of which nobody knows it."""

_SIDEWAYS = (90, 270)


class VideoFile:
    """A video file.

    Args:
        path: where it is.

    Raises:
        VideoFileError: if it is missing, damaged, holds no video, has frames of too many pixels, or PyAV is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        suffix = path.suffix.lower()
        format = FORMAT_OF_SUFFIX.get(suffix)
        self._format = format.name if format is not None and format.video else "MP4"
        with self._opened() as (_, stream):
            context = stream.codec_context
            check_size(path, context.width, context.height)
        # whether a video lies turned, and what its colours mean, is told by its frames only
        first = next(self._decoded(), None)
        if first is None:
            raise VideoFileError(f"{str(path)!r}: expected a video, got one without frames; fetch it again")
        with self._opened() as (container, stream):
            self.kind = self._kind_of(container, stream, first)

    def _kind_of(self, container: InputContainer, stream: VideoStream, first: av.VideoFrame) -> ClipKind:
        turned = first.rotation % 360 in _SIDEWAYS
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        return ClipKind(
            path=self.path,
            format=self._format,
            width=first.height if turned else first.width,
            height=first.width if turned else first.height,
            frames=stream.frames or None,
            time_base=stream.time_base,
            rate=stream.average_rate,
            codec=stream.codec_context.name,
            aspect=1 / aspect if turned else aspect,
            colours=(
                int(first.colorspace),
                int(first.color_range),
                int(first.color_primaries),
                int(first.color_trc),
            ),
            metadata=dict(container.metadata),
        )

    def frames(self) -> Iterator[ClipFrame]:
        """Yield the frames in the order in which they are shown.

        Raises:
            VideoFileError: if the file is damaged, or frames change their size.
        """
        waiting: tuple[Fraction, Fraction, Any] | None = None
        for number, frame in enumerate(self._decoded()):
            pixels = _upright(frame)
            if pixels.shape[:2] != (self.kind.height, self.kind.width):
                raise VideoFileError(
                    f"{str(self.path)!r}: expected frames of one size, {self.kind.width} x {self.kind.height}, got "
                    f"{pixels.shape[1]} x {pixels.shape[0]} at frame {number}; convert the clip first"
                )
            lasts = self._duration(frame)
            if waiting is None:
                time = self._time(frame, Fraction(0))
            else:
                time = max(self._time(frame, waiting[0] + waiting[1]), waiting[0] + _FEWEST)
                yield ClipFrame(waiting[0], time - waiting[0], waiting[2])
            waiting = time, lasts, pixels
        if waiting is not None:
            yield ClipFrame(*waiting)

    @staticmethod
    def _time(frame: av.VideoFrame, otherwise: Fraction) -> Fraction:
        return otherwise if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base

    def _duration(self, frame: av.VideoFrame) -> Fraction:
        if frame.duration and frame.time_base is not None:
            return frame.duration * frame.time_base
        kind: ClipKind = self.kind
        return 1 / kind.rate if kind.rate else _USUAL

    def _decoded(self) -> Iterator[av.VideoFrame]:
        with self._opened() as (container, stream):
            yield from container.decode(stream)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file at its beginning; whatever goes wrong while it is open names it."""
        with opened(self.path) as container:
            streams = [one for one in container.streams.video if "attached_pic" not in str(one.disposition).lower()]
            if not streams:
                raise VideoFileError(f"{str(self.path)!r}: expected a video, got a file without one (sound alone?)")
            yield container, streams[0]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a video file to read it; whatever FFmpeg complains of while it is open becomes an error that names it.

    Args:
        path: where it is.

    Raises:
        VideoFileError: if it cannot be read, or PyAV is missing.
    """
    require(FORMATS["MP4"], repr(str(path)))
    import av

    try:
        with (
            _whole(path) as file,
            av.open(file, mode="r", container_options={"format_whitelist": _CONTAINERS}) as container,
        ):
            yield container
    except av.FFmpegError as error:
        raise VideoFileError(
            f"{str(path)!r}: expected a whole MP4, MOV, MKV or WebM video, got a damaged or other file "
            f"({error.strerror or error}); fetch it again"
        ) from error
    except FileNotFoundError:
        raise VideoFileError(f"{str(path)!r}: no such file; check the path") from None
    except VideoFileError:
        raise
    except OSError as error:
        raise VideoFileError(f"{str(path)!r}: cannot be read ({error.strerror or error})") from error


def _whole(path: Path) -> BinaryIO:
    file = open_regular(path)
    if not os.fstat(file.fileno()).st_size:
        file.close()
        raise VideoFileError(f"{str(path)!r}: expected a video, got an empty file; remove it or fetch it again")
    return file


def _upright(frame: av.VideoFrame) -> Any:
    """Return a frame's pixels ``(H, W, 3)``, turned as the file says."""
    pixels = frame.to_ndarray(format="rgb24")
    # told counterclockwise, as NumPy turns
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))
