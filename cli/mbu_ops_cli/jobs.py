"""Which picture is read from where and written where: all of it decided, and checked, before any work is done."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from mbu_ops.errors import ConfigurationError

PIPE = "-"


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
class JobList:
    """What a command is to do.

    Attributes:
        todo: pictures to edit.
        skipped: pictures whose results are there already.
    """

    todo: tuple[Job, ...]
    skipped: tuple[Job, ...] = ()


@dataclass(slots=True)
class Summary:
    """What became of the pictures.

    Attributes:
        written: pictures whose results are written.
        failed: pictures that could not be edited, and why.
        idle: a step, and a written picture in which it had nothing to do.
    """

    written: list[Job] = field(default_factory=list)
    failed: list[tuple[Job, str]] = field(default_factory=list)
    idle: list[tuple[str, Job]] = field(default_factory=list)


def refuse_unnamed_pipe(stream: TextIO | None) -> None:
    """Refuse to guess what a piped stdin means where no input was named.

    Args:
        stream: stdin; None if it is closed.

    Raises:
        ConfigurationError: if it is a pipe or a file, which may hold a picture, now or once its writer gets to it.
    """
    try:
        mode = os.fstat(stream.fileno()).st_mode if stream else 0
    except (OSError, ValueError):  # closed, or no file at all
        return
    if stat.S_ISFIFO(mode) or stat.S_ISREG(mode):
        raise ConfigurationError(
            "a picture seems to be piped in: add -i - to edit it (stdin is a pipe or a file, and there is no -i; "
            "for the demo, add < /dev/null)"
        )


def list_jobs(
    inputs: Sequence[str],
    out: str | None,
    *,
    makes_mask: bool,
    save_mask: bool = False,
    save_boxes: bool = False,
    existing: str = "error",
) -> JobList:
    """Pair every input with its output.

    Args:
        inputs: files, folders, patterns, or only ``-`` for stdin.
        out: a file, a folder, or ``-`` for stdout; None is stdout for a piped picture.
        makes_mask: the results are masks, written as PNG.
        save_mask: write the mask of what changed beside each result, as ``NAME.mask.png``.
        save_boxes: write which places were found beside each result, as ``NAME.boxes.json``.
        existing: what to do where a result exists: ``error``, ``skip`` or ``overwrite``.

    Raises:
        ConfigurationError: if the options do not go together, or results exist and ``existing`` is ``error``.
        ImageFileError: if an input is missing, two results would collide, or one would replace an input.
    """
    if PIPE in inputs:
        if len(inputs) > 1:
            raise ConfigurationError("expected -i - alone, got other inputs beside it; pipe one picture, or name files")
        jobs = [Job(None, None if out in (None, PIPE) else Path(str(out)))]
    elif out is None:
        raise ConfigurationError("expected -o OUT, a folder or a file for the results, got none")
    else:
        jobs = _file_jobs(inputs, out, makes_mask)
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


def _apply_existing(jobs: Sequence[Job], existing: str) -> JobList:
    if existing == "overwrite":
        return JobList(tuple(jobs))
    # one of the files of a result alone is half a result: one more to refuse, but for skip one to make again
    enough = any if existing == "error" else all
    done = [job for job in jobs if enough(_results_exist(job))]
    if done and existing == "error":
        more = f" and {len(done) - 1} more" if len(done) > 1 else ""
        raise ConfigurationError(
            f"{str(done[0].target)!r}{more} exist already; add --existing skip or --existing overwrite"
        )
    left_out = set(done)
    return JobList(tuple(job for job in jobs if job not in left_out), tuple(done))


def _results_exist(job: Job) -> Iterator[bool]:
    yield job.target is not None and job.target.exists()
    for extra in (job.mask, job.boxes):
        if extra is not None:
            yield extra.exists()
