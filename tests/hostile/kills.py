"""A batch of edits, killed at random moments and begun again: nothing is half, and nothing differs."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from .cases import BROKE, READ, Outcome
from .commands import command, tiny_weights
from .pictures import sound

PICTURES = 40


def kills(count: int, seed: int, shared: Path) -> Iterator[Outcome]:
    """Kill a batch so many times, and yield what each kill left: :data:`READ` where all of it is whole."""
    random, photos, whole, out = Random(seed), shared / "photos", shared / "whole", shared / "killed"
    sound(photos, PICTURES)
    weights = tiny_weights(shared)
    started = time.monotonic()
    _end(_begin(weights, photos, whole))
    lasts = time.monotonic() - started
    expected = _digests(whole)
    assert len(expected) == 2 * PICTURES, f"expected {PICTURES} results and masks, got {len(expected)}"
    for number in range(count):
        process = _begin(weights, photos, out)
        time.sleep(random.uniform(0, 0.4) * lasts)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        yield _judged(f"kill {number}", _digests(out), expected, whole=False)
        if random.random() < 0.3:  # now and then it may end, and all begins anew
            _end(_begin(weights, photos, out))
            yield _judged(f"resume after kill {number}", _digests(out, hidden=True), expected, whole=True)
            shutil.rmtree(out)
    _end(_begin(weights, photos, out))
    yield _judged("the last resume", _digests(out, hidden=True), expected, whole=True)


def _begin(weights: Path, photos: Path, out: Path) -> int:
    """Begin a run in a process of its own."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        options = ("--no-align", "--existing", "skip", "--save-mask", "-q")
        code = command("chain", f"remove:{weights}", "-i", photos, "-o", out, *options)[0]
    finally:
        os._exit(code)


def _end(process: int) -> None:
    status = os.waitpid(process, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0, f"a run that nobody disturbed ended with {status}"


def _digests(folder: Path, hidden: bool = False) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and (hidden or not path.name.startswith("."))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _judged(name: str, found: dict[str, str], expected: dict[str, str], whole: bool) -> Outcome:
    strange = [file for file, digest in found.items() if expected.get(file) != digest]
    missing = sorted(set(expected) - set(found)) if whole else []
    why = f"other bytes: {strange}; missing: {missing}" if strange or missing else ""
    return Outcome(name, BROKE if why else READ, why)
