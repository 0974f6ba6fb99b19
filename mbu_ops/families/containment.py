"""Run code of plugins so that it changes nothing for those who come after it."""

from __future__ import annotations

import builtins
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Run a plugin's code, and put back afterwards what it may have changed for everyone.

    What it prints goes to stderr, since stdout belongs to the caller: it may be JSON or a picture. Built-in functions,
    the standard streams, the current folder and torch's default dtype are as they were afterwards, whatever it made of
    them.

    Raises:
        KeyboardInterrupt: if somebody interrupts the process meanwhile.
        RuntimeError: if the code raises a KeyboardInterrupt of its own.

    Example:
        >>> import builtins
        >>> with contained():
        ...     builtins.print = None
        >>> callable(print)
        True
    """
    streams, folder = (sys.stdout, sys.stderr), _current_folder()
    with same_builtins(), _interrupts() as interrupted, _same_dtype():
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except KeyboardInterrupt as error:
            if interrupted.is_set():
                raise
            raise RuntimeError("it raised KeyboardInterrupt, and nobody interrupted it") from error
        finally:
            sys.stdout, sys.stderr = streams
            if folder is not None and _current_folder() != folder:
                os.chdir(folder)


@contextlib.contextmanager
def same_builtins() -> Iterator[None]:
    """Put the built-in functions back: in each thread that goes on after a plugin's code, before it needs them."""
    before = dict(vars(builtins))
    try:
        yield
    finally:
        vars(builtins).update(before)


@contextlib.contextmanager
def _same_dtype() -> Iterator[None]:
    """Keep torch's default dtype, where torch is loaded: a network of another one would not fit its photos."""
    torch = sys.modules.get("torch")
    dtype = torch and torch.get_default_dtype()
    try:
        yield
    finally:
        if torch is not None and torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Give an event that is set at the first interruption, which goes to whoever else wants to know of it, too.

    Only the main thread is ever interrupted.
    """
    interrupted = threading.Event()
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield interrupted
        return

    def note(number: int, frame: Any) -> Any:
        interrupted.set()
        return handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, handler)


def _current_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a folder that is gone has none
    except OSError:
        return None
