from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from mbu_ops.errors import ImageFileError
from mbu_ops.images import count_pixels, encode, read

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
PICTURE = Image.fromarray(COLOUR)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def with_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    return exif


@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("BMP", {})])
def test_lossless_formats_give_the_pixels_themselves(format: str, options: dict[str, bool]) -> None:
    image = read(encoded(PICTURE, format, **options))
    assert np.array_equal(image.pixels, COLOUR)
    assert image.kind.format == format
    assert image.alpha is None
    assert not image.kind.grey


def test_a_path_bytes_and_an_open_file_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(PICTURE))
    with path.open("rb") as file:
        sources = [read(path), read(str(path)), read(path.read_bytes()), read(file)]
    assert all(np.array_equal(image.pixels, COLOUR) for image in sources)


def test_the_content_decides_the_format_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a.jpg"
    path.write_bytes(encoded(PICTURE))
    assert read(path).kind.format == "PNG"


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_comes_out_as_three_equal_channels(mode: str) -> None:
    grey = PICTURE.convert(mode)
    image = read(encoded(grey))
    assert image.kind.grey
    for channel in range(3):
        assert np.array_equal(image.pixels[..., channel], np.asarray(grey.convert("L")))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_bits(format: str) -> None:
    deep = RNG.integers(0, 65536, (12, 20), dtype=np.uint16)
    image = read(encoded(Image.fromarray(deep), format))
    assert image.kind.bits == 16
    assert image.pixels.dtype == np.uint16
    assert np.array_equal(image.pixels[..., 1], deep)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_stands_beside_the_pixels(mode: str) -> None:
    alpha = RNG.integers(0, 256, (12, 20), dtype=np.uint8)
    picture = PICTURE.convert(mode)
    picture.putalpha(Image.fromarray(alpha))
    image = read(encoded(picture))
    assert np.array_equal(image.alpha, alpha)
    assert image.kind.alpha
    assert image.kind.grey == (mode == "LA")


def test_a_transparent_palette_colour_becomes_alpha() -> None:
    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    image = read(encoded(palette, transparency=1))
    assert image.pixels.tolist() == [[[10, 20, 30], [200, 100, 50]], [[200, 100, 50], [10, 20, 30]]]
    assert image.alpha.tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize("icc", [None, SRGB, b"no profile at all"])
def test_cmyk_comes_out_as_rgb_and_loses_a_profile_that_no_longer_fits(icc: bytes | None) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    image = read(encoded(red, "JPEG", quality=100, icc_profile=icc))
    assert np.abs(image.pixels.astype(int) - [255, 0, 0]).max() < 8
    assert image.kind.icc is None
    assert image.kind.jpeg is None


def grey_ink_profile() -> bytes:
    """Return a CMYK profile in which all mixtures of inks but that of all four are the same middle grey."""

    def fixed(*numbers: float) -> bytes:
        return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))

    daylight, ramp = fixed(0.9642, 1, 0.8249), bytes(range(256))
    mixtures = bytes([128, 128, 128]) * 15 + bytes([0, 128, 128])
    identity = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + mixtures + ramp * 3
    white = b"XYZ " + bytes(4) + daylight
    places = (len(white), b"A2B0", 156 + len(white), len(table))
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, *places) + white + table
    header = struct.pack(">III", 128 + len(tags), 0, 0x02400000) + b"prtrCMYKLab "
    return (header.ljust(36, b"\0") + b"acsp").ljust(68, b"\0") + daylight.ljust(60, b"\0") + tags


def test_cmyk_goes_through_its_own_profile() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    image = read(encoded(red, "JPEG", quality=100, icc_profile=grey_ink_profile()))
    assert np.abs(image.pixels.astype(int) - 119).max() < 4
    assert image.kind.icc is None


def test_an_all_transparent_picture_stays_so() -> None:
    image = read(encoded(Image.new("RGBA", (8, 6), (9, 8, 7, 0))))
    assert not image.alpha.any()
    again = read(encode(image.to_tensor(), image))
    assert not again.alpha.any()
    assert np.array_equal(again.pixels, image.pixels)
    assert read(encode(image.to_tensor(), image, "JPEG")).pixels.min() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_exif_orientation_is_applied_and_then_gone(orientation: int, format: str) -> None:
    upright = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: COLOUR.transpose(1, 0, 2)[:, ::-1],
        7: COLOUR.transpose(1, 0, 2)[::-1, ::-1],
        8: COLOUR.transpose(1, 0, 2)[::-1],
    }[orientation]
    image = read(encoded(PICTURE, format, exif=with_exif(orientation)))
    assert np.array_equal(image.pixels, upright)
    kept = Image.Exif()
    kept.load(image.kind.exif)
    assert 0x0112 not in kept
    assert kept[0x010F] == "Maker"


def test_metadata_of_a_jpeg_is_remembered() -> None:
    data = encoded(PICTURE, "JPEG", exif=with_exif(1), icc_profile=SRGB, dpi=(300, 300), quality=70, subsampling=2)
    kind = read(data).kind
    assert kind.icc == SRGB
    assert kind.dpi == (300, 300)
    assert kind.jpeg.subsampling == 2
    assert len(kind.jpeg.quantisation) == 2
    exif = Image.Exif()
    exif.load(kind.exif)
    assert exif.get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"


