"""Which picture is read from where and written where: all of it decided, and checked, before any work is done."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args

from mbu_ops.batch.job import PIPE, Failure, Job
from mbu_ops.errors import ConfigurationError, ImageFileError

if TYPE_CHECKING:
    from mbu_ops.images import UnreadFile
    from mbu_ops.images.file import Strip
    from mbu_ops.images.formats import Format

LONGEST_NAME = 255
"""Bytes of a file's name, in most file systems."""

Existing = Literal["error", "skip", "overwrite"]
"""What to do where a result exists."""

Shard: TypeAlias = tuple[int, int]
"""Which part of the pictures, counted from 1, and how many parts there are."""

StrPath: TypeAlias = str | os.PathLike[str]


_Some = TypeVar("_Some")


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What is to be done.

    Attributes:
        todo: pictures to edit.
        skipped: pictures whose results are there already.
        overwrite: whether files that are in the way of results are replaced.
        refused: pictures that cannot be edited, because their results would share a name.
        unread: files in the input folders that are no pictures, or none that can be read here, and why.
        format: format of a result that goes to stdout, as :func:`mbu_ops.images.encode` takes it; None = its input's.
        quality: of results in lossy formats, 1 to 100; None = the source's, or the format's own.
        strip: which metadata to leave out of results; None = none.
        shared: whether other runs may be at the same pictures, each of which is left to the first that gets to it.
    """

    todo: tuple[Job, ...]
    skipped: tuple[Job, ...] = ()
    overwrite: bool = False
    refused: tuple[Failure, ...] = ()
    unread: tuple[UnreadFile, ...] = ()
    format: str | None = None
    quality: int | None = None
    strip: Strip | None = None
    shared: bool = False


def plan_files(
    inputs: StrPath | Sequence[StrPath],
    out: StrPath,
    *,
    format: str | None = None,
    quality: int | None = None,
    makes_mask: bool = False,
    save_mask: bool = False,
    save_boxes: bool = False,
    existing: Existing = "error",
    shard: Shard | None = None,
    strip: Strip | None = None,
    keep: Sequence[StrPath] = (),
) -> FilePlan:
    """Pair every input with its output. Nothing is read or written.

    Messages name the arguments as the command line does: ``-i`` is ``inputs``, ``-o`` is ``out``.

    Args:
        inputs: a file, a folder (searched to the bottom), a pattern, several of them, or only ``-`` for stdin.
        out: a file, a folder (in which input folders are mirrored), such a folder and a pattern of names
            (``results/{stem}-smile.{ext}``: the input's name without its suffix, the result's suffix without its dot),
            or ``-`` for stdout.
        format: format of all pictures, by a suffix without its dot: ``"jpg"``, ``"png"``, ``"webp"``, ``"tiff"``,
            ``"bmp"``, ``"avif"`` or ``"heic"``; None keeps each input's.
        quality: of results in lossy formats, 1 (small) to 100; None keeps the source's, or takes the format's own.
        makes_mask: the results are masks, written as PNG.
        save_mask: write the mask of what changed beside each result, as ``NAME.mask.png``.
        save_boxes: write which places were found beside each result, as ``NAME.boxes.json``.
        existing: what to do where a result exists: ``error``, ``skip`` (which makes again what is there by half, and
            shares the work with other runs that skip), or ``overwrite``.
        shard: only this part of the pictures, such as ``(2, 8)``: the parts of one call each are disjoint, and all of
            them together are complete, if the inputs stay the same.
        strip: leave out of results what EXIF says (``metadata``), or only where a photo was taken (``gps``).
        keep: other files that no result may replace, such as guides.

    Raises:
        ConfigurationError: if the arguments do not go together, or results exist and ``existing`` is ``error``.
        ImageFileError: if an input is missing, one file is named for the results of a folder, a result would replace
            an input or a file to keep, or all of them would share names; those that share one while others do not are
            refused alone.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a.jpg", "b.gif"):
        ...     (folder / name).touch()
        >>> [job.target.name for job in plan_files(folder, folder / "edited").todo]
        ['a.jpg', 'b.png']
    """
    if existing not in get_args(Existing):
        raise ConfigurationError(f"expected existing = {', '.join(get_args(Existing))}, got {existing!r}")
    suffix = _suffix(format, makes_mask)
    named = [os.fspath(path) for path in ([inputs] if isinstance(inputs, str | os.PathLike) else inputs)]
    refused: list[Failure] = []
    unread: tuple[UnreadFile, ...] = ()
    if PIPE in named and shard is not None:
        raise ConfigurationError("--shard parts the pictures of folders, and stdin is one picture: leave it out")
    if PIPE not in named:
        jobs, refused, unread = _file_jobs(named, os.fspath(out), suffix)
    elif len(named) == 1:
        jobs = [_pipe_job(os.fspath(out), suffix)]
    else:
        raise ConfigurationError("expected -i - alone, got other inputs beside it; pipe one picture, or name files")
    if shard is not None:
        jobs, refused, unread = _part(jobs, shard), _part(refused, shard), tuple(_part(unread, shard))
    if makes_mask or save_mask or save_boxes:
        jobs, without = _without_clips(jobs, "--save-mask" if save_mask else "--save-boxes" if save_boxes else None)
        refused = [*refused, *without]
    if save_mask:
        jobs = [replace(job, mask=_beside(job, "--save-mask", ".mask.png")) for job in jobs]
        _refuse_overlap([*jobs, *(failure.job for failure in refused)])
    if save_boxes:
        jobs = [replace(job, boxes=_beside(job, "--save-boxes", ".boxes.json")) for job in jobs]
    _refuse_replacing(keep, jobs)
    _check_writable(jobs)
    piped = _format(suffix) if suffix else None
    _check_quality(quality, jobs, piped)
    plan = _apply_existing(jobs, existing)
    return replace(
        plan,
        refused=tuple(refused),
        unread=unread,
        format=piped.name if piped else None,
        quality=quality,
        strip=strip,
    )


def _part(some: Sequence[_Some], shard: Shard) -> list[_Some]:
    """Return one part of what is in the same order in every process: every so many-th, so that parts are alike."""
    number, count = shard
    if not 1 <= number <= count:
        raise ConfigurationError(f"expected --shard I/N with I from 1 to N, such as 2/8, got {number}/{count}")
    return list(some[number - 1 :: count])


def _suffix(format: str | None, makes_mask: bool) -> str | None:
    """Return the suffix that all results get, or None if each keeps its input's."""
    if format is None:
        return ".png" if makes_mask else None
    from mbu_ops.images.formats import FORMAT_OF_SUFFIX, require

    suffix = f".{format.lower()}"
    chosen = FORMAT_OF_SUFFIX.get(suffix)
    if chosen is None or not chosen.writable:
        known = ", ".join(name.removeprefix(".") for name, one in FORMAT_OF_SUFFIX.items() if one.writable)
        raise ConfigurationError(f"--format: expected one of {known}, got {format!r}")
    require(chosen, f"--format {format}")
    if makes_mask and chosen.name != "PNG":
        raise ConfigurationError(f"a mask is written as PNG: leave --format {format} out")
    return suffix


