"""Decode pictures in processes of their own: what a decoder does there, or fails to do, costs one picture.

Nothing that such a process answers is believed: numbers are checked, texts are cleaned, and no code is in it.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from mbu_ops.errors import ImageFileError
from mbu_ops.foreign import one_line, parse_object
from mbu_ops.images.deadline import within
from mbu_ops.images.file import ImageFile, ImageKind, JPEGTables, Pixels
from mbu_ops.images.formats import FORMATS
from mbu_ops.limits import LARGEST_METADATA, Limits

_LONGEST_LINE = 1 << 16
_BLOBS = ("icc", "exif")
_FLAGS = ("grey", "alpha", "lossless", "located")

_idle: list[Decoder] = []
_all: set[Decoder] = set()


def decode_apart(load: Callable[[], bytes], name: str, limits: Limits) -> ImageFile:
    """Decode one picture in another process, as :func:`mbu_ops.images.read` does with ``isolate``.

    Args:
        load: gives the picture's file.
        name: what to call it in errors.
        limits: what it may cost.

    Raises:
        ImageFileError: as :func:`mbu_ops.images.read`, and if the process ends.
    """
    decoder = _free()
    try:
        image = within(limits.timeout, lambda: decoder.decode(load(), name, limits), name, decoder.end)
    except BaseException:
        if not decoder.is_ready:
            decoder.end()
        raise
    finally:
        if decoder.is_ready:
            _idle.append(decoder)
    return image


def _free() -> Decoder:
    try:
        return _idle.pop()  # at once: other threads look for one too
    except IndexError:
        return Decoder()


class Decoder:
    """A process that decodes pictures, one after another, until it is ended or fails."""

    def __init__(self) -> None:
        # -P: no module of the folder that happens to be the current one
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mbu_ops.images.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._is_idle, self._is_ended = True, False
        _all.add(self)

    @property
    def is_ready(self) -> bool:
        """Whether it may be asked again: it has answered, and nobody has ended it meanwhile."""
        return self._is_idle and not self._is_ended

    def decode(self, data: bytes, name: str, limits: Limits) -> ImageFile:
        """Decode a picture.

        Args:
            data: its file.
            name: what to call it in errors.
            limits: what it may cost.

        Raises:
            ImageFileError: if it cannot be read, or the process ends.
        """
        self._is_idle = False
        try:
            image = self._ask(data, name, limits)
        except _AnswerError as error:
            reason = f" ({error})" if str(error) else ""
            raise ImageFileError(
                f"{name}: expected an image, and decoding it ended its process{reason}; it is damaged, made to do harm "
                "or needs more memory than --max-memory"
            ) from None
        self._is_idle = True
        if isinstance(image, str):
            raise ImageFileError(image)
        return image

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._is_ended = True  # for good: the thread that waits for its answer may just have got it
        _all.discard(self)
        self._process.kill()
        self._process.wait()

    def _ask(self, data: bytes, name: str, limits: Limits) -> ImageFile | str:
        into, out = _known(self._process.stdin), _known(self._process.stdout)
        try:
            into.write(json.dumps({"length": len(data), "name": name, "limits": asdict(limits)}).encode() + b"\n")
            into.write(data)
            into.flush()
            answer = parse_object(out.readline(_LONGEST_LINE))
            if isinstance(error := answer.get("error"), str):
                return one_line(error, 1000)
            return _image(answer, out, limits)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise _AnswerError("" if self._process.poll() else one_line(error)) from error


class _AnswerError(Exception):
    """No answer, or one that is none."""


def _forget() -> None:
    """Leave the processes to the one that began them: a copy of it would talk into the same pipes."""
    _idle.clear()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@atexit.register
def _end_all() -> None:
    for decoder in list(_all):
        decoder.end()


def describe(image: ImageFile) -> tuple[dict[str, Any], list[bytes | memoryview]]:
    """Return a picture as what goes through a pipe: facts, and the bytes behind them."""
    facts = asdict(image.kind) | {"shape": image.pixels.shape[:2]}
    blobs: list[bytes | memoryview] = []
    for name in _BLOBS:
        blob = facts[name] or b""
        facts[name] = len(blob)
        blobs.append(blob)
    blobs += [_bytes_of(plane) for plane in (image.pixels, image.alpha) if plane is not None]
    return facts, blobs


def _image(facts: dict[str, Any], out: IO[bytes], limits: Limits) -> ImageFile:
    height, width = (_whole(side, limits.max_pixels) for side in facts["shape"])
    bits = {8: 8, 16: 16}[facts["bits"]]
    if not 0 < height * width <= limits.max_pixels or facts["format"] not in FORMATS:
        raise ValueError("an answer that is none")
    icc, exif = (_take(out, _whole(facts[name], LARGEST_METADATA)) or None for name in _BLOBS)
    grey, alpha, lossless, located = (facts[name] is True for name in _FLAGS)
    dtype: Any = np.uint16 if bits == 16 else np.uint8
    pixels = _plane(out, (height, width, 3), dtype)
    kind = ImageKind(
        *(facts["format"], grey, bits, alpha, icc, exif, _dpi(facts["dpi"]), _tables(facts["jpeg"]), lossless, located)
    )
    return ImageFile(pixels, _plane(out, (height, width), dtype) if alpha else None, kind)


def _dpi(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    across, down = (float(one) for one in value)
    return across, down


def _tables(value: Any) -> JPEGTables | None:
    if value is None:
        return None
    tables = tuple(tuple(_whole(one, 0xFFFF) for one in table) for table in value["quantisation"])
    return JPEGTables(tables, _whole(value["subsampling"], 2), value["progressive"] is True)


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"expected a number up to {most}")
    return value


def _plane(out: IO[bytes], shape: tuple[int, ...], dtype: Any) -> Pixels:
    plane: Pixels = np.empty(shape, dtype)
    view, done = _bytes_of(plane), 0
    while done < len(view):
        count = _readinto(out, view[done:])
        done += count
    return plane


def _bytes_of(plane: Pixels) -> memoryview:
    return plane.data.cast("B")


def _take(out: IO[bytes], length: int) -> bytes:
    taken = out.read(length)
    if len(taken) != length:
        raise EOFError
    return taken


def _readinto(out: Any, view: memoryview) -> int:
    count: int = out.readinto(view)
    if not count:
        raise EOFError
    return count


def _known(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - it was asked for
    return stream