@pytest.mark.parametrize("ratio", [(0xFFFFFFFF, 1), (0, 0), (1, 0), (0, 1)])
def test_a_senseless_resolution_is_dropped_and_the_picture_can_be_written(ratio: tuple[int, int]) -> None:
    sound, given = struct.pack("<LL", 72, 1), struct.pack("<LL", *ratio)
    data = encoded(PICTURE, "TIFF", dpi=(72, 72))
    assert data.count(sound) == 2
    assert read(data).kind.dpi == (72, 72)
    image = read(data.replace(sound, given))
    assert image.kind.dpi is None
    for format in ("PNG", "BMP", "TIFF", "JPEG", "WEBP"):
        assert read(encode(image.pixels, image, format)).kind.format == format


@pytest.mark.parametrize("size", [(20, 12), (12, 12)])
def test_chroma_halved_in_one_direction_is_not_kept_for_a_turned_photo(size: tuple[int, int]) -> None:
    turned = read(encoded(PICTURE.resize(size), "JPEG", exif=with_exif(6), subsampling=1))
    assert turned.kind.jpeg.subsampling == 0
    assert read(encoded(PICTURE, "JPEG", exif=with_exif(3), subsampling=1)).kind.jpeg.subsampling == 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_is_dropped_and_the_picture_read() -> None:
    image = read(encoded(PICTURE, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk"))
    assert np.array_equal(image.pixels, COLOUR)
    assert image.kind.exif is None


def test_the_photo_of_a_multi_picture_jpeg_is_read() -> None:
    data = encoded(PICTURE, "MPO", save_all=True, append_images=[PICTURE.convert("L").convert("RGB")])
    image = read(data)
    assert image.kind.format == "JPEG"
    assert image.pixels.shape == COLOUR.shape


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_or_several_pages_are_refused(format: str) -> None:
    data = encoded(PICTURE, format, save_all=True, append_images=[PICTURE.transpose(Image.Transpose.ROTATE_180)])
    with pytest.raises(ImageFileError, match="expected one picture"):
        read(data)


def test_a_still_gif_is_read() -> None:
    assert read(encoded(Image.new("P", (4, 3)), "GIF")).pixels.shape == (3, 4, 3)


@pytest.mark.parametrize("mode", ["F", "LAB"])
def test_unusual_samples_are_refused_by_name(mode: str) -> None:
    picture = PICTURE.convert("L").convert("F") if mode == "F" else Image.new("LAB", (4, 4))
    with pytest.raises(ImageFileError, match=f"got mode {mode}"):
        read(encoded(picture, "TIFF"))


def test_thirty_two_bits_are_refused() -> None:
    deep = Image.fromarray(np.full((4, 4), 100_000, np.int32))
    with pytest.raises(ImageFileError, match="got 32"):
        read(encoded(deep, "TIFF"))


def test_every_bad_file_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    whole = encoded(PICTURE, "JPEG")
    cases = {
        "empty.jpg": (b"", "empty file"),
        "text.jpg": (b"Dear diary, today I was a JPEG.", "another kind of file"),
        "short.jpg": (whole[: len(whole) // 2], "damaged"),
        "short.png": (encoded(PICTURE)[:-60], "damaged"),
        "svg.png": (b"<svg xmlns='...'/>", "expected a JPEG, PNG"),
    }
    for name, (data, what) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageFileError, match=what) as caught:
            read(tmp_path / name)
        assert name in str(caught.value)


def test_the_pixels_of_a_picture_are_counted_and_those_of_no_picture_are_none(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.webp", "a.tif"):
        PICTURE.save(tmp_path / name)
        assert count_pixels(tmp_path / name) == 12 * 20
    (tmp_path / "text.jpg").write_text("not a picture")
    os.mkfifo(tmp_path / "pipe")
    for name in ("text.jpg", "pipe", "missing"):
        assert count_pixels(tmp_path / name) == 0


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match="no such file"):
        read(tmp_path / "missing.jpg")
    with pytest.raises(ImageFileError, match="got a folder"):
        read(tmp_path)
    with pytest.raises(ImageFileError, match="cannot be read"):
        read("a\0b.jpg")


def test_the_limit_on_pixels_is_inclusive_and_can_be_moved() -> None:
    data = encoded(PICTURE)
    assert read(data, max_pixels=240).pixels.size == 720
    with pytest.raises(ImageFileError, match="got 20 x 12"):
        read(data, max_pixels=239)


@pytest.mark.parametrize("size", [(1, 1), (1, 30_000), (30_000, 1)])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_extreme_sizes(format: str, size: tuple[int, int]) -> None:
    source = read(encoded(Image.new("RGB", size, (1, 2, 3))))
    image = read(encode(source.to_tensor(), source, format))
    assert (image.width, image.height) == size
    assert np.abs(image.pixels.astype(int) - [1, 2, 3]).max() <= (2 if format == "JPEG" else 0)
