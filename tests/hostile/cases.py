"""Try hostile things one after another in a process of its own, and measure what each costs."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

READ, REFUSED, BROKE = "read", "refused", "broke"

MOST_SECONDS = 60.0
MOST_MEGABYTES = 1500


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile thing.

    Attributes:
        name: what it is called in the list of what broke.
        make: writes it into an empty folder, before anything is measured.
        attempt: has the program read it there, and says whether it was read or refused; raises if it broke something.
    """

    name: str
    make: Callable[[Path], object]
    attempt: Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: :data:`READ`, :data:`REFUSED` or :data:`BROKE`, and why; what it took."""

    name: str
    verdict: str
    why: str = ""
    seconds: float = 0.0
    megabytes: int = 0


@dataclass
class Group:
    """The outcomes of cases of one kind."""

    name: str
    outcomes: list[Outcome] = field(default_factory=list)

    def __str__(self) -> str:
        """Return it as a row of a table."""
        counts = [sum(one.verdict == verdict for one in self.outcomes) for verdict in (REFUSED, READ, BROKE)]
        seconds = max((one.seconds for one in self.outcomes), default=0)
        megabytes = max((one.megabytes for one in self.outcomes), default=0)
        columns = [self.name, len(self.outcomes), *counts, f"{seconds:.1f}", f"{megabytes:,}"]
        return f"| {' | '.join(map(str, columns))} |"

    @property
    def broken(self) -> list[Outcome]:
        """Those that broke something."""
        return [one for one in self.outcomes if one.verdict == BROKE]


TABLE_HEAD = "| group | tried | refused | read all right | broke | worst s | worst MB |\n|---|---|---|---|---|---|---|"


def try_all(
    cases: Sequence[Case], *, each_apart: bool = False, seconds: float = MOST_SECONDS, making: float = 30
) -> Iterator[Outcome]:
    """Try cases in a copy of this process, which is begun anew where a case ends it, or takes too long.

    Args:
        cases: what to try.
        each_apart: begin a new copy for each case, for those that change the process which they are tried in.
        seconds: that a case may take.
        making: seconds for making it.
    """
    following = 0
    while following < len(cases):
        last = following + 1 if each_apart else len(cases)
        process, answers = _fork(cases[following:last])
        try:
            for case in cases[following:last]:
                following += 1
                answer = _line(answers, seconds + making)
                if answer is None:
                    os.kill(process, signal.SIGKILL)
                    yield Outcome(case.name, BROKE, f"no answer within {seconds:g} s", seconds)
                    break
                if not answer:
                    yield Outcome(case.name, BROKE, "the process ended")
                    break
                yield _held(Outcome(**json.loads(answer)), seconds)
        finally:
            os.close(answers)
            os.waitpid(process, 0)


def _held(outcome: Outcome, seconds: float) -> Outcome:
    if outcome.verdict != BROKE and (outcome.seconds > seconds or outcome.megabytes > MOST_MEGABYTES):
        facts = asdict(outcome) | {"verdict": BROKE, "why": "took too much"}
        return Outcome(**facts)
    return outcome


def _fork(cases: Sequence[Case]) -> tuple[int, int]:
    answers, into = os.pipe()
    process = os.fork()
    if process:
        os.close(into)
        return process, answers
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what commands say there is looked at before
        for case in cases:
            os.write(into, (json.dumps(asdict(_attempt(case))) + "\n").encode())
    finally:
        os._exit(0)


def _line(answers: int, seconds: float) -> bytes | None:
    """Return the next line, empty where there will be none; None if it does not come in time."""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([answers], [], [], seconds)[0]:
            return None
        part = os.read(answers, 1)
        if not part:
            return b""
        line += part
    return line


def _attempt(case: Case) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="mbu-ops-hostile-"))
    started, verdict, why = time.monotonic(), BROKE, ""
    try:
        case.make(folder)
        forget_peak()
        started = time.monotonic()
        verdict = case.attempt(folder)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
    seconds, megabytes = time.monotonic() - started, peak_megabytes()
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(case.name, verdict, why[:2000], round(seconds, 2), megabytes)


def forget_peak() -> None:
    """Have the system measure the most memory of this process from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes() -> int:
    """Return the most memory that this process had since then, all that it is made of included."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 // 10**6


class Heard:
    """Stdout and stderr of this process, as bytes, while a block runs: what C libraries write, too."""

    def __init__(self) -> None:
        self.out = self.err = ""

    def __enter__(self) -> Heard:
        """Turn both aside."""
        self._files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        self._kept = [os.dup(number) for number in (1, 2)]
        self._streams = sys.stdout, sys.stderr
        for number, file in enumerate(self._files, 1):
            os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = (
            open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            for number in (1, 2)
        )
        return self

    def __exit__(self, *error: object) -> None:
        """Put both back."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = self._streams
        for number, kept in enumerate(self._kept, 1):
            os.dup2(kept, number)
            os.close(kept)
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode("utf-8"))
            file.close()
        self.out, self.err = texts
