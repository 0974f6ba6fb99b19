"""Standard streams: stdout belongs to the commands alone, and no file takes the place of one that is closed."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


def own_streams() -> None:
    """Keep stdout for what commands print: what anything else writes to descriptor 1, or below Python, goes to stderr.

    That is what plugins and libraries in C print, and programs that they start. Of the three descriptors those that
    are closed get the null device, so that no file that is opened later is taken for one; ``sys.stdout`` stays None
    where it is closed, so that a picture that would go there is refused.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    stream = sys.stdout
    if not isinstance(stream, TextIOWrapper):  # closed
        return
    stream.flush()
    own = os.dup(stream.fileno())
    os.dup2(2, stream.fileno())
    sys.stdout = TextIOWrapper(
        os.fdopen(own, "wb"), stream.encoding, stream.errors, line_buffering=stream.line_buffering
    )
