"""Which files to read: those that files, folders and patterns name, and what in them is passed over, and why."""

from __future__ import annotations

import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mbu_ops.errors import ImageFileError
from mbu_ops.images.formats import CLIP_SUFFIXES, FORMAT_OF_SUFFIX, READABLE_SUFFIXES, is_clip

_SUMMARISED = 6
"""Most kinds of files that a summary names."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An input picture.

    Attributes:
        path: where it is.
        relative: its place under the input folder that was asked for; only its name if the file itself was.
        named: whether the file itself was asked for, and not a folder or a pattern.
        clip: whether it is a video or an animation; told by :func:`search` where clips are asked for.
    """

    path: Path
    relative: Path
    named: bool = False
    clip: bool = False


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file in a searched folder that is not read.

    Attributes:
        path: where it is.
        reason: why, or the command that changes it.
    """

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files that a search came upon, in a fixed order, each once.

    Attributes:
        images: pictures to read.
        unread: files that are none, or none that can be read here.
    """

    images: tuple[FoundImage, ...]
    unread: tuple[UnreadFile, ...]


def find(inputs: Sequence[str | os.PathLike[str]], *, out: str | os.PathLike[str] | None = None) -> list[FoundImage]:
    """Return the pictures that files, folders and glob patterns name, in a fixed order, each once.

    Folders are searched to the bottom; hidden files and folders, links to folders, and files that :func:`search` calls
    unread are passed over there. A file named by itself is always taken, whatever its suffix.

    Args:
        inputs: files, folders or patterns (``photos/**/*.jpg``). An existing file whose name looks like a pattern is
            taken as the file.
        out: output folder; where it lies inside a folder or pattern that is searched, pictures in it are passed over,
            so that a second run does not edit the first's results.

    Raises:
        ImageFileError: if an input does not exist, or holds no picture.
    """
    return list(search(inputs, out=out).images)


def search(
    inputs: Sequence[str | os.PathLike[str]], *, out: str | os.PathLike[str] | None = None, clips: bool = False
) -> FoundFiles:
    """Return the pictures that :func:`find` finds, and the files that are not read, with why.

    Args:
        inputs: as in :func:`find`.
        out: as in :func:`find`.
        clips: whether videos count too, and animations are marked as such.

    Raises:
        ImageFileError: as :func:`find`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a.jpg", "b.mov"):
        ...     (folder / name).touch()
        >>> [file.path.name for file in search([folder]).unread]
        ['b.mov']
    """
    results = _resolved(Path(out)) if out is not None else None
    found: dict[Path, FoundImage] = {}
    unread: dict[Path, UnreadFile] = {}
    for given in inputs:
        path = Path(given)
        if path.exists() and not path.is_dir():
            found.setdefault(_resolved(path), FoundImage(path, Path(path.name), True, clips and is_clip(path)))
            continue
        searched, matches = _matches(given)
        base = _resolved(searched)
        skipped = results if results is not None and results != base and results.is_relative_to(base) else None
        before, known, passed = len(found), False, []
        for match in matches:
            key = _resolved(match.path)
            known = known or key in found
            reason = _reason_unread(match.path, clips)
            if skipped is not None and key.is_relative_to(skipped):
                continue
            if reason is None:
                found.setdefault(key, replace(match, clip=clips and is_clip(match.path)))
            else:
                passed.append(unread.setdefault(key, UnreadFile(match.path, reason)))
        if len(found) == before and not known:
            others = f" but {summarise_unread(passed)}" if passed else ""
            suffixes = dict.fromkeys((*READABLE_SUFFIXES, *CLIP_SUFFIXES) if clips else READABLE_SUFFIXES)
            raise ImageFileError(
                f"{os.fspath(given)!r}: expected pictures ({' '.join(suffixes)}), found none{others}; check the path"
            )
    return FoundFiles(tuple(found.values()), tuple(file for key, file in unread.items() if key not in found))


def summarise_unread(files: Sequence[UnreadFile]) -> str:
    """Count files that are not read, by suffix and reason.

    Args:
        files: the files.

    Example:
        >>> summarise_unread([UnreadFile(Path(name), "unsupported format") for name in ("a.mov", "b.MOV", "c")])
        '2 .mov (unsupported format), 1 without suffix (unsupported format)'
    """
    counts = Counter((file.path.suffix.lower() or "without suffix", file.reason) for file in files).most_common()
    parts = [f"{count} {suffix} ({reason})" for (suffix, reason), count in counts[:_SUMMARISED]]
    more = sum(count for _, count in counts[_SUMMARISED:])
    return ", ".join([*parts, f"{more} others"] if more else parts)


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _reason_unread(path: Path, clips: bool) -> str | None:
    format = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    return "unsupported format" if format is None or (format.video and not clips) else format.missing


def _matches(given: str | os.PathLike[str]) -> tuple[Path, Iterable[FoundImage]]:
    """Return the folder that is searched for a folder or pattern, and every file in it that is not hidden."""
    path = Path(given)
    if path.is_dir():
        return path, (FoundImage(file, file.relative_to(path)) for file in _walk(path))
    pattern = os.fspath(given)
    if not glob.has_magic(pattern):
        raise ImageFileError(f"{pattern!r}: no such file or folder; check the path")
    base = _fixed_part(pattern)
    return base, _match(pattern, base)


def _walk(folder: Path) -> Iterable[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root) / name for name in sorted(files) if not name.startswith("."))


def _fixed_part(pattern: str) -> Path:
    parts = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    return Path(*parts)


def _match(pattern: str, base: Path) -> Iterable[FoundImage]:
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
        path = Path(os.path.normpath(name))
        if path.is_file() and not path.name.startswith("."):
            yield FoundImage(path, Path(os.path.relpath(path, base)))
