from __future__ import annotations

import errno
import os
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageCms

from mbu_ops.errors import DTypeError, ImageFileError, ShapeError
from mbu_ops.images import ImageFile, ImageKind, encode, encode_mask, read, write, write_bytes, write_mask
from mbu_ops.images.memory import mask_file

from ..pictures import smooth

RNG = np.random.default_rng(1)
COLOUR = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
SMOOTH = smooth(64, 48)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


@st.composite
def image_files(draw: st.DrawFn) -> ImageFile:
    """Any picture that a PNG or TIFF file can hold."""
    pixels = draw(pictures)
    grey, alpha = draw(st.booleans()), None
    deep = grey and draw(st.booleans())
    if grey:
        pixels = pixels[..., :1].repeat(3, axis=2)
    if deep:
        pixels = pixels.astype(np.uint16) * 251
    elif draw(st.booleans()):
        alpha = draw(hnp.arrays(np.uint8, pixels.shape[:2]))
    kind = ImageKind(
        format=draw(st.sampled_from(["PNG", "TIFF"])), grey=grey, bits=16 if deep else 8, alpha=alpha is not None
    )
    return ImageFile(pixels, alpha, kind)


@given(image_files())
def test_what_is_written_unchanged_reads_the_same(image: ImageFile) -> None:
    again = read(encode(image.to_tensor(), image))
    assert np.array_equal(again.pixels, image.pixels)
    assert (again.alpha is None) == (image.alpha is None)
    assert image.alpha is None or np.array_equal(again.alpha, image.alpha)
    assert (again.kind.format, again.kind.grey, again.kind.bits, again.kind.alpha) == (
        image.kind.format,
        image.kind.grey,
        image.kind.bits,
        image.kind.alpha,
    )


@given(pictures, st.sampled_from(["PNG", "TIFF", "WEBP", "BMP"]))
def test_without_a_source_pixels_are_kept_where_the_format_can(pixels: NDArray[Any], format: str) -> None:
    assert np.array_equal(read(encode(pixels, format=format)).pixels, pixels)


def test_jpeg_tables_of_the_source_are_used_again() -> None:
    buffer = BytesIO()
    Image.fromarray(SMOOTH).save(buffer, "JPEG", quality=60, subsampling=2, progressive=True)
    source = read(buffer.getvalue())
    again = read(encode(source.pixels, source))
    assert again.kind.jpeg == source.kind.jpeg
    assert np.abs(again.pixels.astype(int) - source.pixels).max() <= 4
    assert abs(len(encode(source.pixels, source)) - len(buffer.getvalue())) < len(buffer.getvalue()) * 0.1


