"""Write pictures and masks: in the kind of file they came from, and whole or not at all."""

from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mbu_ops.errors import DTypeError, ImageFileError, ShapeError
from mbu_ops.files import atomic_path
from mbu_ops.images import deep
from mbu_ops.images.file import TIFF_TEXT_TAGS, ImageFile, ImageKind, Pixels, row_bands
from mbu_ops.images.formats import FORMATS, Format, enable_heif, format_of

if TYPE_CHECKING:
    import torch

_LARGEST_JPEG_EXIF = 0xFFFF - 2
_LUMA = (19595, 38470, 7471)  # ITU-R 601 in 1/65536: exact where the three channels are equal


def write(
    path: str | os.PathLike[str],
    pixels: torch.Tensor | NDArray[Any],
    like: ImageFile | None = None,
    *,
    quality: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture, in the format its suffix names and otherwise as ``like`` was.

    Grey stays grey, 16 bits stay 16 bits, alpha, ICC profile and EXIF are kept, wherever the format can hold them
    (16 bits: PNG and TIFF; TIFF: only the text tags of EXIF, and 16-bit grey with alpha becomes RGBA); alpha is laid
    over white where it cannot. JPEG reuses the source's own tables, else quality 95 and 4:4:4; WebP is lossless unless
    the source was lossy, then quality 95; AVIF (4:4:4) and HEIC (4:2:0) have quality 90. HEIC needs the extra
    ``heic``. The file appears under its name complete or not at all, and may be seen by those who may see ``like``.
    Missing folders are made.

    Args:
        path: where to.
        pixels: a tensor ``(3, H, W)`` RGB in [0, 1], or an array ``(H, W, 3)`` of uint8, uint16 or floats in [0, 1].
        like: the file that the picture was made from.
        quality: of JPEG, WebP, AVIF and HEIC files, 1 (small) to 100; the other formats have none and ignore it.
        overwrite: replace an existing file.

    Raises:
        ImageFileError: if the suffix is none that can be written, the file exists, or it cannot be written.
        ShapeError: if the pixels have another shape, or another size than an alpha channel to be kept.
        DTypeError: if the pixels are of another dtype.
    """
    path = Path(path)
    mode = like.kind.mode if like else None
    write_bytes(path, encode(pixels, like, format_of(path).name, quality), overwrite=overwrite, mode=mode)


def writable(format: str) -> str:
    """Return the name of the format that edits of a picture have by default: its own, or PNG where that is none."""
    own = FORMATS.get(format)
    return own.name if own and own.writable else "PNG"


def keeps(kind: ImageKind, format: Format | None) -> tuple[bool, bool]:
    """Return whether a file of a format keeps what EXIF says of a picture, and where it was taken.

    Args:
        kind: of the picture.
        format: the format; None keeps nothing.
    """
    if format is None or not format.metadata or kind.exif is None:
        return False, False
    return True, kind.located and format.name != "TIFF"


def write_mask(
    path: str | os.PathLike[str],
    mask: torch.Tensor | NDArray[Any],
    *,
    overwrite: bool = False,
    mode: int | None = None,
) -> None:
    """Write a mask as an 8-bit grey PNG file, 255 = content.

    Args:
        path: where to; must end in ``.png``.
        mask: ``(1, H, W)`` or ``(H, W)`` in [0, 1]; or an array ``(H, W)`` of uint8, 255 = content.
        overwrite: replace an existing file.
        mode: as in :func:`write_bytes`.

    Raises:
        ImageFileError: as :func:`write`.
        ShapeError: if the mask has another shape.
        DTypeError: if it is neither floating point nor uint8.
    """
    path = Path(path)
    if format_of(path).name != "PNG":
        raise ImageFileError(f"{str(path)!r}: a mask is written as PNG; end its name in .png")
    write_bytes(path, encode_mask(mask), overwrite=overwrite, mode=mode)


def encode(
    pixels: torch.Tensor | NDArray[Any],
    like: ImageFile | None = None,
    format: str | None = None,
    quality: int | None = None,
) -> bytes:
    r"""Return a picture as the bytes of an image file; see :func:`write`.

    Args:
        pixels: a tensor ``(3, H, W)`` RGB in [0, 1], or an array ``(H, W, 3)`` of uint8, uint16 or floats in [0, 1].
        like: the file that the picture was made from.
        format: ``"JPEG"``, ``"PNG"``, ``"WEBP"``, ``"TIFF"``, ``"BMP"``, ``"AVIF"`` or ``"HEIF"``; that of ``like`` by
            default, else PNG.
        quality: as in :func:`write`.

    Raises:
        ImageFileError: if the format cannot be written, or cannot hold a picture of this size.
        ShapeError: as :func:`write`.
        DTypeError: as :func:`write`.

    Example:
        >>> encode(np.zeros((4, 4, 3), np.uint8), format="PNG")[:4]
        b'\x89PNG'
    """
    kind = like.kind if like else ImageKind()
    target = FORMATS.get(format or writable(kind.format))
    if target is None or not target.writable:
        known = ", ".join(sorted(name for name, one in FORMATS.items() if one.writable))
        raise ImageFileError(f"expected a format that can be written ({known}), got {format!r}")
    if target.name == "HEIF":
        enable_heif("the result")
    bits = 16 if kind.bits == 16 and target.deep else 8
    samples = to_samples(pixels, bits)
    alpha = like.alpha if like else None
    if alpha is not None:
        if alpha.shape != samples.shape[:2]:
            raise ShapeError(
                f"expected a picture of the size of its alpha channel, {alpha.shape[0]} x {alpha.shape[1]}, got "
                f"{samples.shape[0]} x {samples.shape[1]}; write it without `like`"
            )
        alpha = _change_depth(alpha, bits)
        if not target.alpha:
            samples, alpha = _over_white(samples, alpha), None
    if kind.grey:
        samples = luma(samples)
    if alpha is not None:
        samples = np.dstack([samples, alpha])
    try:
        if bits == 16:
            return _encode_deep(np.atleast_3d(samples), kind, target)
        buffer = BytesIO()
        Image.fromarray(samples).save(buffer, target.name, **_parameters(kind, target, quality))
        return buffer.getvalue()
    except (OSError, ValueError, KeyError, RuntimeError, OverflowError, struct.error) as error:
        # such as a side longer than the format can hold, or a library that was built without the encoder
        raise ImageFileError(f"a picture of this size or kind cannot be written as {target.name} ({error})") from error


def encode_mask(mask: torch.Tensor | NDArray[Any]) -> bytes:
    """Return a mask as the bytes of an 8-bit grey PNG file; see :func:`write_mask`."""
    values = _to_array(mask)
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2 or not values.size:
        raise ShapeError(f"expected one mask (1, H, W) or (H, W), got {tuple(values.shape)}")
    buffer = BytesIO()
    Image.fromarray(values if values.dtype == np.uint8 else quantise(values, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_bytes(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False, mode: int | None = None) -> None:
    """Write a file that appears under its name complete or not at all.

    Args:
        path: where to; missing folders are made.
        data: what to write.
        overwrite: replace an existing file.
        mode: permission bits of a new file, such as those of the photo that it was made from: what only its owner may
            see stays so.

    Raises:
        ImageFileError: if the file exists, or cannot be written.
    """
    path = Path(path)
    try:
        if not overwrite and os.path.lexists(path):
            raise ImageFileError(f"{str(path)!r} exists already; remove it, or ask to overwrite it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, mode) as temporary:
            temporary.write_bytes(data)
    except ImageFileError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageFileError(
            f"{str(path)!r}: cannot be written ({reason}); nothing was left under that name"
        ) from error


def _encode_deep(samples: Pixels, kind: ImageKind, target: Format) -> bytes:
    if target.name == "PNG":
        return deep.encode_png(samples, kind)
    return deep.encode_tiff(samples, kind, _tiff_tags(kind.exif))


def _parameters(kind: ImageKind, target: Format, quality: int | None) -> dict[str, Any]:
    """Return what Pillow is told beside the pixels."""
    parameters: dict[str, Any] = {}
    if target.metadata:
        exif = kind.exif
        if target.name == "TIFF":
            tags = _tiff_tags(exif)
            exif = tags.tobytes() if len(tags) else None
        if exif and not (target.name == "JPEG" and len(exif) > _LARGEST_JPEG_EXIF):
            parameters["exif"] = exif
        if kind.icc:
            parameters["icc_profile"] = kind.icc
    if kind.dpi and target.dpi:
        parameters["dpi"] = kind.dpi
    if target.name == "TIFF":
        parameters["compression"] = "tiff_adobe_deflate"
    if target.quality is not None:
        parameters |= _compression(kind, target, quality)
    return parameters


def _compression(kind: ImageKind, target: Format, quality: int | None) -> dict[str, Any]:
    """Return how a format of several qualities is to be compressed: as the source was, unless a quality is given."""
    plain = {"quality": quality or target.quality}
    if target.name == "JPEG" and kind.jpeg:
        tables = [list(table) for table in kind.jpeg.quantisation]
        chosen = {"qtables": tables} if quality is None else plain
        return chosen | {"subsampling": kind.jpeg.subsampling, "progressive": kind.jpeg.progressive}
    if target.name == "JPEG":
        return plain | {"subsampling": 0}
    if target.name == "WEBP":
        lossless = quality is None and (kind.lossless or kind.format != "WEBP")
        return {"lossless": True, "exact": True} if lossless else plain | {"exact": True}
    if target.name == "AVIF":
        # five times as fast as Pillow's default, for files of the same size; grey has no chroma to subsample
        return plain | {"speed": 8} | ({} if kind.grey else {"subsampling": "4:4:4"})
    return plain


def _tiff_tags(exif: bytes | None) -> Image.Exif:
    kept = Image.Exif()
    kept.load(exif or b"")
    for tag in list(kept):
        if tag not in TIFF_TEXT_TAGS:
            del kept[tag]
    return kept


def _to_array(values: torch.Tensor | NDArray[Any]) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    if not values.is_floating_point():
        raise DTypeError(f"expected a floating-point tensor in [0, 1], got {values.dtype}; divide by its maximum")
    return np.asarray(values.detach().float().cpu().numpy())


def to_samples(pixels: torch.Tensor | NDArray[Any], bits: int) -> Pixels:
    """Return a picture as ``(H, W, 3)`` integers of that many bits; arguments and errors as of :func:`write`."""
    array = _to_array(pixels)
    in_planes = not isinstance(pixels, np.ndarray)
    if array.ndim != 3 or array.shape[0 if in_planes else 2] != 3 or not array.size:
        raise ShapeError(
            f"expected one picture, a tensor (3, H, W) or an array (H, W, 3), got {type(pixels).__name__} of shape "
            f"{tuple(pixels.shape)}"
        )
    if array.dtype in (np.uint8, np.uint16):
        return _change_depth(array, bits)
    height, width = array.shape[1:] if in_planes else array.shape[:2]
    samples = np.empty((height, width, 3), _depth(bits))
    for top, bottom in row_bands(height, width):
        if not in_planes:
            samples[top:bottom] = quantise(array[top:bottom], bits)
            continue
        for channel, plane in enumerate(quantise(array[:, top:bottom], bits)):  # three times as fast as all at once
            samples[top:bottom, :, channel] = plane
    return samples


def quantise(values: NDArray[Any], bits: int) -> Pixels:
    """Return floats in [0, 1] as integers of that many bits."""
    if not np.issubdtype(values.dtype, np.floating):
        raise DTypeError(f"expected uint8, uint16 or floating-point values in [0, 1], got {values.dtype}")
    if not np.isfinite(values).all():
        raise ImageFileError("expected finite pixel values, got NaN or infinity; verify the weights that made them")
    depth = _depth(bits)
    scaled = values.astype(np.float32, copy=False).clip(0, 1)
    scaled *= np.float32(np.iinfo(depth).max)
    quantised: Pixels = np.rint(scaled, out=scaled).astype(depth)
    return quantised


def _depth(bits: int) -> type[np.uint8 | np.uint16]:
    return np.uint16 if bits == 16 else np.uint8


def _change_depth(samples: Pixels, bits: int) -> Pixels:
    if bits == 16 and samples.dtype == np.uint8:
        return samples.astype(np.uint16) * 257
    if bits == 8 and samples.dtype == np.uint16:
        return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return samples


def _over_white(samples: Pixels, alpha: Pixels) -> Pixels:
    top = int(np.iinfo(samples.dtype).max)
    cover = alpha[..., None].astype(np.uint32)  # holds the largest product of 16 bits, and a half
    laid = (samples * cover + top * (top - cover) + top // 2) // top
    return laid.astype(samples.dtype)


def luma(samples: Pixels) -> Pixels:
    """Return the grey ``(H, W)`` of samples ``(H, W, 3)``: exact where the three are equal."""
    height, width = samples.shape[:2]
    grey = np.empty((height, width), samples.dtype)
    for top, bottom in row_bands(height, width):
        total = np.full((bottom - top, width), 0x8000, np.uint32)  # holds the largest sum of 16 bits
        for channel, weight in enumerate(_LUMA):
            total += samples[top:bottom, :, channel].astype(np.uint32) * weight
        grey[top:bottom] = total >> 16
    return grey
