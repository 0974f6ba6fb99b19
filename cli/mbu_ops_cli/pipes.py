"""Pictures through pipes: what stdin and stdout must be for one."""

from __future__ import annotations

import os
import stat
import sys
from typing import TextIO

from mbu_ops.batch import FilePlan
from mbu_ops.errors import ConfigurationError


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


def check_stdout(plan: FilePlan, as_json: bool) -> None:
    """Make sure that a picture that goes to stdout gets there alone, and somewhere where pictures belong.

    Args:
        plan: what is written where.
        as_json: whether a report goes there too.

    Raises:
        ConfigurationError: if it does not.
    """
    if any(job.target is None for job in plan.todo):
        if as_json:
            raise ConfigurationError("the picture and --json would both go to stdout; name a file with -o")
        if sys.stdout is None:
            raise ConfigurationError("the picture would go to stdout, which is closed; name a file with -o")
        if sys.stdout.isatty():
            raise ConfigurationError("the picture would go to the terminal; name a file with -o, or redirect stdout")
