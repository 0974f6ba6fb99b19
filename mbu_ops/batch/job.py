"""One picture or clip to edit, and what can be said of it before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mbu_ops.errors import MBUOpsError

PIPE = "-"
"""Names stdin among inputs, and stdout as the output."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture, video or animation to edit.

    Attributes:
        source: file to read; None = stdin.
        target: file to write; None = stdout.
        mask: where to write the mask of what changed; None = nowhere.
        boxes: where to write which places were found; None = nowhere.
        clip: whether it is a video or an animation.
    """

    source: Path | None
    target: Path | None
    mask: Path | None = None
    boxes: Path | None = None
    clip: bool = False

    def results_exist(self) -> Iterator[bool]:
        """Yield of each file that is to be written whether it is there."""
        yield self.target is not None and self.target.exists()
        for extra in (self.mask, self.boxes):
            if extra is not None:
                yield extra.exists()

    def __str__(self) -> str:
        return PIPE if self.source is None else str(self.source)


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be edited.

    Attributes:
        job: the picture.
        reason: why, for people.
    """

    job: Job
    reason: str

    @classmethod
    def of(cls, job: Job, error: Exception) -> Failure:
        """Return the failure that an error is."""
        # an error that nobody foresaw is a bug, and its text alone may say nothing
        return cls(job, str(error) if isinstance(error, MBUOpsError) else f"{type(error).__name__}: {error}")
