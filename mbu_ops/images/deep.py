"""Samples of 16 bits, which Pillow has no pictures for: read with its own decoders in halves, written by us."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from PIL import ImageFile as PillowFile

from mbu_ops.images.file import ImageKind, Pixels

_OTHER_END = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_PLANES = ("R", "G", "B", "A")
_SWAPPED = {
    f"{mode};16{end}": f"{mode};16{other}" for mode in ("RGB", "RGBA", *_PLANES) for end, other in _OTHER_END.items()
}
"""Pillow's names of how samples of 16 bits lie in a file, and those of the same with the bytes the other way round."""

_STRIP_BYTES = 1 << 20
_EFFORT = 1  # of zlib: its best takes up to seven times as long, for one percent of a photo whose last bits are noise
_PNG_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}


def is_deep(image: PillowFile.ImageFile) -> bool:
    """Tell whether an opened file has samples of more than 8 bits, as far as its header says."""
    return image.mode.startswith("I") or any("16" in mode for mode in _rawmodes(image)) or _deep_planes(image)


def _rawmodes(image: PillowFile.ImageFile) -> list[str]:
    return [str(tile.args[0] if isinstance(tile.args, tuple) and tile.args else tile.args) for tile in image.tile]


def _deep_planes(image: PillowFile.ImageFile) -> bool:
    tags = getattr(image, "tag_v2", {})
    planes = tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
    return planes and 16 in tags.get(TiffImagePlugin.BITSPERSAMPLE, ())


def load(image: PillowFile.ImageFile, data: bytes) -> tuple[Image.Image, Image.Image | None]:
    """Decode a file that Pillow has opened, at full depth.

    Pillow makes 8 bits of 16-bit colour by taking the first byte of each sample. Told that the bytes are the other
    way round, it takes the second. So it stays Pillow's decoder that meets untrusted bytes, filters and interlacing.

    Args:
        image: the opened file, not loaded yet.
        data: its bytes.

    Returns:
        The picture as Pillow has it, and the lower bytes of its samples; ``None`` where there are none that Pillow
        would lose: 8 bits, 16-bit grey, and TIFF files of 16-bit CMYK, premultiplied
        alpha or compressed planes.

    Raises:
        Exception: nearly any, for a damaged file.
    """
    rawmodes = _rawmodes(image)
    if rawmodes == ["LA;16B"]:
        # one pixel is four bytes, for Pillow's filters as for those of RGBA
        _retarget(image, ["RGBA"])
        image.load()
        grey_high, grey_low, alpha_high, alpha_low = image.split()
        return Image.merge("LA", (grey_high, alpha_high)), Image.merge("LA", (grey_low, alpha_low))
    if _deep_planes(image):
        # Pillow takes these planes for planes of bytes, and has libtiff's unpacked as it sees fit
        end = "L" if data.startswith(b"II") else "B"
        rawmodes = [f"{mode};16{end}" if mode in _PLANES else "unpacked by libtiff" for mode in rawmodes]
    if not rawmodes or not all(mode in _SWAPPED for mode in rawmodes):
        image.load()
        return image, None
    with Image.open(BytesIO(data), formats=[str(image.format)]) as again:
        _retarget(image, rawmodes)
        _retarget(again, [_SWAPPED[mode] for mode in rawmodes])
        image.load()
        again.load()
        return image, again


def join(high: Image.Image, low: Image.Image) -> NDArray[np.uint16]:
    """Return ``(H, W, C)`` 16-bit samples.

    Args:
        high: the upper bytes.
        low: the lower bytes, of the same mode.

    Example:
        >>> join(Image.new("RGB", (1, 1), (1, 0, 255)), Image.new("RGB", (1, 1), (2, 3, 255))).tolist()
        [[[258, 3, 65535]]]
    """
    samples = np.asarray(high).astype(np.uint16)
    samples <<= 8
    samples |= np.asarray(low)
    return samples


def encode_png(samples: Pixels, kind: ImageKind) -> bytes:
    r"""Return 16-bit samples as the bytes of a PNG file, with the profile, resolution and EXIF block of ``kind``.

    Args:
        samples: ``(H, W, C)`` uint16: grey, grey and alpha, RGB or RGBA.
        kind: where the metadata is.

    Raises:
        struct.error: if the resolution is beyond what PNG can hold.

    Example:
        >>> encode_png(np.zeros((4, 4, 3), np.uint16), ImageKind())[:4]
        b'\x89PNG'
    """
    height, width, channels = samples.shape
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPE[channels], 0, 0, 0))]
    if kind.icc:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(kind.icc)))
    if kind.dpi:
        chunks.append((b"pHYs", struct.pack(">IIB", *(int(one / 0.0254 + 0.5) for one in kind.dpi), 1)))
    if kind.exif:
        chunks.append((b"eXIf", kind.exif.removeprefix(b"Exif\0\0")))
    packer = zlib.compressobj(_EFFORT)
    chunks += [(b"IDAT", packer.compress(rows)) for rows in _filtered(samples)]
    chunks += [(b"IDAT", packer.flush()), (b"IEND", b"")]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in chunks:
        parts += [
            struct.pack(">I", len(content)),
            name,
            content,
            struct.pack(">I", zlib.crc32(content, zlib.crc32(name))),
        ]
    return b"".join(parts)