def _format(suffix: str) -> Format:
    from mbu_ops.images.formats import FORMAT_OF_SUFFIX

    return FORMAT_OF_SUFFIX[suffix]


def _pipe_job(out: str, suffix: str | None) -> Job:
    from mbu_ops.images.outputs import output_file, split_pattern

    if out == PIPE:
        return Job(None, None)
    if split_pattern(out)[1] is not None:
        raise ConfigurationError(f"-o {out}: a piped picture has no name to fill a pattern with; name a file with -o")
    return Job(None, output_file(out, suffix))


def _file_jobs(
    inputs: Sequence[str], out: str, suffix: str | None
) -> tuple[list[Job], list[Failure], tuple[UnreadFile, ...]]:
    """Return what to edit, what cannot be for its result's name, and what is not read."""
    from mbu_ops.images import output_paths, search, shared_names
    from mbu_ops.images.outputs import split_pattern

    folder, pattern = split_pattern(out)
    for given in inputs:
        if pattern is None and Path(given).is_dir() and Path(given).resolve() == Path(out).resolve():
            raise ConfigurationError(f"-i and -o are the same folder, {given!r}; choose another folder for the results")
    files = search(inputs, out=folder if out != PIPE else None, clips=True)
    if out == PIPE:
        if len(files.images) > 1:
            raise ConfigurationError(f"-o - takes one picture, got {len(files.images)}; name a folder with -o")
        if files.images[0].clip:
            raise ConfigurationError("-o - takes a picture, got a video or an animation; name a file with -o")
        return [Job(files.images[0].path, None)], [], files.unread
    targets = output_paths(files.images, out, suffix=suffix)
    reasons = shared_names(files.images, targets)
    jobs, refused = [], []
    for image, target in zip(files.images, targets, strict=True):
        job = Job(image.path, target, clip=image.clip)
        if image in reasons:
            refused.append(Failure(job, reasons[image]))
        else:
            jobs.append(job)
    if not jobs:
        raise ImageFileError(refused[0].reason)
    return jobs, refused, files.unread


