"""Read an image file, pipe or byte string: upright RGB pixels, and the kind to go back to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL import ImageFile as PillowFile

from mbu_ops.errors import ImageFileError
from mbu_ops.files import Rationed, open_regular, permissions
from mbu_ops.images import deep
from mbu_ops.images.deadline import within
from mbu_ops.images.file import TIFF_TEXT_TAGS, ImageFile, ImageKind, JPEGTables
from mbu_ops.images.formats import FORMATS, enable_heif, looks_like_heif, require
from mbu_ops.images.samples import samples_of
from mbu_ops.limits import (
    CODING,
    LARGEST_METADATA,
    MAX_FILE_BYTES,
    Limits,
    RefusedError,
    count_scans,
    current_limits,
    decoding,
)

_START = 12
"""Bytes at the start of a file that tell whether it may be a HEIF file."""

LARGEST_DPI = 100_000
"""A resolution beyond this is nonsense, and is dropped."""

# named by class and not by word: Pillow knows a format only once its module is imported
_READERS: tuple[type[PillowFile.ImageFile], ...] = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    TiffImagePlugin.TiffImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    AvifImagePlugin.AvifImageFile,
)
_PILLOW_FORMATS = [str(reader.format) for reader in _READERS]
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = tuple(_TURNS[orientation] for orientation in (5, 6, 7, 8))
_JPEG = b"\xff\xd8"
_JPEG_STRIPS = (
    (TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.STRIPBYTECOUNTS),
    (TiffImagePlugin.TILEOFFSETS, TiffImagePlugin.TILEBYTECOUNTS),
)
_FORMAT_NAMES = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"
_WITH_MORE_BEHIND = ("MPO", "HEIF")
"""Formats in which a photo may have more pictures behind it: a second view, a burst. The first, or primary, counts."""


Source = str | os.PathLike[str] | bytes | BinaryIO
"""Where an encoded picture may be: a path, bytes, or an open binary file or pipe."""


def read(source: Source, *, max_pixels: int | None = None) -> ImageFile:
    """Decode one picture.

    Grey, palette and CMYK pictures all come out as RGB; the EXIF orientation is applied. CMYK goes through its ICC
    profile into sRGB. 16 bits of PNG and TIFF files are kept, but for TIFF files of CMYK, of premultiplied alpha or of
    compressed separate planes, which come out as 8 bits; so do 10 and 12 bits of AVIF and HEIC files. HEIC files need
    the extra ``heic``.

    Args:
        source: a path, encoded bytes, or an open binary file or pipe, which is read to its end.
        max_pixels: refuse pictures of more pixels than this, before decoding them; see
            :func:`mbu_ops.images.limited` for this and other limits.

    Returns:
        The picture and its kind.

    Raises:
        ImageFileError: if it is missing, empty, no image, truncated, animated, too large, takes too long or is of an
            unsupported kind; the message names the file.

    Example:
        >>> from mbu_ops.images import encode
        >>> grey = np.full((2, 3, 3), 7, np.uint8)
        >>> read(encode(grey, format="PNG")).pixels.shape
        (2, 3, 3)
    """
    name, limits = _name(source), current_limits()
    if max_pixels is not None:
        limits = replace(limits, max_pixels=max_pixels)
    # a pipe's writer may take its time
    content = source if isinstance(source, str | os.PathLike) else read_bytes(source)
    if limits.isolate:
        from mbu_ops.images.isolated import decode_apart

        image = decode_apart(lambda: read_bytes(content), name, limits)
    else:
        image = within(limits.timeout, lambda: decode(read_bytes(content), name, limits), name)
    return replace(image, kind=replace(image.kind, mode=permissions(source)))


def decode(data: bytes, name: str, limits: Limits) -> ImageFile:
    """Decode one picture here and now, as :func:`read` does.

    Args:
        data: its file.
        name: what to call it in errors.
        limits: what it may cost; ``timeout`` and ``isolate`` are for :func:`read`.

    Raises:
        ImageFileError: as :func:`read`.
    """
    if not data:
        raise ImageFileError(f"{name}: expected an image, got an empty file; remove it or fetch it again")
    with _decoding(name):
        try:
            with Image.open(BytesIO(data), formats=_openable(data)) as image:
                return _decode(image, data, limits)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # Pillow's own, higher limit
            raise RefusedError(
                f"expected at most {limits.max_pixels / 1e6:g} million pixels, got more ({error})"
            ) from None
        except UnidentifiedImageError:
            if looks_like_heif(data):
                require(FORMATS["HEIF"], name)
            # none of its bytes: a link by a picture's name may lead to anything
            raise RefusedError(f"expected a {_FORMAT_NAMES} image, got another kind of file") from None


def from_pillow(image: Image.Image) -> ImageFile:
    """Return a picture that Pillow has opened or made, as :func:`read` would have read it from a file.

    Args:
        image: of any mode, but of floating-point, Lab and 32-bit samples; it is left as it is.

    Raises:
        ImageFileError: if it is of an unsupported kind, empty, an animation, or its file is damaged.

    Example:
        >>> from_pillow(Image.new("L", (3, 2))).kind.grey
        True
    """
    with _decoding(repr(getattr(image, "filename", "") or "PIL image")):
        if not (image.width and image.height):
            raise RefusedError(f"expected at least one pixel, got {image.width} x {image.height}")
        _refuse_animation(image)
        image.load()
        return _upright(image, image, None)


def count_pixels(path: str | os.PathLike[str]) -> int:
    """Return how many pixels a picture's header promises, decoding none; 0 where it cannot be told.

    Args:
        path: a file, sound or not.

    Example:
        >>> count_pixels("no such file")
        0
    """
    try:
        with open_regular(Path(path), MAX_FILE_BYTES) as file:
            return _pixels_by_header(file, os.fstat(file.fileno()).st_size)
    except Exception:  # read() tells what is wrong with it
        return 0


def _pixels_by_header(file: BinaryIO, size: int) -> int:
    """Return how many pixels a file's header promises.

    Raises:
        Exception: nearly any, for a damaged file.
    """
    start = file.read(_START)
    file.seek(0)
    if start[8:12] == b"WEBP" or start[4:8] == b"ftyp":  # Pillow reads all of them before it tells
        if size > LARGEST_METADATA:
            raise RefusedError(f"expected at most {LARGEST_METADATA >> 20} MiB, got {size >> 20} MiB")
        source: Any = file
    else:
        source = Rationed(file, LARGEST_METADATA)
    with Image.open(source, formats=_openable(start)) as image:
        return image.width * image.height


def _openable(start: bytes) -> list[str]:
    """Return the formats that a file which starts so may have; HEIF's package is loaded only for files like its own."""
    if not looks_like_heif(start) or FORMATS["HEIF"].missing:
        return _PILLOW_FORMATS
    enable_heif("a picture")
    return [*_PILLOW_FORMATS, FORMATS["HEIF"].name]


