"""Where each result goes: folders are mirrored, names follow a pattern, and nothing is written onto an input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Formatter

from mbu_ops.errors import ConfigurationError, ImageFileError
from mbu_ops.images.formats import FORMAT_OF_SUFFIX, format_of
from mbu_ops.images.paths import FoundImage

PATTERN_FIELDS = ("stem", "ext")
"""What a pattern of names may hold: the input's name without its suffix, and the result's suffix without its dot."""


def split_pattern(out: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Return the folder that an output names, and the pattern of names in it, or None.

    Args:
        out: an output, such as ``results/{stem}-smile.{ext}``. Without a field in its last part it has no pattern, nor
            with a slash at its end, nor if it is an existing folder.

    Raises:
        ConfigurationError: if the pattern has other fields.

    Example:
        >>> split_pattern("results/{stem}-smile.{ext}")
        ('results', '{stem}-smile.{ext}')
        >>> split_pattern("results")
        ('results', None)
    """
    text = os.fspath(out)
    folder, name = os.path.split(text)
    if "{" not in name or Path(text).is_dir():
        return text, None
    try:
        fields = [(field, extra) for _, field, *extra in Formatter().parse(name) if field is not None]
        unknown = next((field for field, extra in fields if field not in PATTERN_FIELDS or any(extra)), None)
    except ValueError as error:
        unknown = str(error)
    if unknown is not None:
        known = " and ".join(f"{{{field}}}" for field in PATTERN_FIELDS)
        raise ConfigurationError(
            f"{text!r}: expected {known} as the only fields of a name, got {unknown!r}; double a brace that is none, "
            "or end a folder in a slash"
        )
    return folder or os.curdir, name


def output_path(
    found: FoundImage, out: str | os.PathLike[str], *, suffix: str | None = None, pattern: str | None = None
) -> Path:
    """Return where the result of one input goes inside an output folder.

    Args:
        found: the input.
        out: output folder.
        suffix: suffix to give instead of the input's, but for videos and animations. A picture that cannot be written
            in its own format gets ``.png``.
        pattern: of the result's name, from :func:`split_pattern`; None keeps the input's name.

    Raises:
        ImageFileError: if the result would lie outside the folder.

    Example:
        >>> output_path(FoundImage(Path("in/a/b.JPG"), Path("a/b.JPG")), "out").as_posix()
        'out/a/b.JPG'
        >>> output_path(FoundImage(Path("in/a/b.JPG"), Path("a/b.JPG")), "out", pattern="{stem}-1.{ext}").as_posix()
        'out/a/b-1.JPG'
    """
    relative = found.relative
    own = FORMAT_OF_SUFFIX.get(relative.suffix.lower())
    if found.clip:
        suffix = relative.suffix
    suffix = suffix or (relative.suffix if own and own.writable else ".png")
    stem = relative.stem
    name = f"{stem}{suffix}" if pattern is None else pattern.format(stem=stem, ext=suffix.removeprefix("."))
    relative = relative.with_name(name)
    path = Path(out) / relative
    # links that already lie in the output folder are followed here, as they would be in writing
    if (
        relative.is_absolute()
        or ".." in relative.parts
        or not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(out))
    ):
        raise ImageFileError(f"{str(found.path)!r}: its result {str(path)!r} would lie outside {os.fspath(out)!r}")
    return path


def output_paths(found: Sequence[FoundImage], out: str | os.PathLike[str], *, suffix: str | None = None) -> list[Path]:
    """Return where the results of all inputs go, in their order.

    ``out`` is a file if there is one input, named by itself, and ``out`` has a suffix, is no existing folder and does
    not end in a slash; else it is a folder in which the inputs' folders are mirrored, or such a folder and a pattern
    of names (:func:`split_pattern`). Results may share a name: see :func:`shared_names`.

    Args:
        found: the inputs, from :func:`find`.
        out: output folder, file or pattern.
        suffix: suffix to give every result instead of its input's.

    Raises:
        ConfigurationError: if a pattern has unknown fields.
        ImageFileError: if a result would replace an input or lie outside the folder, or ``out`` names one file for
            the results of a folder, or has a suffix that cannot be written.
    """
    text = os.fspath(out)
    folder, pattern = split_pattern(text)
    if pattern is not None:
        if Path(pattern).suffix != ".{ext}":
            for clip in {image.clip for image in found}:
                output_file(pattern, suffix, clip)
        paths = [output_path(image, folder, suffix=suffix, pattern=pattern) for image in found]
    elif text.endswith(("/", os.sep)) or Path(text).is_dir() or not _names_a_file(found, text):
        paths = [output_path(image, out, suffix=suffix) for image in found]
    else:
        paths = [output_file(text, suffix, found[0].clip)]
    refuse_replacing((image.path for image in found), paths)
    return paths