def _without_clips(jobs: Sequence[Job], option: str | None) -> tuple[list[Job], list[Failure]]:
    """Refuse videos and animations where masks or boxes are wanted, which are made of pictures only.

    Raises:
        ConfigurationError: if nothing is left.
    """
    what = "steps that make a mask" if option is None else option
    reason = f"{what}: only for pictures, and this is a video or an animation; edit it without"
    left = [job for job in jobs if not job.clip]
    if jobs and not left:
        raise ConfigurationError(f"{str(jobs[0])!r}: {reason}")
    return left, [Failure(job, reason) for job in jobs if job.clip]


def _check_quality(quality: int | None, jobs: Sequence[Job], piped: Format | None) -> None:
    if quality is None:
        return
    if not 1 <= quality <= 100:
        raise ConfigurationError(f"expected --quality from 1 to 100, got {quality}")
    formats = [piped if job.target is None else _format(job.target.suffix.lower()) for job in jobs]
    # what format a picture from stdin has is not known yet
    if all(format is not None and format.quality is None for format in formats):
        names = ", ".join(sorted({format.name for format in formats if format}))
        raise ConfigurationError(
            f"--quality is for JPEG, WebP, AVIF, HEIC and videos, and results are {names}: leave it out"
        )


def _beside(job: Job, option: str, suffix: str) -> Path:
    if job.target is None:
        raise ConfigurationError(
            f"{option} writes a file beside each result, but the result goes to stdout; use -o FILE"
        )
    # the whole name, so that a.jpg and a.png keep files of their own
    name = f"{job.target.name}{suffix}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{suffix}"
        start = os.fsencode(job.target.name)[: LONGEST_NAME - len(digest)].decode(errors="ignore")
        name = start + digest
    return job.target.with_name(name)


def _refuse_overlap(jobs: Sequence[Job]) -> None:
    taken = {os.path.realpath(path) for job in jobs for path in (job.source, job.target) if path is not None}
    for job in jobs:
        if job.mask is not None and os.path.realpath(job.mask) in taken:
            raise ConfigurationError(f"the mask {str(job.mask)!r} would replace a picture; choose another -o")


def _refuse_replacing(keep: Sequence[StrPath], jobs: Sequence[Job]) -> None:
    from mbu_ops.images.outputs import refuse_replacing

    results = (path for job in jobs for path in (job.target, job.mask, job.boxes) if path is not None)
    refuse_replacing(map(Path, keep), results)


def _check_writable(jobs: Sequence[Job]) -> None:
    for folder in {job.target.parent for job in jobs if job.target is not None}:
        nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"cannot write to {str(folder)!r}: {str(nearest)!r} is not a folder you may write to"
            )


def _apply_existing(jobs: Sequence[Job], existing: Existing) -> FilePlan:
    if existing == "overwrite":
        return FilePlan(tuple(jobs), overwrite=True)
    # one of the files of a result alone is half a result: one more to refuse, but for skip one to make again
    enough = any if existing == "error" else all
    done = [job for job in jobs if enough(job.results_exist())]
    if done and existing == "error":
        more = f" and {len(done) - 1} more" if len(done) > 1 else ""
        raise ConfigurationError(
            f"{str(done[0].target)!r}{more} exist already; add --existing skip or --existing overwrite"
        )
    left_out = set(done)
    skips = existing == "skip"
    return FilePlan(tuple(job for job in jobs if job not in left_out), tuple(done), overwrite=skips, shared=skips)
