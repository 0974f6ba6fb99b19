"""The formats of image files: their suffixes, what each can hold, and the package that some of them need."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from mbu_ops.errors import ImageFileError
from mbu_ops.files import open_regular
from mbu_ops.limits import CODING


@dataclass(frozen=True, slots=True)
class Format:
    """A format of image files.

    Attributes:
        name: Pillow's name of it.
        suffixes: suffixes of its files, in lower case.
        writable: whether edited pictures can be written in it.
        alpha: whether it holds an alpha channel.
        deep: whether it holds 16 bits a sample.
        metadata: whether it holds an ICC profile and EXIF.
        dpi: whether it holds a resolution.
        quality: quality of lossy files, 1 to 100, unless the user or the source says otherwise; None if it has none.
        animated: whether its files may hold an animation that can be edited.
        video: whether its files hold videos, and no pictures.
        package: package that reads and writes it, where Pillow alone does not.
        extra: extra of this distribution that brings the package.
        coding: bytes that each pixel of 8 bits takes while it is decoded, or encoded again, the picture included.
    """

    name: str
    suffixes: tuple[str, ...]
    writable: bool = True
    alpha: bool = True
    deep: bool = False
    metadata: bool = True
    dpi: bool = True
    quality: int | None = None
    animated: bool = False
    video: bool = False
    package: str | None = None
    extra: str | None = None
    coding: int = CODING

    @property
    def missing(self) -> str | None:
        """Command that installs the package for this format; None where nothing is missing.

        Example:
            >>> FORMATS["PNG"].missing is None
            True
        """
        if self.package is None or importlib.util.find_spec(self.package) is not None:
            return None
        return f"pip install 'mbu-ops[{self.extra}]'"


FORMATS = {
    format.name: format
    for format in (
        Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), alpha=False, quality=95),
        Format("PNG", (".png",), deep=True, animated=True),
        Format("WEBP", (".webp",), dpi=False, quality=95, animated=True, coding=36),
        Format("TIFF", (".tiff", ".tif"), deep=True),
        Format("BMP", (".bmp",), alpha=False, metadata=False),
        Format("AVIF", (".avif",), dpi=False, quality=90, coding=48),
        Format(
            "HEIF", (".heic", ".heif", ".hif"), dpi=False, quality=90, package="pillow_heif", extra="heic", coding=48
        ),
        # its palette cannot hold an edit, so edits of it become PNG files; those of animations stay what they are
        Format("GIF", (".gif",), writable=False, animated=True),
        *(
            Format(name, suffixes, writable=False, quality=80, video=True, package="av", extra="video")
            for name, suffixes in (
                ("MP4", (".mp4", ".m4v")),
                ("MOV", (".mov",)),
                ("MKV", (".mkv",)),
                ("WEBM", (".webm",)),
            )
        ),
    )
}
"""Every format that can be read, by name."""

FORMAT_OF_SUFFIX = {suffix: format for format in FORMATS.values() for suffix in format.suffixes}
"""Every format that can be read, by lower-case suffix."""

READABLE_SUFFIXES = tuple(suffix for suffix, format in FORMAT_OF_SUFFIX.items() if not format.video)
CLIP_SUFFIXES = tuple(suffix for suffix, format in FORMAT_OF_SUFFIX.items() if format.video or format.animated)
"""Suffixes of files that may hold a video or an animation."""
WRITABLE_SUFFIXES = tuple(suffix for suffix, format in FORMAT_OF_SUFFIX.items() if format.writable)

_WEBP_FLAGS, _ANIMATED = 20, 2
"""Where a WebP file has its flags, and the flag of animations."""

_HEIF_BRANDS = (b"ftyphei", b"ftyphev", b"ftypmif", b"ftypmsf")


def looks_like_heif(start: bytes) -> bool:
    """Tell whether a file that starts so may be a HEIF file (HEIC); some AVIF files start the same.

    Args:
        start: its first 12 bytes, or more.

    Example:
        >>> looks_like_heif(b"    ftypheic")
        True
    """
    return start[4:].startswith(_HEIF_BRANDS)


def require(format: Format, name: str) -> None:
    """Make sure that files of a format can be read and written here.

    Args:
        format: the format.
        name: what is to be read or written, for the message.

    Raises:
        ImageFileError: if a package for it is missing.
    """
    if format.missing:
        raise ImageFileError(
            f"{name}: {format.suffixes[0]} files need a package that is not installed: {format.missing}"
        )


def enable_heif(name: str) -> None:
    """Make Pillow read and write HEIF files.

    Args:
        name: what is to be read or written, for the message.

    Raises:
        ImageFileError: if the package for it is missing.
    """
    require(FORMATS["HEIF"], name)
    from pillow_heif import register_heif_opener

    register_heif_opener()


def format_of(path: Path, clip: bool = False) -> Format:
    """Return the format that the suffix of a path names.

    Args:
        path: where something is to be written.
        clip: whether that is a video or an animation.

    Raises:
        ImageFileError: if it names none that can be written here.

    Example:
        >>> format_of(Path("a.JPG")).name
        'JPEG'
    """
    format = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if format is None or not (format.video or format.animated if clip else format.writable):
        known, what = (CLIP_SUFFIXES, " for a video or an animation") if clip else (WRITABLE_SUFFIXES, "")
        raise ImageFileError(
            f"{str(path)!r}: expected a name that ends in one of {' '.join(known)}{what}, got {path.suffix!r}"
        )
    require(format, repr(str(path)))
    return format


def is_clip(path: Path) -> bool:
    """Tell whether a file holds a video, by its suffix, or an animation that can be edited, by its header.

    Args:
        path: a file, sound or not.

    Example:
        >>> is_clip(Path("a.mp4")), is_clip(Path("a.jpg"))
        (True, False)
    """
    format = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if format is None or not (format.animated or format.video):
        return False
    return format.video or _is_animated(path)


def _is_animated(path: Path) -> bool:
    from PIL import Image

    try:
        with open_regular(path) as file:
            start = file.read(_WEBP_FLAGS + 1)
            if start[:4] == b"RIFF":  # Pillow would read all of the file to tell
                return len(start) > _WEBP_FLAGS and start[12:16] == b"VP8X" and bool(start[_WEBP_FLAGS] & _ANIMATED)
            file.seek(0)
            with Image.open(file, formats=("GIF", "PNG")) as image:
                return bool(getattr(image, "is_animated", False))
    except Exception:  # whoever reads it tells what is wrong with it
        return False
