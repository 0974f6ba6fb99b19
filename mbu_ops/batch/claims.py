"""Share pictures among runs: each is edited by the one that claims it first."""

from __future__ import annotations

import os
from contextlib import suppress

from mbu_ops.batch.job import Job
from mbu_ops.hidden import hidden_path, hold, sweep


class Claims:
    """The pictures that this run is at, marked by hidden files beside their results.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> job = Job(None, Path(tempfile.mkdtemp()) / "a.png")
        >>> ours, theirs = Claims(), Claims()
        >>> ours.take(job), theirs.take(job)
        (True, False)
        >>> ours.release(job)
        >>> theirs.take(job)
        True
        >>> theirs.release(job)
    """

    def __init__(self) -> None:
        self._held: dict[Job, int] = {}

    def take(self, job: Job) -> bool:
        """Claim a picture; return False if another run is at it, or has finished it.

        Raises:
            OSError: if the folder of its result cannot be written to.
        """
        if job.target is None:
            return True
        job.target.parent.mkdir(parents=True, exist_ok=True)
        sweep(job.target.parent)
        try:
            descriptor = hold(hidden_path(job.target.parent, job.target.name))
        except BlockingIOError:
            return False
        self._held[job] = descriptor
        if all(job.results_exist()):
            self.release(job)
            return False
        return True

    def release(self, job: Job) -> None:
        """Give up a picture that is finished, or failed."""
        descriptor = self._held.pop(job, None)
        if descriptor is None or job.target is None:
            return
        with suppress(OSError):  # before it is free, so that nobody claims a file without a name
            hidden_path(job.target.parent, job.target.name).unlink(missing_ok=True)
        os.close(descriptor)

    def release_all(self) -> None:
        """Give up all that are left, as at Ctrl-C."""
        for job in list(self._held):
            self.release(job)
