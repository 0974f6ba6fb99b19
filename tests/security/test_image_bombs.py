"""Files that claim to be, or unpack to, far more than they are."""

from __future__ import annotations

import struct
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
from mbu_ops.images import DEFAULT_MAX_PIXELS, ImageFile, ImageKind, deep, encode, read, reader


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


def huge(format: str) -> bytes:
    """Return a small valid file whose header claims 60,000 x 60,000 pixels."""
    data, side = encoded(format), 60_000
    if format == "PNG":
        data[8:33] = png_chunk(b"IHDR", struct.pack(">II", side, side) + bytes(data[24:29]))
    elif format == "JPEG":
        start = data.index(b"\xff\xc0") + 5
        data[start : start + 4] = struct.pack(">HH", side, side)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", side, side)
    elif format == "BMP":
        data[18:26] = struct.pack("<ii", side, side)
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
    "chunk",
    [
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 << 20), 9)),
        png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(200 << 20), 9)),
    ],
    ids=["text", "profile"],
)
def test_metadata_that_unpacks_without_end_does_not_fill_the_memory(chunk: bytes) -> None:
    resource = pytest.importorskip("resource")
    data = encoded("PNG")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        image = read(bytes(data[:33] + chunk + data[33:]))
        assert image.kind.icc is None
    except ImageFileError:
        pass  # refused is as good as ignored
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


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
