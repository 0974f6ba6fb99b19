"""Write videos through PyAV: H.264 or VP9 of the source's size and time stamps, with its sound as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mbu_ops.errors import VideoFileError
from mbu_ops.images.formats import FORMATS
from mbu_ops.video.animations import over_white
from mbu_ops.video.clip import ClipFrame, ClipKind, Pixels, kept_metadata
from mbu_ops.video.reading import opened

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer
    from av.video import VideoStream

    from mbu_ops.images.file import Strip

_CONTAINERS = {"MP4": "mp4", "MOV": "mov", "MKV": "matroska", "WEBM": "webm"}
_ENCODERS = {"WEBM": ("libvpx-vp9", "vp9", "libvpx")}
_USUAL_ENCODERS = ("libx264", "h264", "mpeg4")
_LOSSLESS = "ffv1"

_FULL_RANGE = 2
_RGB, _UNSPECIFIED, _BT601 = 0, 2, 6
_MILLISECONDS = Fraction(1, 1000)


class Encoding(NamedTuple):
    """How pixels are compressed.

    Attributes:
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        options: what the encoder is told.
    """

    codec: str
    pixels: str
    options: dict[str, str]


def encoding_of(kind: ClipKind, format: str, quality: int | None = None) -> Encoding:
    """Choose how the frames of a clip are compressed.

    FFV1, which loses nothing, stays FFV1 where it was and can be; everything else becomes H.264, in WebM VP9, at a
    constant rate factor. Frames of odd sizes keep all their colours (4:4:4), since halved ones need even sizes.

    Args:
        kind: what the clip was.
        format: ``"MP4"``, ``"MOV"``, ``"MKV"`` or ``"WEBM"``.
        quality: 1 (small) to 100; None takes 80, which is a rate factor of 18 of libx264.

    Raises:
        VideoFileError: if PyAV was built without an encoder for it.
    """
    if kind.codec == _LOSSLESS and format == "MKV" and quality is None and kind.aspect == 1:
        return Encoding(_LOSSLESS, "bgr0", {})
    import av

    names = _ENCODERS.get(format, _USUAL_ENCODERS)
    name = next((name for name in names if _can_encode(name)), None)
    if name is None:
        raise VideoFileError(
            f"expected PyAV with one of the encoders {', '.join(names)}, got {av.__version__} without: install PyAV's "
            "own wheel (pip install 'mbu-ops[video]')"
        )
    factor = round((100 - (quality or FORMATS["MP4"].quality or 0)) / 2)
    odd = kind.width % 2 or kind.height % 2
    pixels = "yuv444p" if odd and name not in ("mpeg4", "libvpx") else "yuv420p"
    if name in ("libx264", "h264"):
        return Encoding(name, pixels, {"crf": str(min(8 + factor, 51)), "preset": "medium"})
    if name in ("libvpx-vp9", "vp9"):
        options = {"crf": str(min(16 + factor, 63)), "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
        return Encoding(name, pixels, options)
    return Encoding(name, pixels, {"b": str(8 * kind.width * kind.height)})


def check_sound(kind: ClipKind, format: str) -> None:
    """Make sure that a container takes the clip's sound as it is.

    Args:
        kind: what the clip was.
        format: see :func:`encoding_of`.

    Raises:
        VideoFileError: if it does not.
    """
    if format not in _CONTAINERS or not FORMATS[kind.format].video:
        return
    import io

    import av

    with opened(kind.path) as source, av.open(io.BytesIO(), "w", format=_CONTAINERS[format]) as container:
        names = [stream.codec_context.name for stream in source.streams.audio]
        strange = [name for name in names if name.removesuffix("float") not in container.supported_codecs]
        container.close()
    if strange:
        raise VideoFileError(
            f"{str(kind.path)!r}: expected sound that a {format} file takes, got {', '.join(strange)}; name the result "
            ".mkv, which takes any"
        )


def write_video(
    path: Path,
    frames: Iterable[tuple[ClipFrame, Pixels]],
    kind: ClipKind,
    format: str,
    quality: int | None = None,
) -> None:
    """Write a video.

    Args:
        path: where to.
        frames: each frame as it was, and its pixels as they are to be.
        kind: what the clip was; its sound is copied.
        format: see :func:`encoding_of`.
        quality: see :func:`encoding_of`.

    Raises:
        VideoFileError: if it cannot be written.
    """
    import av

    encoding = encoding_of(kind, format, quality)
    options = {"movflags": "use_metadata_tags+faststart"} if format in ("MP4", "MOV") else {}
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(opened(kind.path)) if FORMATS[kind.format].video else None
        sound = _Sound(source, kind.strip)
        try:
            with av.open(str(path), "w", format=_CONTAINERS[format], container_options=options) as container:
                _encode(container, frames, kind, encoding, sound)
        except av.FFmpegError as error:
            raise VideoFileError(
                f"the video cannot be written as {format} with {encoding.codec} ({error.strerror or error})"
            ) from error


def _encode(
    container: OutputContainer,
    frames: Iterable[tuple[ClipFrame, Pixels]],
    kind: ClipKind,
    encoding: Encoding,
    sound: _Sound,
) -> None:
    container.metadata.update(kind.metadata)
    stream = _video_stream(container, kind, encoding)
    sound.join(container)
    for frame, pixels in frames:
        for packet in stream.encode(_to_frame(frame, pixels, kind, encoding)):
            container.mux(packet)
        sound.mux_until(container, frame.time)
    for packet in stream.encode(None):
        container.mux(packet)
    sound.mux_until(container, None)


def _can_encode(name: str) -> bool:
    import av

    try:
        return av.Codec(name, "w").is_encoder
    except av.error.FFmpegError:
        return False
    except ValueError:  # what PyAV calls an unknown codec is one too
        return False


def _video_stream(container: OutputContainer, kind: ClipKind, encoding: Encoding) -> VideoStream:
    rate = kind.rate or Fraction(25)
    stream: VideoStream = container.add_stream(encoding.codec, rate=rate, options=encoding.options)  # type: ignore
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = kind.width, kind.height, encoding.pixels
    context.time_base = kind.time_base or _MILLISECONDS
    context.sample_aspect_ratio = kind.aspect
    if encoding.pixels.startswith("yuv"):
        _, context.color_range, context.color_primaries, context.color_trc = kind.colours
        context.colorspace = _matrix_of(kind)
    return stream


def _matrix_of(kind: ClipKind) -> int:
    """Return FFmpeg's number of what makes YUV of RGB: the source's, or one where it was RGB itself."""
    return _BT601 if kind.colours[0] == _RGB else kind.colours[0]


def _to_frame(frame: ClipFrame, pixels: Pixels, kind: ClipKind, encoding: Encoding) -> av.VideoFrame:
    import av

    shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(over_white(pixels, frame.alpha)), format="rgb24")
    if encoding.pixels.startswith("yuv"):
        space, colour_range = _matrix_of(kind), kind.colours[1]
        shown = shown.reformat(
            format=encoding.pixels,
            dst_colorspace=None if space == _UNSPECIFIED else space,
            dst_color_range=colour_range if colour_range == _FULL_RANGE else None,
        )
    base = kind.time_base or _MILLISECONDS
    shown.time_base, shown.pts = base, round(frame.time / base)
    shown.duration = round(frame.duration / base)
    return shown


class _Sound:
    """The sound of a clip, packet by packet as it was.

    Args:
        source: the open clip; None for one that has no sound.
        strip: which of its metadata is left out.
    """

    def __init__(self, source: InputContainer | None, strip: Strip | None) -> None:
        self.strip = strip
        self.streams = [] if source is None else list(source.streams.audio)
        self.packets: Iterator[Any] = source.demux(self.streams) if source is not None and self.streams else iter(())
        self.next: Any = None
        self.targets: dict[int, Any] = {}

    def join(self, container: OutputContainer) -> None:
        """Give a container streams for it."""
        for stream in self.streams:
            target = container.add_stream_from_template(stream)
            target.metadata.update(kept_metadata(stream.metadata, self.strip))
            self.targets[stream.index] = target

    def mux_until(self, container: OutputContainer, time: Fraction | None) -> None:
        """Write the packets up to a time, in seconds, or all that are left."""
        while True:
            packet = self.next or next(self.packets, None)
            self.next = None
            if packet is None:
                return
            if packet.dts is None:  # the end of a stream
                continue
            if time is not None and packet.dts * packet.time_base > time:
                self.next = packet
                return
            packet.stream = self.targets[packet.stream.index]
            container.mux(packet)
