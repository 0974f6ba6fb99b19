"""Threads that read ahead, and that nobody has to wait for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from queue import SimpleQueue
from typing import Generic, TypeVar

A = TypeVar("A")
T = TypeVar("T")

THREADS = min(8, os.cpu_count() or 1)


class Readers(Generic[A, T]):
    """Threads that do one thing to many arguments; a decoder that does not come back keeps no process from ending.

    Args:
        work: what to do.

    Example:
        >>> readers = Readers(str.upper)
        >>> readers.submit("a").result()
        'A'
        >>> readers.close()
    """

    def __init__(self, work: Callable[[A], T]) -> None:
        self._work = work
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, argument: A) -> Future[T]:
        """Do it to an argument, once a thread is free, and return what will hold the result."""
        future: Future[T] = Future()
        context = copy_context()  # with the limits of whoever asks

        def run() -> None:
            if self._closed or not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(context.run(self._work, argument))
            except BaseException as error:
                future.set_exception(error)

        self._waiting.put(run)
        if len(self._threads) < THREADS:
            thread = threading.Thread(target=self._serve, name=f"mbu-ops-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self, *, wait: bool = True) -> None:
        """Take no more; what is being done is finished, or left behind.

        Args:
            wait: for what is being done.
        """
        self._closed = True
        threads, self._threads = self._threads, []
        for _ in threads:
            self._waiting.put(None)
        for thread in threads if wait else ():
            thread.join()

    def _serve(self) -> None:
        while (run := self._waiting.get()) is not None:
            run()