def output_file(out: str, suffix: str | None = None, clip: bool = False) -> Path:
    """Return the file that an output names.

    Args:
        out: its name.
        suffix: suffix that stands for the format of the result; None takes any that can be written.
        clip: whether the result is a video or an animation; it takes any format of such.

    Raises:
        ImageFileError: if its suffix is none that can be written here, or of another format.

    Example:
        >>> output_file("a.jpeg", ".jpg").name
        'a.jpeg'
    """
    path = Path(out)
    if clip:
        format_of(path, clip)
    elif format_of(path) is not FORMAT_OF_SUFFIX[suffix or path.suffix.lower()]:
        raise ImageFileError(
            f"{out!r}: expected a name that ends in {suffix} or {{ext}} (a mask is written as PNG, other results as "
            f"--format says), got {path.suffix!r}"
        )
    return path


def shared_names(found: Sequence[FoundImage], paths: Sequence[Path]) -> dict[FoundImage, str]:
    """Return the inputs whose results would share a name (also in a file system that ignores case), and why not to.

    Args:
        found: the inputs.
        paths: where their results go, in their order.

    Example:
        >>> inputs = [FoundImage(Path(name), Path(name)) for name in ("p.gif", "p.png", "q.png")]
        >>> sorted(image.path.name for image in shared_names(inputs, output_paths(inputs, "out")))
        ['p.gif', 'p.png']
    """
    sharing: dict[str, list[FoundImage]] = {}
    for image, path in zip(found, paths, strict=True):
        sharing.setdefault(str(path).casefold(), []).append(image)
    reasons = {}
    for image, path in zip(found, paths, strict=True):
        group = sharing[str(path).casefold()]
        if len(group) > 1:
            other = next(one for one in group if one is not image)
            more = f" and {len(group) - 2} more" if len(group) > 2 else ""
            reasons[image] = (
                f"{str(image.path)!r} and {str(other.path)!r}{more} would both be written to {str(path)!r}; rename "
                "one, give the folder that holds both, or write them to two folders"
            )
    return reasons


def _names_a_file(found: Sequence[FoundImage], out: str) -> bool:
    """Tell whether an output that is no existing folder is a file.

    Raises:
        ImageFileError: if it looks like a picture's name, and stands for the results of a folder or several pictures.
    """
    suffix = Path(out).suffix
    if len(found) == 1 and found[0].named:
        return suffix != ""
    if suffix.lower() in FORMAT_OF_SUFFIX:
        raise ImageFileError(
            f"{out!r}: expected a folder for the results of a folder, a pattern or several pictures, got one picture's "
            f"name; end it in a slash, or name results by '{{stem}}{suffix}'"
        )
    return False


def refuse_replacing(inputs: Iterable[Path], paths: Iterable[Path]) -> None:
    """Refuse results that would replace what they are made from.

    Args:
        inputs: pictures, guides and masks that are read.
        paths: where results go.

    Raises:
        ImageFileError: if one of these is one of the inputs, by whatever name.
    """
    # compared by inode: a link, another spelling or a file system that ignores case is still the same file
    known = {}
    for given in inputs:
        if given.exists():
            status = given.stat()
            known[status.st_dev, status.st_ino] = given
    for path in paths:
        if path.exists():
            status = path.stat()
            same = known.get((status.st_dev, status.st_ino))
            if same is not None:
                raise ImageFileError(
                    f"{str(path)!r}: the result would replace the input {str(same)!r}; choose another output"
                )
