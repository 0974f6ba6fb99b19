"""What a picture may cost: pixels, memory, scans and time, known or told before any pixel is decoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from mbu_ops.errors import ConfigurationError

DEFAULT_MAX_PIXELS = 100_000_000
"""Larger pictures are refused before any pixel is decoded: a few kilobytes can claim to be gigabytes."""

MAX_FILE_BYTES = 1 << 30
"""Longer files and pipes are refused: no picture of :data:`DEFAULT_MAX_PIXELS` needs more."""

MAX_SCANS = 100
"""A progressive JPEG file decodes all of the picture again for each scan; cameras and editors write 10, at most 20."""

SCANNED_PIXELS = 20 * DEFAULT_MAX_PIXELS
"""Pixels of all scans together that a JPEG file may have."""

LARGEST_METADATA = 64 << 20
"""Bytes of a file beside its pixels."""

MOST_MARKERS = 1 << 16
"""Of a JPEG file, however many scans and blocks of metadata it has: a camera's has some 20."""

CODING = 12
"""Bytes that each pixel of 8 bits takes while most formats are decoded, or encoded again, the picture included."""

_LARGEST_PIXEL = 16
"""Bytes in a file: four samples of 32 bits, not compressed."""

# bytes that fill the room before a marker are passed over by the search: asked for here, they would be tried from each
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_START, _END, _SCAN, _ALONE = 0xD8, 0xD9, 0xDA, 0x01


class RefusedError(Exception):
    """A picture that could be decoded, and is not taken; whoever knows its name says so in an ImageFileError."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may cost; more than that and it is refused.

    Attributes:
        max_pixels: pixels of the picture.
        max_memory: bytes that decoding it may take, and what is done with it then, as estimated from its header.
        timeout: seconds that it may take to read and decode; None waits. A thread that overruns is left behind, and its
            work is lost; only ``isolate`` ends it.
        isolate: decode in a process of its own, which is ended when the time is up, may have no more memory than
            ``max_memory``, writes no files, and takes nothing along if it crashes.
        editing: bytes a pixel that what is done with the picture then takes.

    Raises:
        ConfigurationError: if a number is not positive.

    Example:
        >>> Limits(max_pixels=0)
        Traceback (most recent call last):
        mbu_ops.errors.ConfigurationError: expected a positive number for max_pixels, got 0
    """

    max_pixels: int = DEFAULT_MAX_PIXELS
    max_memory: int = 6_000_000_000
    timeout: float | None = None
    isolate: bool = False
    editing: int = 0

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_memory", "timeout"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigurationError(f"expected a positive number for {name}, got {value!r}")

    def flaw(
        self, width: int, height: int, *, bits: int, scans: int, file_bytes: int, coding: int = CODING
    ) -> str | None:
        """Return which limit a picture exceeds, for people; None if none.

        Args:
            width: in pixels.
            height: in pixels.
            bits: of a sample, 8 or 16.
            scans: of a JPEG file; 0 for others.
            file_bytes: length of its file.
            coding: see :attr:`mbu_ops.images.formats.Format.coding`.

        Example:
            >>> Limits().flaw(20_000, 20_000, bits=8, scans=0, file_bytes=100).partition(";")[0]
            'expected at most 100 million pixels, got 20000 x 20000'
        """
        pixels = width * height
        if pixels > self.max_pixels:
            return (
                f"expected at most {self.max_pixels / 1e6:g} million pixels, got {width} x {height}; shrink it, or "
                "raise max_pixels if you trust the file"
            )
        if flaw := self.flaw_of_file(pixels, file_bytes):
            return flaw
        if scans > (allowed := min(MAX_SCANS, SCANNED_PIXELS // pixels if pixels else MAX_SCANS)):
            return (
                f"expected at most {allowed} scans in a JPEG file of {width} x {height} pixels, got {scans}; it takes "
                "far longer to decode than a photo: save it anew with a program that you trust"
            )
        if (needed := memory_for(pixels, bits, scans > 1, self.editing, coding) + file_bytes) > self.max_memory:
            return (
                f"expected at most {self.max_memory / 1e9:g} GB of memory, and {width} x {height} pixels of {bits} "
                f"bits need about {needed / 1e9:.1f} GB; shrink it, or raise max_memory"
            )
        return None

    def flaw_of_file(self, pixels: int, file_bytes: int) -> str | None:
        """Return what is wrong with a file of so many pixels that is so long; None if nothing."""
        if file_bytes > (most := LARGEST_METADATA + _LARGEST_PIXEL * min(pixels, self.max_pixels)):
            return (
                f"expected at most {most >> 20} MiB for {pixels} pixels, got {file_bytes >> 20} MiB; it is padded, or "
                "more than a picture"
            )
        return None


def memory_for(pixels: int, bits: int, progressive: bool, editing: int, coding: int = CODING) -> int:
    """Return about how many bytes of memory a picture takes at most.

    Args:
        pixels: of the picture.
        bits: of a sample, 8 or 16.
        progressive: whether it is a progressive JPEG, whose coefficients are kept for all scans.
        editing: bytes a pixel beyond decoding it.
        coding: bytes a pixel that decoding 8 bits takes, or encoding them again.
    """
    decoding = coding * (bits + 2) // 10 + (8 if progressive else 0)  # of twice the bits some things are no larger
    samples = 4 * bits // 8
    return pixels * max(decoding, samples + editing)


_USUAL = Limits()
_limits: ContextVar[Limits] = ContextVar("limits", default=_USUAL)


def current_limits() -> Limits:
    """Return the limits of pictures that are read here: those of :func:`limited`, or the defaults."""
    return _limits.get()


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Hold all pictures that are read meanwhile to limits: photos, guides and masks, in this thread and its context.

    Args:
        limits: the limits.

    Example:
        >>> with limited(Limits(timeout=10, isolate=True)):
        ...     current_limits().timeout
        10
    """
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


_decoded: ContextVar[str | None] = ContextVar("decoded", default=None)


def decoded_here() -> str | None:
    """Return what the picture is called that this thread is decoding; None if it decodes none."""
    return _decoded.get()


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Say which picture is decoded meanwhile, for whoever hears a library warn.

    Args:
        name: of the picture.

    Example:
        >>> with decoding("a.png"):
        ...     decoded_here()
        'a.png'
    """
    token = _decoded.set(name)
    try:
        yield
    finally:
        _decoded.reset(token)


def count_scans(data: bytes | memoryview) -> int:
    """Return how often a JPEG file goes over its picture, or some of its channels; thumbnails do not count.

    Args:
        data: the file.

    Raises:
        RefusedError: if it has more than :data:`MOST_MARKERS`.

    Example:
        >>> count_scans(bytes.fromhex("ffd8 ffda0002 00ff00 ffda0002 11 ffd9 ffda0002"))
        2
    """
    scans = at = markers = 0
    while (found := _MARKER.search(data, at)) and (marker := found[1][0]) != _END:
        at, markers = found.end(), markers + 1
        if markers > MOST_MARKERS:
            raise RefusedError(f"expected a JPEG file of at most {MOST_MARKERS} parts, got more: it is damaged")
        scans += marker == _SCAN
        if marker not in (_START, _ALONE):  # all others say how long they are
            at += int.from_bytes(data[at : at + 2])
    return scans
