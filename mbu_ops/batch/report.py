"""What became of the pictures of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbu_ops.batch.job import Failure, Job

if TYPE_CHECKING:
    from mbu_ops.images import UnreadFile


@dataclass(frozen=True, slots=True)
class Written:
    """A picture whose result is written.

    Attributes:
        job: the picture.
        idle: the steps that had nothing to do in it.
        keeps_metadata: whether the result says what the photo's EXIF says, or a video's metadata.
        keeps_place: whether it says where that was taken.
        frames: how many a video or an animation has; 0 for a picture.
        resumed: how many of these a run before had edited.
    """

    job: Job
    idle: tuple[str, ...] = ()
    keeps_metadata: bool = False
    keeps_place: bool = False
    frames: int = 0
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the pictures: those edited in the order in which they were finished.

    Attributes:
        written: pictures whose results are written.
        failed: pictures that could not be edited.
        skipped: pictures whose results were there already.
        unread: files in the input folders that are no pictures, or none that can be read here, and why.
    """

    written: tuple[Written, ...] = ()
    failed: tuple[Failure, ...] = ()
    skipped: tuple[Job, ...] = ()
    unread: tuple[UnreadFile, ...] = ()
