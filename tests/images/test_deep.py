from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms

from mbu_ops.errors import ImageFileError
from mbu_ops.functional import blend
from mbu_ops.images import ImageFile, ImageKind, encode, read

RNG = np.random.default_rng(2)
DEEP = RNG.integers(0, 65536, (13, 21, 4), dtype=np.uint16)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def filtered(samples: NDArray[Any]) -> bytes:
    """Return rows as PNG stores them, the five filters in turn; slow and straight from the specification."""
    lines, step = [samples[y].astype(">u2").tobytes() for y in range(len(samples))], 2 * samples.shape[2]
    out, above = bytearray(), bytes(len(lines[0]) if lines else 0)
    for number, line in enumerate(lines):
        out.append(number % 5)
        for place, value in enumerate(line):
            left, corner = (line[place - step], above[place - step]) if place >= step else (0, 0)
            up = above[place]
            paeth = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
            out.append((value - (0, left, up, (left + up) // 2, paeth)[number % 5]) % 256)
        above = line
    return bytes(out)


def png(samples: NDArray[Any], interlaced: bool = False, chunks: bytes = b"", claims: Any = None) -> bytes:
    width, height = claims or (samples.shape[1], samples.shape[0])
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    raw = b"".join(filtered(part) for x, y, dx, dy in passes if (part := samples[y::dy, x::dx]).size)
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[samples.shape[2]], 0, 0, interlaced)
    body = chunk(b"IHDR", header) + chunks + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(
    samples: NDArray[Any],
    end: str = "<",
    compressed: bool = False,
    rows: int | None = 5,
    planes: bool = False,
    extra: Any = None,
) -> bytes:
    height, _, channels = samples.shape
    parts = [samples[..., channel] for channel in range(channels)] if planes else [samples]
    strips = [part[top : top + rows].astype(end + "u2").tobytes() for part in parts for top in range(0, height, rows)]
    strips = [zlib.compress(strip) for strip in strips] if compressed else strips
    starts = np.cumsum([8, *map(len, strips)]).tolist()
    tags = [(256, "H", [samples.shape[1]]), (257, "H", [height]), (258, "H", [16] * channels)]
    tags += [(259, "H", [8 if compressed else 1]), (262, "H", [2]), (273, "L", starts[:-1]), (277, "H", [channels])]
    tags += [(278, "H", [rows]), (279, "L", [len(strip) for strip in strips]), (284, "H", [2 if planes else 1])]
    tags += [(338, "H", [extra])] if extra is not None else []
    place, entries, beyond = starts[-1] + 2 + 12 * len(tags) + 4, b"", b""
    for tag, kind, values in tags:
        value = struct.pack(f"{end}{len(values)}{kind}", *values)
        if len(value) > 4:
            value, beyond = struct.pack(end + "L", place + len(beyond)), beyond + value
        entries += struct.pack(end + "HHL", tag, 3 if kind == "H" else 4, len(values)) + value.ljust(4, b"\0")
    start = (b"II*\0" if end == "<" else b"MM\0*") + struct.pack(end + "L", starts[-1])
    return start + b"".join(strips) + struct.pack(end + "H", len(tags)) + entries + bytes(4) + beyond


def assert_holds(image: ImageFile, samples: NDArray[Any]) -> None:
    channels = samples.shape[2]
    assert image.kind.bits == 16
    assert image.kind.grey == (channels < 3)
    assert image.kind.alpha == (channels in (2, 4))
    assert image.pixels.dtype == np.uint16
    assert np.array_equal(image.pixels, samples[..., :3] if channels > 2 else samples[..., [0, 0, 0]])
    assert (image.alpha is None) == (channels in (1, 3))
    assert image.alpha is None or np.array_equal(image.alpha, samples[..., -1])


@pytest.mark.parametrize("size", [(13, 21), (1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_bit_of_a_png_is_read(channels: int, interlaced: bool, size: tuple[int, int]) -> None:
    samples = DEEP[: size[0], : size[1], :channels]
    assert_holds(read(png(samples, interlaced)), samples)


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize(("end", "compressed"), [("<", False), (">", False), ("<", True), (">", True)])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_bit_of_a_tiff_is_read(channels: int, end: str, compressed: bool, planes: bool) -> None:
    samples = DEEP[..., :channels]
    image = read(tiff(samples, end, compressed, planes=planes, extra=2 if channels == 4 else None))
    if planes and compressed:  # libtiff unpacks these; the upper bytes are what there is
        assert image.kind.bits == 8
        assert np.array_equal(image.pixels, samples[..., :3] >> 8)
    else:
        assert_holds(image, samples)


@pytest.mark.parametrize("extra", [0, 1])
def test_a_fourth_sample_that_is_no_plain_alpha_leaves_eight_bits(extra: int) -> None:
    image = read(tiff(DEEP, extra=extra))
    assert image.kind.bits == 8
    assert image.kind.alpha == (extra == 1)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(13, 21), (1, 1)])
def test_pixels_that_no_edit_touched_are_written_bit_for_bit(channels: int, format: str, size: tuple[int, int]) -> None:
    samples = DEEP[: size[0], : size[1], :channels]
    source = read(png(samples))
    again = read(encode(source.to_tensor(), source, format))
    if format == "TIFF" and channels == 2:  # grey with alpha is written as RGBA
        samples = samples[..., [0, 0, 0, 1]]
    assert_holds(again, samples)


def test_an_edit_leaves_the_rest_bit_for_bit() -> None:
    source = read(png(DEEP[..., :3]))
    mask = torch.zeros(1, 1, 13, 21)
    mask[..., 10:] = 0.5
    edited = blend(source.to_tensor()[None], torch.rand(1, 3, 13, 21), mask)[0]
    again = read(encode(edited, source)).pixels
    assert np.array_equal(again[:, :10], DEEP[:, :10, :3])
    assert not np.array_equal(again[:, 10:], DEEP[:, 10:, :3])


def test_a_picture_of_many_strips_is_written_bit_for_bit() -> None:
    tall = RNG.integers(0, 65536, (700, 500, 3), dtype=np.uint16)
    image = ImageFile(tall, None, ImageKind(bits=16))
    for format in ("PNG", "TIFF"):
        assert_holds(read(encode(image.to_tensor(), image, format)), tall)


def test_every_value_survives_float32_and_edits_are_rounded() -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    image = ImageFile(every, None, ImageKind(bits=16))
    assert np.array_equal(read(encode(image.to_tensor(), image)).pixels, every)
    between = torch.tensor([99.6, 100.4, 65534.6])[:, None, None].div(65535)
    assert read(encode(between, image)).pixels.tolist() == [[[100, 100, 65535]]]


@pytest.mark.parametrize(("dtype", "error"), [(torch.float16, 16), (torch.bfloat16, 128)])
def test_half_precision_keeps_about_eleven_or_eight_bits(dtype: torch.dtype, error: int) -> None:
    image = read(png(DEEP[..., :3]))
    again = read(encode(image.to_tensor(dtype), image))
    assert again.kind.bits == 16
    assert 0 < np.abs(again.pixels.astype(int) - DEEP[..., :3]).max() <= error


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "BMP"])
def test_other_formats_get_eight_bits(format: str) -> None:
    flat = np.full((16, 16, 3), 0x7FFF, np.uint16)
    image = read(encode(flat, read(png(flat)), format))
    assert image.kind.bits == 8
    assert np.abs(image.pixels.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_is_compared_at_full_depth(channels: int) -> None:
    samples = np.full((1, 3, channels), 0x1234, np.uint16)
    samples[0, 1, -1] = 0x1235  # the same upper byte
    key = chunk(b"tRNS", struct.pack(">H", 0x1234) * channels)
    image = read(png(samples, chunks=key))
    assert image.alpha.tolist() == [[0, 0xFFFF, 0]]
    assert np.array_equal(read(encode(image.pixels, image)).alpha, image.alpha)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_exif_orientation_is_applied_at_full_depth(channels: int, orientation: int) -> None:
    samples = DEEP[..., :channels]
    turned = samples.transpose(1, 0, 2) if orientation > 4 else samples
    mirrored = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    down, across = mirrored[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read(png(samples, chunks=chunk(b"eXIf", exif.tobytes()[6:])))
    assert_holds(image, turned[::down, ::across])
    assert image.kind.exif is None


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_profile_resolution_and_exif_are_kept(format: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    metadata = chunk(b"iCCP", b"profile\0\0" + zlib.compress(SRGB)) + chunk(b"gAMA", struct.pack(">I", 45455))
    metadata += chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1)) + chunk(b"eXIf", exif.tobytes()[6:])
    source = read(png(DEEP[..., :3], chunks=metadata))
    with Image.open(BytesIO(encode(source.to_tensor(), source, format))) as written:
        assert written.info["icc_profile"] == SRGB
        assert written.info["dpi"] == pytest.approx((300, 150), abs=0.1)
        assert written.getexif()[0x010F] == "Maker"
        if format == "PNG":
            assert written.getexif().get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"


def test_colour_under_full_transparency_is_kept() -> None:
    samples = DEEP.copy()
    samples[..., 3] = 0
    source = read(png(samples))
    for format in ("PNG", "TIFF"):
        assert_holds(read(encode(source.to_tensor(), source, format)), samples)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [png, lambda samples: tiff(samples, compressed=True), tiff])
def test_a_truncated_file_is_refused(make: Callable[..., Any]) -> None:
    whole = make(DEEP[..., :3])
    for length in (30, len(whole) // 2, len(whole) - 40):
        with pytest.raises(ImageFileError, match=r"damaged|expected a JPEG"):
            read(whole[:length])


def test_a_small_file_that_claims_to_be_huge_is_refused() -> None:
    with pytest.raises(ImageFileError, match="expected at most 100 million pixels"):
        read(png(DEEP, claims=(60_000, 60_000)))


def test_pixels_that_unpack_to_more_than_was_promised_are_cut_off() -> None:
    assert_holds(read(png(DEEP, claims=(21, 4))), DEEP[:4])


def test_what_cannot_be_held_is_a_clear_error() -> None:
    image = ImageFile(DEEP[..., :3], None, ImageKind(bits=16, dpi=(2.0**40, 72.0)))
    with pytest.raises(ImageFileError, match="cannot be written as PNG"):
        encode(image.pixels, image, "PNG")