def test_jpeg_without_a_source_is_close_and_keeps_full_chroma() -> None:
    image = read(encode(SMOOTH, format="JPEG"))
    assert np.abs(image.pixels.astype(int) - SMOOTH).max() <= 6
    assert image.kind.jpeg.subsampling == 0


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_profile_and_exif_are_kept(format: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    image = ImageFile(COLOUR, None, ImageKind(icc=SRGB, exif=exif.tobytes()))
    with Image.open(BytesIO(encode(COLOUR, image, format))) as written:
        assert written.info["icc_profile"] == SRGB
        assert written.getexif()[0x010F] == "Maker"
        assert 0x0112 not in written.getexif()
        if format != "TIFF":
            assert written.getexif().get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"


def test_exif_too_long_for_jpeg_is_left_out() -> None:
    image = ImageFile(COLOUR, None, ImageKind(exif=b"Exif\0\0" + bytes(70_000)))
    assert read(encode(COLOUR, image, "JPEG")).kind.exif is None


def test_an_edited_grey_picture_stays_grey_and_equal_channels_stay_exact() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    image = ImageFile(grey, None, ImageKind(grey=True))
    edited = grey.copy()
    edited[0, 0] = (255, 0, 0)
    with Image.open(BytesIO(encode(edited, image))) as written:
        assert written.mode == "L"
        values = np.asarray(written)
    assert values[0, 0] == round(0.299 * 255)
    assert np.array_equal(values.ravel()[1:], grey[..., 0].ravel()[1:])


def test_sixteen_bit_grey_becomes_eight_bits_where_the_format_has_no_more() -> None:
    deep = np.array([[0, 128, 129, 65535]], np.uint16)[..., None].repeat(3, axis=2)
    image = ImageFile(deep, None, ImageKind(grey=True, bits=16))
    assert read(encode(deep, image, "BMP")).pixels[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("format", ["JPEG", "BMP"])
def test_alpha_is_laid_over_white_where_the_format_has_none(format: str) -> None:
    alpha = np.zeros((16, 16), np.uint8)
    alpha[:, 8:] = 255
    image = ImageFile(np.full((16, 16, 3), 40, np.uint8), alpha, ImageKind(alpha=True))
    flat = read(encode(image.pixels, image, format)).pixels.astype(int)
    assert flat[:, :8].min() >= 253
    assert np.abs(flat[:, 8:] - 40).max() <= 2


def test_colour_under_full_transparency_is_kept() -> None:
    image = ImageFile(COLOUR, np.zeros((12, 20), np.uint8), ImageKind(alpha=True))
    for format in ("PNG", "WEBP", "TIFF"):
        assert np.array_equal(read(encode(COLOUR, image, format)).pixels, COLOUR)


def test_lossy_webp_stays_lossy_and_lossless_stays_lossless() -> None:
    lossy, lossless = (
        read(encode(COLOUR, ImageFile(COLOUR, None, ImageKind(format="WEBP", lossless=value))))
        for value in (False, True)
    )
    assert not lossy.kind.lossless
    assert lossless.kind.lossless
    assert np.array_equal(lossless.pixels, COLOUR)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_outside_the_range_are_clipped(dtype: torch.dtype) -> None:
    pixels = torch.tensor([-1.0, 0.5, 2.0], dtype=dtype)[:, None, None].expand(3, 2, 2)
    assert read(encode(pixels)).pixels[0, 0].tolist() == [0, 128, 255]


def test_a_tensor_that_needs_gradients_can_be_written() -> None:
    assert read(encode(torch.ones(3, 2, 2, requires_grad=True))).pixels.min() == 255


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_a_number_is_refused(value: float) -> None:
    with pytest.raises(ImageFileError, match="NaN or infinity"):
        encode(torch.full((3, 2, 2), value))


def test_wrong_shapes_and_dtypes_are_refused() -> None:
    for shape in [(1, 3, 4, 4), (4, 4), (1, 4, 4), (4, 4, 3), (3, 0, 4)]:
        with pytest.raises(ShapeError, match=r"\(3, H, W\)"):
            encode(torch.zeros(shape))
    with pytest.raises(DTypeError, match=r"torch\.uint8"):
        encode(torch.zeros(3, 4, 4, dtype=torch.uint8))
    with pytest.raises(DTypeError, match="int64"):
        encode(np.zeros((4, 4, 3), np.int64))
    with pytest.raises(ShapeError, match="alpha"):
        encode(np.zeros((4, 4, 3), np.uint8), ImageFile(COLOUR, np.zeros((12, 20), np.uint8), ImageKind(alpha=True)))


def test_formats_and_suffixes_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match="'GIF'"):
        encode(COLOUR, format="GIF")
    for name in ("a.gif", "a.txt", "a"):
        with pytest.raises(ImageFileError, match=r"ends in one of \.jpg"):
            write(tmp_path / name, COLOUR)
    with pytest.raises(ImageFileError, match="cannot be written as WEBP"):
        encode(np.zeros((1, 20_000, 3), np.uint8), format="WEBP")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dpi", [(2.0**40, 2.0**40), (float("inf"), 72.0), (float("nan"), 72.0)])
@pytest.mark.parametrize("format", ["PNG", "BMP"])
def test_a_resolution_that_the_format_cannot_hold_is_a_clear_error(format: str, dpi: tuple[float, float]) -> None:
    with pytest.raises(ImageFileError, match=f"cannot be written as {format}"):
        encode(COLOUR, ImageFile(COLOUR, None, ImageKind(dpi=dpi)), format)


def test_a_gif_goes_on_as_png() -> None:
    assert read(encode(COLOUR, ImageFile(COLOUR, None, ImageKind(format="GIF")))).kind.format == "PNG"


def test_writing_makes_folders_and_follows_the_suffix(tmp_path: Path) -> None:
    write(tmp_path / "a/b/c.BMP", COLOUR)
    image = read(tmp_path / "a/b/c.BMP")
    assert image.kind.format == "BMP"
    assert np.array_equal(image.pixels, COLOUR)
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["c.BMP"]


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(ImageFileError, match="exists already"):
        write(path, COLOUR)
    assert path.read_bytes() == b"precious"
    write(path, COLOUR, overwrite=True)
    assert np.array_equal(read(path).pixels, COLOUR)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_full_disk_or_ctrl_c_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception | KeyboardInterrupt
) -> None:
    def fail(_: int) -> NoReturn:
        raise failure

    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((ImageFileError, KeyboardInterrupt)) as caught:
        write(path, COLOUR, overwrite=True)
    assert isinstance(failure, KeyboardInterrupt) or "No space left on device" in str(caught.value)
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageFileError, match=r"file/a\.png.*cannot be written"):
        write(tmp_path / "file/a.png", COLOUR)
    with pytest.raises(ImageFileError, match="cannot be written"):
        write_bytes(tmp_path / ("x" * 300 + ".png"), b"data")
    with pytest.raises(ImageFileError, match="cannot be written"):
        write_bytes("a\0b.png", b"data")


def test_the_file_gets_the_rights_a_new_file_gets(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_bytes(tmp_path / "a.png", b"data")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("shape", [(1, 5, 7), (5, 7)])
def test_a_mask_is_eight_bit_grey(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = torch.linspace(0, 1, 35).reshape(shape)
    write_mask(tmp_path / "m.png", values)
    with Image.open(tmp_path / "m.png") as written:
        assert written.mode == "L"
        assert np.array_equal(np.asarray(written), np.rint(values.reshape(5, 7).numpy() * 255))


def test_masks_of_other_shapes_dtypes_and_names_are_refused(tmp_path: Path) -> None:
    for shape in [(2, 5, 7), (1, 1, 5, 7), (1, 0, 7)]:
        with pytest.raises(ShapeError, match="one mask"):
            encode_mask(torch.zeros(shape))
    with pytest.raises(DTypeError):
        encode_mask(np.zeros((4, 4), np.int32))
    with pytest.raises(ImageFileError, match=r"\.png"):
        write_mask(tmp_path / "m.jpg", torch.zeros(1, 4, 4))


def test_masks_may_be_samples() -> None:
    samples = np.array([[0, 7, 255]], np.uint8)
    with Image.open(BytesIO(encode_mask(samples))) as written:
        assert np.array_equal(np.asarray(written), samples)
    assert np.array_equal(mask_file(samples).pixels[..., 0], samples)
    with pytest.raises(DTypeError):
        encode_mask(samples.astype(np.int64))
