"""Ctrl-C that waits for the step under way."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a request to stop after the step under way; the second acts at once."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals belong to the main thread
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _frame: object) -> None:
        if interrupted.is_set():
            signal.signal(number, before[signal.Signals(number)])
            os.kill(os.getpid(), number)
        interrupted.set()

    for number in before:
        signal.signal(number, stop)
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
