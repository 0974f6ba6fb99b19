"""What an image file holds: its pixels, and everything needed to write an edited picture back in its kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import IFD, Base

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.unsignedinteger[Any]]
"""Integer samples of 8 or 16 bits: uint8 or uint16."""

BAND = 1 << 20
"""About how many pixels are converted at a time, so that copies of a large picture stay small."""

SHOWN = 1024
"""Longest side of what notebooks show, in pixels."""

Strip: TypeAlias = Literal["metadata", "gps"]
"""What to leave out of results: all that EXIF says, or only where a photo was taken."""

_XMP = 700
_PLACES = (IFD.GPSInfo, _XMP)
"""Tags that say where a photo was taken, or may: XMP repeats what EXIF says."""

TIFF_TEXT_TAGS = frozenset(
    {Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist, Base.Copyright}
)
"""The EXIF tags that a compressed TIFF file can carry: Pillow cannot nest the others in one."""


@dataclass(frozen=True, slots=True)
class JPEGTables:
    """How a JPEG file was compressed. Writing with the same tables loses next to nothing where pixels did not change.

    Attributes:
        quantisation: quantisation tables, 64 numbers each.
        subsampling: Pillow's number of the chroma subsampling: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0.
        progressive: whether the file was progressive.
    """

    quantisation: tuple[tuple[int, ...], ...]
    subsampling: int
    progressive: bool


@dataclass(frozen=True, slots=True)
class ImageKind:
    """What an edited picture goes back to when it is written.

    Attributes:
        format: name of a format, such as ``"JPEG"``: see :data:`mbu_ops.images.formats.FORMATS`.
        grey: one sample a pixel, not three.
        bits: 8 or 16.
        alpha: has an alpha channel.
        icc: ICC profile that the pixels are in.
        exif: EXIF block, with the orientation (already applied) and the thumbnail (no longer true) taken out.
        dpi: dots per inch, horizontal and vertical.
        jpeg: how a JPEG file was compressed.
        lossless: for WebP, whether the file was lossless.
        located: whether the file says where it was taken.
        mode: permission bits of the file; None if it was none.
    """

    format: str = "PNG"
    grey: bool = False
    bits: int = 8
    alpha: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    jpeg: JPEGTables | None = None
    lossless: bool = False
    located: bool = False
    mode: int | None = None

    def without(self, strip: Strip | None) -> ImageKind:
        """Return the kind with some of the metadata left out; the ICC profile stays, since the colours need it.

        Args:
            strip: what to leave out; None leaves out nothing.

        Raises:
            ConfigurationError: if it is something else.

        Example:
            >>> exif = Image.Exif()
            >>> exif[Base.Artist] = "Ann"
            >>> exif[IFD.GPSInfo] = {1: "N", 2: (52.0, 31.0, 12.0)}
            >>> kind = ImageKind(exif=exif.tobytes(), located=True).without("gps")
            >>> exif.load(kind.exif)
            >>> exif[Base.Artist], exif.get_ifd(IFD.GPSInfo)
            ('Ann', {})
        """
        check_strip(strip)
        if strip is None:
            return self
        exif = None if strip == "metadata" or self.exif is None else _without_places(self.exif)
        return replace(self, exif=exif, located=False)


def _without_places(block: bytes) -> bytes | None:
    exif = Image.Exif()
    exif.load(block)
    exif.get_ifd(IFD.Exif)  # loaded now: the pointers mean nothing once the tags move
    for tag in _PLACES:
        if tag in exif:
            del exif[tag]
    return exif.tobytes() if len(exif) else None


@dataclass(frozen=True, slots=True, eq=False)
class ImageFile:
    """A decoded image file, upright.

    Attributes:
        pixels: ``(H, W, 3)`` RGB, uint8 or uint16; a grey picture has three equal channels.
        alpha: ``(H, W)`` of the same dtype, or ``None``.
        kind: what to go back to when writing.
    """

    pixels: Pixels
    alpha: Pixels | None
    kind: ImageKind

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    def in_8_bits(self) -> NDArray[np.uint8]:
        """Return the pixels as ``(H, W, 3)`` uint8, those of 16 bits by their upper eight.

        Example:
            >>> ImageFile(np.full((1, 1, 3), 0x12FF, np.uint16), None, ImageKind()).in_8_bits()[0, 0, 0] == 0x12
            np.True_
        """
        return _in_8_bits(self.pixels)

    def shrunk(self, times: int) -> ImageFile:
        """Return the picture in 8 bits and without alpha, each of its pixels the mean of a square of ours.

        Args:
            times: side of the squares, at most the picture's shorter side; what is left over at its right and lower
                border falls away.

        Example:
            >>> ImageFile(np.full((5, 9, 3), 7, np.uint8), None, ImageKind()).shrunk(4).pixels.tolist()
            [[[7, 7, 7], [7, 7, 7]]]
        """
        height, width = self.height // times, self.width // times
        samples = np.empty((height, width, 3), np.uint8)
        for top, bottom in row_bands(height, width * times * times):
            rows = _in_8_bits(self.pixels[top * times : bottom * times, : width * times])
            samples[top:bottom] = np.asarray(Image.fromarray(np.ascontiguousarray(rows)).reduce(times))
        return ImageFile(samples, None, ImageKind())

    def to_pillow(self) -> Image.Image:
        """Return the picture as Pillow has it: grey, with alpha, profile, EXIF and resolution as they are.

        Pillow has 16 bits for grey alone: colours, and grey with alpha, come out as 8.

        Example:
            >>> ImageFile(np.zeros((2, 3, 3), np.uint16), None, ImageKind(bits=16)).to_pillow().mode
            'RGB'
        """
        samples = self.pixels if self.kind.grey and self.alpha is None else self.in_8_bits()
        if self.kind.grey:
            samples = samples[..., 0]
        if self.alpha is not None:
            samples = np.dstack([samples, _in_8_bits(self.alpha)])
        image = Image.fromarray(np.ascontiguousarray(samples))
        told = {"icc_profile": self.kind.icc, "exif": self.kind.exif, "dpi": self.kind.dpi}
        image.info |= {name: value for name, value in told.items() if value is not None}
        return image

    def _repr_png_(self) -> bytes:
        """Show the picture in a notebook, with no side longer than :data:`SHOWN` pixels."""
        shown = replace(self, pixels=self.in_8_bits()).to_pillow()
        shown.thumbnail((SHOWN, SHOWN))
        buffer = BytesIO()
        shown.save(buffer, "PNG")
        return buffer.getvalue()

    @property
    def is_cut_out(self) -> bool:
        """Whether some of the picture is transparent: more than half.

        Example:
            >>> ImageFile(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8), ImageKind(alpha=True)).is_cut_out
            True
        """
        return self.alpha is not None and bool((self.alpha < np.iinfo(self.alpha.dtype).max / 2).any())

    def alpha_tensor(self) -> torch.Tensor:
        """Return how opaque each pixel is, ``(1, H, W)`` float32 in [0, 1]."""
        import torch

        if self.alpha is None:
            return torch.ones(1, self.height, self.width)
        return torch.from_numpy(self.alpha.astype(np.int32))[None] / float(np.iinfo(self.alpha.dtype).max)

    def to_tensor(self, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Return the pixels as an op wants them.

        Args:
            dtype: a floating-point dtype; float32 by default. float32 and float64 hold every value exactly enough to
                be written back unchanged. float16 does for 8-bit pictures and keeps 11 bits of 16; bfloat16 keeps
                8 bits of either, so that some values of an 8-bit picture come back as their neighbours.

        Returns:
            ``(3, H, W)`` RGB in [0, 1], contiguous, on the CPU.

        Example:
            >>> ImageFile(np.full((2, 4, 3), 255, np.uint8), None, ImageKind()).to_tensor().shape
            torch.Size([3, 2, 4])
        """
        import torch

        dtype = dtype or torch.float32
        # 16-bit samples overflow float16: divide first, in a dtype that holds them
        work = torch.promote_types(dtype, torch.float32)
        top = np.iinfo(self.pixels.dtype).max
        planes = torch.empty(3, self.height, self.width, dtype=dtype)
        for first, last in row_bands(self.height, self.width):
            rows: Any = self.pixels[first:last]
            rows = rows if rows.dtype == np.uint8 else rows.astype(np.int32)
            planes[:, first:last] = torch.from_numpy(rows).permute(2, 0, 1).to(work).div_(top)
        return planes


def check_strip(strip: object) -> None:
    """Check what is to be left out of results.

    Raises:
        ConfigurationError: if it is none of :data:`Strip`, and not None.
    """
    if strip is not None and strip not in get_args(Strip):
        raise ConfigurationError(f"expected strip = {', '.join(get_args(Strip))} or None, got {strip!r}")


def row_bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield the first row of each band of a picture, and the row behind its last, of :data:`BAND` pixels or so.

    Example:
        >>> list(row_bands(1000, 2_000_000))[:2], list(row_bands(3, 4))
        ([(0, 1), (1, 2)], [(0, 3)])
    """
    step = max(1, BAND // max(width, 1))
    for top in range(0, height, step):
        yield top, min(top + step, height)


def _in_8_bits(samples: Pixels) -> NDArray[np.uint8]:
    return samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)
