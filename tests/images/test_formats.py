"""HEIC and AVIF, and what every format promises."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from mbu_ops.errors import ImageFileError
from mbu_ops.images import ImageFile, ImageKind, count_pixels, encode, read, write
from mbu_ops.images.formats import FORMAT_OF_SUFFIX, FORMATS, format_of, looks_like_heif

from ..pictures import smooth

LOSSY = [name for name, format in FORMATS.items() if format.quality and not format.video]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WIDE, HIGH = 64, 48


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    return exif


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    buffer = BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_suffix_names_its_format(name: str) -> None:
    for suffix in FORMATS[name].suffixes:
        assert FORMAT_OF_SUFFIX[suffix] is FORMATS[name]
        if FORMATS[name].writable:
            assert format_of(Path(f"a{suffix.upper()}")) is FORMATS[name]


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
@pytest.mark.parametrize("grey", [False, True])
def test_pictures_come_back_nearly_as_they_were(format: str, grey: bool) -> None:
    pixels = smooth(WIDE, HIGH)
    if grey:
        pixels = pixels[..., :1].repeat(3, axis=2)
    again = read(encode(pixels, ImageFile(pixels, None, ImageKind(grey=grey)), format))
    assert (again.kind.format, again.kind.bits, again.kind.alpha) == (format, 8, False)
    assert again.kind.grey == grey
    assert np.abs(again.pixels.astype(int) - pixels).max() <= 8


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_sixteen_bits_become_eight_and_alpha_stays(format: str) -> None:
    pixels = smooth(WIDE, HIGH).astype(np.uint16) * 257
    alpha = np.zeros((HIGH, WIDE), np.uint16)
    alpha[:, WIDE // 2 :] = 0xFFFF
    again = read(encode(pixels, ImageFile(pixels, alpha, ImageKind(bits=16, alpha=True)), format))
    assert again.kind.bits == 8
    assert np.abs(again.alpha.astype(int) - (alpha >> 8)).max() <= 8


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_profile_exif_and_orientation_are_kept_as_in_other_formats(format: str) -> None:
    picture = Image.fromarray(smooth(WIDE, HIGH))
    source = read(saved(picture, format, exif=exif_of(6).tobytes(), icc_profile=SRGB, quality=95))
    assert (source.width, source.height) == (HIGH, WIDE)
    assert np.abs(source.pixels.astype(int) - np.rot90(smooth(WIDE, HIGH), -1)).mean() < 4
    with Image.open(BytesIO(encode(source.pixels, source))) as written:
        assert written.format == format
        assert written.size == (HIGH, WIDE)
        assert written.info["icc_profile"] == SRGB
        assert written.getexif()[0x010F] == "Maker"
        assert written.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("format", LOSSY)
def test_a_quality_makes_files_smaller_whatever_the_source_was(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HIGH, WIDE, 3), dtype=np.uint8)
    source = read(encode(noise, format=format))
    sizes = [len(encode(noise, source, format, quality)) for quality in (20, 60, 98)]
    assert sizes == sorted(sizes)
    assert sizes[0] < len(encode(noise, source, format)) / 2


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_formats_without_a_quality_ignore_it(format: str) -> None:
    assert encode(smooth(WIDE, HIGH), None, format, 10) == encode(smooth(WIDE, HIGH), None, format)


def test_a_jpeg_of_another_quality_keeps_its_subsampling() -> None:
    source = read(saved(Image.fromarray(smooth(WIDE, HIGH)), "JPEG", quality=90, subsampling=2, progressive=True))
    again = read(encode(source.pixels, source, quality=50))
    assert (again.kind.jpeg.subsampling, again.kind.jpeg.progressive) == (2, True)
    assert again.kind.jpeg.quantisation != source.kind.jpeg.quantisation


def test_the_primary_picture_of_a_heic_file_is_the_photo() -> None:
    first, second = (Image.new("RGB", (WIDE, HIGH), colour) for colour in ("red", "blue"))
    data = saved(first, "HEIF", save_all=True, append_images=[second], primary_index=1)
    assert read(data).pixels[0, 0].tolist() == pytest.approx([0, 0, 255], abs=8)


def test_an_animated_avif_is_no_picture() -> None:
    first, second = (Image.new("RGB", (WIDE, HIGH), colour) for colour in ("red", "blue"))
    with pytest.raises(ImageFileError, match="got an animation"):
        read(saved(first, "AVIF", save_all=True, append_images=[second]))


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_large_pictures_are_refused_by_their_header(format: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(encode(smooth(WIDE, HIGH), format=format))
    assert count_pixels(tmp_path / "a") == WIDE * HIGH
    with pytest.raises(ImageFileError, match=r"got 64 x 48"):
        read(tmp_path / "a", max_pixels=WIDE * HIGH - 1)


def test_without_the_extra_heic_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.heic", smooth(WIDE, HIGH))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    command = r"pip install 'mbu-ops\[heic\]'$"
    with pytest.raises(ImageFileError, match=rf"a\.heic': \.heic files need a package.*{command}"):
        read(tmp_path / "a.heic")
    with pytest.raises(ImageFileError, match=rf"b\.heif': \.heic files need .*{command}"):
        write(tmp_path / "b.heif", smooth(WIDE, HIGH))
    with pytest.raises(ImageFileError, match=command):
        encode(smooth(WIDE, HIGH), format="HEIF")
    assert count_pixels(tmp_path / "a.heic") == 0


def test_avif_needs_no_package_however_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(smooth(WIDE, HIGH), format="AVIF")
    data = data[:8] + b"mif1" + data[12:]
    assert looks_like_heif(data)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert read(data).kind.format == "AVIF"


def test_heif_without_an_encoder_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbu_ops.images.writer.enable_heif", lambda name: Image.SAVE.pop("HEIF", None))
    monkeypatch.setattr(Image, "SAVE", dict(Image.SAVE))
    with pytest.raises(ImageFileError, match="cannot be written as HEIF"):
        encode(smooth(WIDE, HIGH), format="HEIF")
