"""A deadline that does not need the consent of whoever works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from contextvars import copy_context
from typing import TypeVar

from mbu_ops.errors import ImageFileError

T = TypeVar("T")


def within(
    seconds: float | None,
    work: Callable[[], T],
    name: str,
    stop: Callable[[], object] = lambda: None,
    late: Exception | None = None,
) -> T:
    """Return what work returns, if it does so in time; on Ctrl-C it is not waited for either.

    Nothing ends a thread that is inside a decoder: it is left behind, and nothing waits for it, the end of the process
    included.

    Args:
        seconds: how long it may take; None works here and waits.
        work: what to do.
        name: what is worked on, for the message.
        stop: is called where its result is no longer waited for.
        late: is raised if it takes longer; None for an ImageFileError.

    Raises:
        ImageFileError: if it takes longer.
        Exception: what work raises.

    Example:
        >>> within(5, lambda: 3, "a photo")
        3
    """
    if seconds is None:
        return work()
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), name="left to a decoder", daemon=True).start()
    try:
        return done.result(seconds)
    except TimeoutError:
        if done.done():  # it came while the deadline passed, or the error is work's own: a file far away, say
            return done.result()
        raise late or ImageFileError(
            f"{name}: expected to be decoded within {seconds:g} s, and was not; it is far too large, or made to be "
            "slow: leave it out, or raise the timeout"
        ) from None
    finally:
        if not done.done():
            stop()