def encode_tiff(samples: Pixels, kind: ImageKind, tags: Image.Exif) -> bytes:
    r"""Return 16-bit samples as the bytes of a TIFF file, with the profile and resolution of ``kind``.

    Args:
        samples: ``(H, W, C)`` uint16: grey, grey and alpha, RGB or RGBA. Grey with alpha becomes RGBA, which more
            readers know.
        kind: where the metadata is.
        tags: texts to write beside the pixels.

    Raises:
        struct.error: if the file would be longer than TIFF can hold.

    Example:
        >>> encode_tiff(np.zeros((4, 4, 3), np.uint16), ImageKind(), Image.Exif())[:4]
        b'II*\x00'
    """
    if samples.shape[2] == 2:
        samples = samples[..., [0, 0, 0, 1]]
    height, width, channels = samples.shape
    strips = [zlib.compress(strip.tobytes(), _EFFORT) for strip in _differences(samples)]
    lengths = [len(strip) for strip in strips]
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, text in tags.items():
        directory[tag] = text
    directory[TiffImagePlugin.IMAGEWIDTH] = width
    directory[TiffImagePlugin.IMAGELENGTH] = height
    directory[TiffImagePlugin.BITSPERSAMPLE] = (16,) * channels
    directory[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    directory[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 1 if channels == 1 else 2
    if channels == 4:
        directory[TiffImagePlugin.EXTRASAMPLES] = 2  # alpha that the colour was not multiplied by
    directory[TiffImagePlugin.COMPRESSION] = 8  # zlib
    directory[TiffImagePlugin.PREDICTOR] = 2  # each pixel less the one before it
    directory[TiffImagePlugin.ROWSPERSTRIP] = _rows_at_once(samples)
    directory[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(lengths)
    # saving adds its own length to these
    directory[TiffImagePlugin.STRIPOFFSETS] = tuple(int(start) for start in np.cumsum([0, *lengths[:-1]]))
    if kind.icc:
        directory[TiffImagePlugin.ICCPROFILE] = kind.icc
    if kind.dpi:
        directory[TiffImagePlugin.RESOLUTION_UNIT] = 2
        directory[TiffImagePlugin.X_RESOLUTION], directory[TiffImagePlugin.Y_RESOLUTION] = kind.dpi
    buffer = BytesIO()
    directory.save(buffer)
    return b"".join([buffer.getvalue(), *strips])


def _retarget(image: PillowFile.ImageFile, rawmodes: list[str]) -> None:
    image.tile = [
        tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)
        for tile, rawmode in zip(image.tile, rawmodes, strict=True)
    ]


def _rows_at_once(samples: Pixels) -> int:
    """Return how many rows to compress at a time, so that copies of a large picture stay small."""
    return max(1, _STRIP_BYTES // int(samples[0].nbytes))


def _differences(samples: Pixels) -> Iterator[Pixels]:
    rows = _rows_at_once(samples)
    for top in range(0, len(samples), rows):
        strip = samples[top : top + rows].astype("<u2", order="C")
        strip[:, 1:] -= strip[:, :-1].copy()
        yield strip


def _filtered(samples: Pixels) -> Iterator[bytes]:
    """Yield rows as PNG stores them: each behind the number of the filter that leaves it the least."""
    height, width, channels = samples.shape
    step, rows = 2 * channels, _rows_at_once(samples)
    above = np.zeros((1, width * step), np.uint8)
    for top in range(0, height, rows):
        raw = samples[top : top + rows].astype(">u2", order="C").view(np.uint8).reshape(-1, width * step)
        up = np.concatenate([above, raw[:-1]])
        left = np.zeros_like(raw)
        left[:, step:] = raw[:, :-step]
        middle = (left & up) + ((left ^ up) >> 1)  # the rounded-down mean, without leaving 8 bits
        candidates = np.stack([raw - left, raw - up, raw - middle])
        best = np.abs(candidates.view(np.int8)).view(np.uint8).sum(axis=2, dtype=np.uint64).argmin(axis=0)
        yield np.insert(candidates[best, np.arange(len(raw))], 0, best + 1, axis=1).tobytes()
        above = raw[-1:]
