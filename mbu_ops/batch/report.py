"""What became of the pictures of a run."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ops.batch.plan import Job


@dataclass(frozen=True, slots=True)
class Written:
    """A picture whose result is written.

    Attributes:
        job: the picture.
        idle: the steps that had nothing to do in it.
    """

    job: Job
    idle: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be edited.

    Attributes:
        job: the picture.
        reason: why, for people.
    """

    job: Job
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the pictures: those edited in the order in which they were finished.

    Attributes:
        written: pictures whose results are written.
        failed: pictures that could not be edited.
        skipped: pictures whose results were there already.
    """

    written: tuple[Written, ...] = ()
    failed: tuple[Failure, ...] = ()
    skipped: tuple[Job, ...] = ()
