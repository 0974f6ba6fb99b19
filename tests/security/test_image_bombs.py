"""Files that claim to be, or unpack to, far more than they are."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mbu_ops.errors import ImageFileError
from mbu_ops.images import DEFAULT_MAX_PIXELS, ImageFile, ImageKind, Limits, deep, encode, limited, read, reader
from mbu_ops.images.formats import FORMATS
from mbu_ops.limits import MAX_SCANS, MOST_MARKERS, count_scans, memory_for


def encoded(format: str, **options: Any) -> bytearray:
    if format.endswith("16"):
        deep = np.arange(768, dtype=np.uint16).reshape(16, 16, 3) * 85
        return bytearray(encode(deep, ImageFile(deep, None, ImageKind(bits=16)), format.removesuffix("16")))
    if format in ("AVIF", "HEIF"):
        return bytearray(encode(np.arange(768, dtype=np.uint8).reshape(16, 16, 3), format=format))
    buffer = BytesIO()
    picture = Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3) % 251)
    picture.save(buffer, format, **options)
    return bytearray(buffer.getvalue())


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge(format: str, width: int = 60_000, height: int = 60_000) -> bytes:
    """Return a small valid file whose header claims so many pixels."""
    data = encoded(format)
    if format == "PNG":
        data[8:33] = png_chunk(b"IHDR", struct.pack(">II", width, height) + bytes(data[24:29]))
    elif format == "JPEG":
        start = data.index(b"\xff\xc0") + 5
        data[start : start + 4] = struct.pack(">HH", height, width)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif format == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP"])
def test_a_small_file_that_claims_to_be_huge_is_refused(format: str) -> None:
    assert len(huge(format)) < 4096
    with pytest.raises(ImageFileError, match="expected at most 100 million pixels"):
        read(huge(format))


@pytest.mark.parametrize("format", ["PNG", "PNG16"])
def test_three_hundred_megapixels_in_a_hundred_bytes_are_refused_undecoded(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deep, "load", lambda *_: pytest.fail("was decoded"))
    data = encoded(format)
    data[8:33] = png_chunk(b"IHDR", struct.pack(">II", 20_000, 15_000) + bytes(data[24:29]))
    for max_pixels in (DEFAULT_MAX_PIXELS, 10**9):  # beyond Pillow's own limit, whatever was asked for
        with pytest.raises(ImageFileError, match="million pixels"):
            read(bytes(data), max_pixels=max_pixels)


def test_the_limit_is_ours_and_not_only_pillows() -> None:
    data = encoded("PNG")
    data[8:33] = png_chunk(b"IHDR", struct.pack(">II", 10_001, 10_000) + bytes(data[24:29]))
    assert DEFAULT_MAX_PIXELS == 10_000 * 10_000
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(ImageFileError, match="got 10001 x 10000"),
    ):
        read(bytes(data))


@pytest.mark.parametrize(
    ("kind", "start"), [(b"zTXt", b"Comment\0\0"), (b"iCCP", b"profile\0\0")], ids=["text", "profile"]
)
def test_metadata_that_unpacks_without_end_does_not_fill_the_memory(kind: bytes, start: bytes) -> None:
    resource = pytest.importorskip("resource")
    chunk = png_chunk(kind, start + zlib.compress(bytes(200 << 20), 1))
    data = encoded("PNG")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        image = read(bytes(data[:33] + chunk + data[33:]))
        assert image.kind.icc is None
    except ImageFileError:
        pass  # refused is as good as ignored
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def repeated(times: int, side: int = 64, format: str = "JPEG") -> bytes:
    """Return a progressive JPEG file whose last scan comes again and again, alone or as the strip of a TIFF file."""
    buffer = BytesIO()
    Image.new("RGB", (side, side), (120, 80, 200)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    stream = data[:-2] + data[data.rindex(b"\xff\xda") : -2] * times + data[-2:]
    if format == "JPEG":
        return stream
    tags = [(256, side), (257, side), (258, 8), (259, 7), (262, 6), (273, 0), (277, 3), (278, side), (279, len(stream))]
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + stream


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_scans_that_repeat_are_counted_before_any_is_decoded(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(repeated(MAX_SCANS - 20, format=format)).width == 64
    monkeypatch.setattr(deep, "load", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(ImageFileError, match=r"expected at most 100 scans .* got"):
        read(repeated(MAX_SCANS, format=format))


def test_a_large_picture_may_have_fewer_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "load", lambda *_: pytest.fail("was decoded"))
    data = bytearray(repeated(20))
    start = data.index(b"\xff\xc2") + 5
    data[start : start + 4] = struct.pack(">HH", 9_900, 9_900)
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(ImageFileError, match="at most 20 scans"):
        read(bytes(data))


@pytest.mark.parametrize("progressive", [False, True])
def test_scans_are_counted_as_the_decoder_meets_them(progressive: bool) -> None:
    buffer, exif, thumbnail = BytesIO(), Image.Exif(), encoded("JPEG")
    exif[0x9286] = b"ASCII\0\0\0" + bytes(thumbnail)  # a whole JPEG file within the metadata
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    picture.save(buffer, "JPEG", progressive=progressive, exif=exif, restart_marker_blocks=1)
    assert count_scans(buffer.getvalue() + bytes(thumbnail)) == (10 if progressive else 1)


def test_bytes_that_fill_room_are_passed_over_once() -> None:
    code = (
        "from mbu_ops.limits import count_scans\n"
        r"print(count_scans(b'\xff\xd8' + b'\xff' * 10**6 + b'\0\xff\xff\xda\0\2'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1\n"


def test_markers_without_end_are_not_gone_through() -> None:
    data = bytes(encoded("JPEG"))
    assert read(data[:2] + b"\xff\xfe\0\2" * 100 + data[2:]).width == 16
    with pytest.raises(ImageFileError, match="at most 65536 parts"):
        read(data[:2] + b"\xff\xfe\0\2" * MOST_MARKERS + data[2:])


@pytest.mark.parametrize(("bits", "megapixels"), [(8, 6), (16, 5)])
def test_memory_is_estimated_before_it_is_taken(bits: int, megapixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded("PNG" if bits == 8 else "PNG16")
    with limited(Limits(max_memory=16 * 16 * 30)):
        assert read(bytes(data)).width == 16
    monkeypatch.setattr(deep, "load", lambda *_: pytest.fail("was decoded"))
    data[8:33] = png_chunk(b"IHDR", struct.pack(">II", 1000, 1000 * megapixels) + bytes(data[24:29]))
    with limited(Limits(max_memory=60_000_000)), pytest.raises(ImageFileError, match=r"0\.06 GB of memory"):
        read(bytes(data))


def test_formats_that_take_more_memory_are_counted_so() -> None:
    picture = Image.new("RGB", (100, 100))
    for format, coding in (("JPEG", 12), ("PNG", 12), ("WEBP", 36), ("AVIF", 48)):
        assert FORMATS[format].coding == coding
        stream = BytesIO()
        picture.save(stream, format)
        with limited(Limits(max_memory=10_000 * coding + len(stream.getvalue()))):
            assert read(stream.getvalue()).width == 100
        with limited(Limits(max_memory=10_000 * coding)), pytest.raises(ImageFileError, match="raise max_memory"):
            read(stream.getvalue())


def test_what_is_done_with_a_picture_counts_too() -> None:
    data = bytes(encoded("PNG"))
    with (
        limited(Limits(max_memory=16 * 16 * 30, editing=48)),
        pytest.raises(ImageFileError, match=r"raise max_memory"),
    ):
        read(data)


@pytest.mark.parametrize("bits", [8, 16])
def test_decoding_takes_what_was_estimated(bits: int) -> None:
    resource = pytest.importorskip("resource")
    side = 3000
    row = b"\0" + bytes(side * 3 * bits // 8)
    header = struct.pack(">IIBBBBB", side, side, bits, 2, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(row * side, 1)) + png_chunk(b"IEND", b"")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read(b"\x89PNG\r\n\x1a\n" + chunks).kind.bits == bits
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < memory_for(
        side * side, bits, False, 0
    )


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "AVIF"])
def test_a_file_far_longer_than_its_pixels_is_not_read(
    format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "padded"
    with path.open("wb") as file:
        file.write(encoded(format))
        file.truncate(500 << 20)
    monkeypatch.setattr(reader, "decode", lambda *_: pytest.fail("was read"))
    with pytest.raises(ImageFileError, match="expected at most 64 MiB"):
        read(path)


def test_an_endless_pipe_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", 1 << 20)
    pipe = BytesIO(bytes(5 << 20))
    with pytest.raises(ImageFileError, match="expected at most 1 MiB"):
        read(pipe)
    assert pipe.tell() == (1 << 20) + 1


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.write(encoded("JPEG"))
        file.truncate(20 << 30)
    monkeypatch.setattr(reader, "open_regular", lambda path: Unread(path, "rb"))
    with pytest.raises(ImageFileError, match="expected at most 1024 MiB"):
        read(tmp_path / "sparse.jpg")


class Unread(FileIO):
    def read(self, size: int | None = -1) -> NoReturn:
        pytest.fail("was read")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs files that the system makes up")
def test_a_file_that_says_it_is_empty_is_taken_at_its_word() -> None:
    with pytest.raises(ImageFileError, match="got an empty file"):
        read("/proc/self/environ")


def test_a_device_is_not_read() -> None:
    with pytest.raises(ImageFileError, match="no regular file"):
        read("/dev/zero")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "PNG16", "TIFF16"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=12),
    st.integers(0, 10_000),
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    format: str, changes: list[tuple[int, int]], length: int
) -> None:
    data = encoded(format)
    for place, value in changes:
        data[place % len(data)] = value
    content = bytes(data[: max(length % (2 * len(data)), 1)])
    try:
        image = read(content, max_pixels=1_000_000)
    except ImageFileError:
        return
    assert isinstance(image, ImageFile)
    assert image.pixels.ndim == 3
