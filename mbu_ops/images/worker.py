"""The process in which a picture is decoded: files come by stdin, pixels go to stdout, and little else is allowed."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any, BinaryIO

from mbu_ops.errors import ImageFileError
from mbu_ops.images.isolated import describe
from mbu_ops.images.reader import decode
from mbu_ops.limits import Limits

_OWN_MEMORY = 2 << 30
"""Bytes of addresses that the interpreter and its libraries take for themselves."""


def main() -> None:
    """Decode pictures until stdin ends."""
    # Ctrl-C is for the process that asks, which ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    while line := asked.readline():
        request = json.loads(line)
        _answer(asked.read(request["length"]), request["name"], Limits(**request["limits"]), answers)


def _answer(data: bytes, name: str, limits: Limits, answers: BinaryIO) -> None:
    _hold_to(limits)
    try:
        facts, blobs = describe(decode(data, name, limits))
    except ImageFileError as error:
        facts, blobs = {"error": str(error)}, []
    answers.write(json.dumps(facts).encode() + b"\n")
    for blob in blobs:
        answers.write(blob)
    answers.flush()


def _hold_to(limits: Limits) -> None:
    """Have the system hold this process to the limits, where it can: memory, time, and no file written."""
    try:
        import resource
    except ImportError:  # no such thing on this system: what asks still ends it in time
        return
    seconds = _hard(resource.RLIMIT_CPU) if limits.timeout is None else int(time.process_time() + limits.timeout) + 2
    for which, soft in (
        (resource.RLIMIT_AS, _OWN_MEMORY + limits.max_memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = _hard(which)
        resource.setrlimit(which, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _hard(which: int) -> Any:
    import resource

    return resource.getrlimit(which)[1]


if __name__ == "__main__":
    main()