@contextlib.contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Name the picture in whatever becomes of decoding it."""
    try:
        with decoding(name):
            yield
    except ImageFileError:
        raise
    except RefusedError as error:
        raise ImageFileError(f"{name}: {error}") from None
    except Exception as error:  # a hostile file can make a decoder raise nearly anything
        raise ImageFileError(
            f"{name}: expected a whole image, got a damaged one ({error or type(error).__name__}); fetch it again"
        ) from error


def _name(source: object) -> str:
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))  # quoted: a name may hold a newline, or bytes that cannot be printed
    return "piped image"


def read_bytes(source: Source) -> bytes:
    """Return what a file or a pipe holds, never reading more than :data:`MAX_FILE_BYTES`.

    Of a file the header is read first, since a longer one than its pixels can fill need not be read.

    Raises:
        ImageFileError: if it is missing, no regular file, longer, or cannot be read.
    """
    name = _name(source)
    if isinstance(source, bytes):
        return source
    try:
        if isinstance(source, str | os.PathLike):
            return _file_bytes(Path(source), name)
        data = source.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ImageFileError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise ImageFileError(f"{name}: expected an image file, got a folder") from None
    except ImageFileError:
        raise
    except (OSError, ValueError) as error:
        raise ImageFileError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    _check_length(name, len(data))
    return data


def _check_length(name: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ImageFileError(f"{name}: expected at most {MAX_FILE_BYTES >> 20} MiB, got more")


def _file_bytes(path: Path, name: str) -> bytes:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        _check_length(name, size)
        if size > LARGEST_METADATA:
            with _decoding(name):
                _refuse(current_limits().flaw_of_file(_pixels_by_header(file, size), size))
            file.seek(0)
        return file.read(size)


def _refuse(flaw: str | None) -> None:
    if flaw is not None:
        raise RefusedError(flaw)


def _decode(image: PillowFile.ImageFile, data: bytes, limits: Limits) -> ImageFile:
    bits = 16 if deep.is_deep(image) else 8
    scans = _count_scans(image, data)
    coding = FORMATS[image.format].coding if image.format in FORMATS else CODING
    _refuse(limits.flaw(image.width, image.height, bits=bits, scans=scans, file_bytes=len(data), coding=coding))
    _refuse_animation(image)
    high, low = deep.load(image, data)
    return _upright(image, high, low, image.format == "WEBP" and b"VP8L" in data)


def _count_scans(image: PillowFile.ImageFile, data: bytes) -> int:
    """Return the most scans that a JPEG stream of the file has, which a TIFF file may hold too; 0 if there are none."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return count_scans(data)
    tags = getattr(image, "tag_v2", {})
    streams = 0
    for starts, lengths in _JPEG_STRIPS:
        view = memoryview(data)
        for start, length in zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False):
            if data[start : start + 2] == _JPEG:
                streams = max(streams, count_scans(view[start : start + length]))
    return streams


