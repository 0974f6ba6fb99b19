"""Which picture is read from where and written where: all of it decided, and checked, before any work is done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from mbu_ops.errors import ConfigurationError

PIPE = "-"
"""Names stdin among inputs, and stdout as the output."""

Existing = Literal["error", "skip", "overwrite"]
"""What to do where a result exists."""

StrPath: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to edit.

    Attributes:
        source: file to read; None = stdin.
        target: file to write; None = stdout.
        mask: where to write the mask of what changed; None = nowhere.
        boxes: where to write which places were found; None = nowhere.
    """

    source: Path | None
    target: Path | None
    mask: Path | None = None
    boxes: Path | None = None

    def __str__(self) -> str:
        return PIPE if self.source is None else str(self.source)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What is to be done.

    Attributes:
        todo: pictures to edit.
        skipped: pictures whose results are there already.
        overwrite: whether files that are in the way of results are replaced.
    """

    todo: tuple[Job, ...]
    skipped: tuple[Job, ...] = ()
    overwrite: bool = False


def plan_files(
    inputs: StrPath | Sequence[StrPath],
    out: StrPath,
    *,
    makes_mask: bool = False,
    save_mask: bool = False,
    save_boxes: bool = False,
    existing: Existing = "error",
) -> FilePlan:
    """Pair every input with its output. Nothing is read or written.

    Messages name the arguments as the command line does: ``-i`` is ``inputs``, ``-o`` is ``out``.

    Args:
        inputs: a file, a folder (searched to the bottom), a pattern, several of them, or only ``-`` for stdin.
        out: a file, a folder (in which input folders are mirrored), or ``-`` for stdout.
        makes_mask: the results are masks, written as PNG.
        save_mask: write the mask of what changed beside each result, as ``NAME.mask.png``.
        save_boxes: write which places were found beside each result, as ``NAME.boxes.json``.
        existing: what to do where a result exists: ``error``, ``skip`` (which makes again what is there by half), or
            ``overwrite``.

    Raises:
        ConfigurationError: if the arguments do not go together, or results exist and ``existing`` is ``error``.
        ImageFileError: if an input is missing, two results would collide, or one would replace an input.

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
    named = [os.fspath(path) for path in ([inputs] if isinstance(inputs, str | os.PathLike) else inputs)]
    if PIPE not in named:
        jobs = _file_jobs(named, os.fspath(out), makes_mask)
    elif len(named) == 1:
        jobs = [Job(None, None if out == PIPE else Path(out))]
    else:
        raise ConfigurationError("expected -i - alone, got other inputs beside it; pipe one picture, or name files")
    if save_mask:
        jobs = [replace(job, mask=_beside(job, "--save-mask", ".mask.png")) for job in jobs]
        _refuse_overlap(jobs)
    if save_boxes:
        jobs = [replace(job, boxes=_beside(job, "--save-boxes", ".boxes.json")) for job in jobs]
    if makes_mask:
        for job in jobs:
            if job.target is not None and job.target.suffix.lower() != ".png":
                raise ConfigurationError(
                    f"a mask is written as PNG: expected -o to end in .png, got {str(job.target)!r}"
                )
    _check_writable(jobs)
    return _apply_existing(jobs, existing)


def _file_jobs(inputs: Sequence[str], out: str, makes_mask: bool) -> list[Job]:
    from mbu_ops.images import find, output_paths

    for given in inputs:
        if Path(given).is_dir() and Path(given).resolve() == Path(out).resolve():
            raise ConfigurationError(f"-i and -o are the same folder, {given!r}; choose another folder for the results")
    found = find(inputs, out=out if out != PIPE else None)
    if out == PIPE:
        if len(found) > 1:
            raise ConfigurationError(f"-o - takes one picture, got {len(found)}; name a folder with -o")
        return [Job(found[0].path, None)]
    targets = output_paths(found, out, suffix=".png" if makes_mask else None)
    return [Job(image.path, target) for image, target in zip(found, targets, strict=True)]


def _beside(job: Job, option: str, suffix: str) -> Path:
    if job.target is None:
        raise ConfigurationError(
            f"{option} writes a file beside each result, but the result goes to stdout; use -o FILE"
        )
    # the whole name, so that a.jpg and a.png keep files of their own
    return job.target.with_name(f"{job.target.name}{suffix}")


def _refuse_overlap(jobs: Sequence[Job]) -> None:
    taken = {os.path.realpath(path) for job in jobs for path in (job.source, job.target) if path is not None}
    for job in jobs:
        if job.mask is not None and os.path.realpath(job.mask) in taken:
            raise ConfigurationError(f"the mask {str(job.mask)!r} would replace a picture; choose another -o")


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
    done = [job for job in jobs if enough(_results_exist(job))]
    if done and existing == "error":
        more = f" and {len(done) - 1} more" if len(done) > 1 else ""
        raise ConfigurationError(
            f"{str(done[0].target)!r}{more} exist already; add --existing skip or --existing overwrite"
        )
    left_out = set(done)
    return FilePlan(tuple(job for job in jobs if job not in left_out), tuple(done), existing == "skip")


def _results_exist(job: Job) -> Iterator[bool]:
    yield job.target is not None and job.target.exists()
    for extra in (job.mask, job.boxes):
        if extra is not None:
            yield extra.exists()
