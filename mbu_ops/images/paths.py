"""Which files to read, and where each result goes: folders are mirrored, and nothing is written onto an input."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mbu_ops.errors import ImageFileError
from mbu_ops.images.file import READABLE_SUFFIXES, WRITABLE_SUFFIXES


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An input picture.

    Attributes:
        path: where it is.
        relative: its place under the input folder that was asked for; only its name if the file itself was.
    """

    path: Path
    relative: Path


def find(inputs: Sequence[str | os.PathLike[str]], *, out: str | os.PathLike[str] | None = None) -> list[FoundImage]:
    """Return the pictures that files, folders and glob patterns name, in a fixed order, each once.

    Folders are searched to the bottom; hidden files and folders, links to folders, and files without an image suffix
    are passed over there. A file named by itself is always taken, whatever its suffix.

    Args:
        inputs: files, folders or patterns (``photos/**/*.jpg``). An existing file whose name looks like a pattern is
            taken as the file.
        out: output folder; where it lies inside a folder or pattern that is searched, pictures in it are passed over,
            so that a second run does not edit the first's results.

    Raises:
        ImageFileError: if an input does not exist, or holds no picture.
    """
    results = _resolved(Path(out)) if out is not None else None
    found: dict[Path, FoundImage] = {}
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            matches, searched = [FoundImage(file, file.relative_to(path)) for file in _walk(path)], path
        elif path.exists():
            found.setdefault(_resolved(path), FoundImage(path, Path(path.name)))
            continue
        elif glob.has_magic(os.fspath(given)):
            searched = _fixed_part(os.fspath(given))
            matches = list(_match(os.fspath(given), searched))
        else:
            raise ImageFileError(f"{os.fspath(given)!r}: no such file or folder; check the path")
        before = len(found)
        known = False
        base = _resolved(searched)
        skipped = results if results is not None and results != base and results.is_relative_to(base) else None
        for match in matches:
            key = _resolved(match.path)
            known = known or key in found
            if skipped is None or not key.is_relative_to(skipped):
                found.setdefault(key, match)
        if len(found) == before and not known:
            raise ImageFileError(
                f"{os.fspath(given)!r}: expected pictures ({' '.join(READABLE_SUFFIXES)}), found none; check the path"
            )
    return list(found.values())


def output_path(found: FoundImage, out: str | os.PathLike[str], *, suffix: str | None = None) -> Path:
    """Return where the result of one input goes inside an output folder.

    Args:
        found: the input.
        out: output folder.
        suffix: suffix to give instead of the input's. An input that cannot be written in its own format gets ``.png``.

    Raises:
        ImageFileError: if the result would lie outside the folder.

    Example:
        >>> output_path(FoundImage(Path("in/a/b.JPG"), Path("a/b.JPG")), "out").as_posix()
        'out/a/b.JPG'
    """
    relative = found.relative
    if suffix is None and relative.suffix.lower() not in WRITABLE_SUFFIXES:
        suffix = ".png"
    if suffix is not None:
        relative = relative.with_suffix(suffix)
    path = Path(out) / relative
    # links that already lie in the output folder are followed here, as they would be in writing
    if (
        relative.is_absolute()
        or ".." in relative.parts
        or not _resolved(path.parent).is_relative_to(_resolved(Path(out)))
    ):
        raise ImageFileError(f"{str(found.path)!r}: its result {str(path)!r} would lie outside {os.fspath(out)!r}")
    return path


def output_paths(found: Sequence[FoundImage], out: str | os.PathLike[str], *, suffix: str | None = None) -> list[Path]:
    """Return where the results of all inputs go, in their order.

    ``out`` is a file if there is one input, named by itself, and ``out`` has a suffix, is no existing folder and does
    not end in a slash; else it is a folder in which the inputs' folders are mirrored.

    Args:
        found: the inputs, from :func:`find`.
        out: output folder or file.
        suffix: suffix to give every result in a folder instead of its input's.

    Raises:
        ImageFileError: if two results would share a name (also in a file system that ignores case), one would
            replace an input, or one would lie outside the folder.
    """
    text = os.fspath(out)
    if _names_a_file(found, text):
        if Path(text).suffix.lower() not in WRITABLE_SUFFIXES:
            raise ImageFileError(
                f"{text!r}: expected a name that ends in one of {' '.join(WRITABLE_SUFFIXES)}, or a folder "
                f"(end it in a slash), got {Path(text).suffix!r}"
            )
        paths = [Path(text)]
    else:
        paths = [output_path(image, out, suffix=suffix) for image in found]
    taken: dict[str, FoundImage] = {}
    for image, path in zip(found, paths, strict=True):
        other = taken.setdefault(str(path).casefold(), image)
        if other is not image:
            raise ImageFileError(
                f"{str(other.path)!r} and {str(image.path)!r} would both be written to {str(path)!r}; rename one, or "
                "give the folder that holds both"
            )
    _refuse_inputs(found, paths)
    return paths


def _names_a_file(found: Sequence[FoundImage], out: str) -> bool:
    single = len(found) == 1 and found[0].relative == Path(found[0].path.name)
    return single and Path(out).suffix != "" and not out.endswith(("/", os.sep)) and not Path(out).is_dir()


def _refuse_inputs(found: Sequence[FoundImage], paths: Iterable[Path]) -> None:
    # compared by inode: a link, another spelling or a file system that ignores case is still the same file
    inputs = {}
    for image in found:
        if image.path.exists():
            status = image.path.stat()
            inputs[status.st_dev, status.st_ino] = image.path
    for path in paths:
        if path.exists():
            status = path.stat()
            same = inputs.get((status.st_dev, status.st_ino))
            if same is not None:
                raise ImageFileError(
                    f"{str(path)!r}: the result would replace the input {str(same)!r}; choose another output"
                )


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_picture(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix.lower() in READABLE_SUFFIXES


def _walk(folder: Path) -> Iterable[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (path for path in (Path(root) / name for name in sorted(files)) if _is_picture(path))


def _fixed_part(pattern: str) -> Path:
    parts = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    return Path(*parts)


def _match(pattern: str, base: Path) -> Iterable[FoundImage]:
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
        path = Path(os.path.normpath(name))
        if path.is_file() and _is_picture(path):
            yield FoundImage(path, Path(os.path.relpath(path, base)))