def _refuse_animation(image: Image.Image) -> None:
    if image.format not in _WITH_MORE_BEHIND and getattr(image, "is_animated", False):
        raise RefusedError("expected one picture, got an animation or several pages; extract the one you want")


def _upright(image: Image.Image, high: Image.Image, low: Image.Image | None, lossless: bool = False) -> ImageFile:
    """Return a picture whose samples are loaded, turned as its EXIF block says.

    Args:
        image: what says everything but the samples.
        high: its samples.
        low: their lower bytes, see :func:`mbu_ops.images.deep.load`.
        lossless: of WebP, whether the file was.
    """
    source_format = "JPEG" if image.format == "MPO" else image.format or "PNG"
    icc, dpi, jpeg = image.info.get("icc_profile"), image.info.get("dpi"), _jpeg_tables(image)
    located = b"GPSLatitude" in (image.info.get("xmp") or b"")
    try:
        located = located or bool(image.getexif().get_ifd(ExifTags.IFD.GPSInfo))
        # asked for before the block is made, which takes the orientation out
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
        exif = _exif(image, source_format)
    except Exception:  # EXIF that cannot be parsed is dropped: the picture itself is whole
        turn, exif = None, None
    if turn is not None:
        high, low = high.transpose(turn), low.transpose(turn) if low else None
        if jpeg and jpeg.subsampling == 1 and turn in _SIDEWAYS:
            jpeg = replace(jpeg, subsampling=0)  # 4:2:2 halves one direction only, and that direction turned
    if high.mode == "CMYK":
        high, icc, jpeg = _cmyk_to_rgb(high, icc), None, None
    pixels, alpha, grey = samples_of(high, low)
    kind = ImageKind(
        format=source_format,
        grey=grey,
        bits=16 if pixels.dtype == np.uint16 else 8,
        alpha=alpha is not None,
        icc=icc or None,
        exif=exif,
        dpi=_sane_dpi(dpi),
        jpeg=jpeg,
        lossless=lossless,
        located=located,
    )
    return ImageFile(pixels, alpha, kind)


def _sane_dpi(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return a resolution that every format can hold, or None: files may say 0/0 or 2**32 dots per inch."""
    if not dpi or not all(0 < one < LARGEST_DPI for one in dpi):  # false for NaN too
        return None
    return float(dpi[0]), float(dpi[1])


def _cmyk_to_rgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if icc:
        # a broken profile is no reason to refuse the picture: the plain formula is left
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            profile = ImageCms.ImageCmsProfile(BytesIO(icc))
            srgb = ImageCms.createProfile("sRGB")
            return cast(Image.Image, ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB"))
    return image.convert("RGB")


def _exif(image: Image.Image, source_format: str) -> bytes | None:
    exif = image.getexif()
    exif.get_ifd(ExifTags.IFD.Exif)  # loaded now: the pointers mean nothing once the tags move
    exif.get_ifd(ExifTags.IFD.GPSInfo)
    for tag in list(exif):
        # in a TIFF file the same list also says how the pixels are stored
        if tag == ExifTags.Base.Orientation or (source_format == "TIFF" and tag not in TIFF_TEXT_TAGS):
            del exif[tag]
    return exif.tobytes() if len(exif) else None


def _jpeg_tables(image: Image.Image) -> JPEGTables | None:
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
    subsampling = JpegImagePlugin.get_sampling(image)
    return JPEGTables(tables, max(subsampling, 0), bool(image.info.get("progressive")))
