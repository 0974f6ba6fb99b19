"""Try hostile files, plugins and kills by the hundred, and print a table: ``make hostile``.

Each is tried on the command line's own code, in a copy of this process that ends with what it is tried on. A seed gives
the same ones again. Numbers are of the whole process, its 0.4 GB of interpreter and libraries included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from . import kills, pictures, plugins, weights
from .cases import TABLE_HEAD, Group, Outcome, try_all

COUNTS = {"pictures": 1000, "weights": 350, "plugins": 60, "kills": 50}


def main(args: list[str] | None = None) -> int:
    """Try them, and return 1 if anything broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    for name, count in COUNTS.items():
        parser.add_argument(f"--{name}", type=int, default=count, help=f"how many (default: {count})")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(args)
    os.environ |= {"MBU_OPS_PLUGINS": "", "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}
    shared = Path(tempfile.mkdtemp(prefix="mbu-ops-hostile-"))
    groups: dict[str, Callable[[int], Iterable[Outcome]]] = {
        "pictures": lambda count: try_all([*pictures.cases(count, chosen.seed, shared)]),
        "weights": lambda count: try_all([*weights.cases(count, chosen.seed, shared)]),
        "plugins": lambda count: try_all([*plugins.cases(count, chosen.seed, shared)], each_apart=True),
        "kills": lambda count: kills.kills(count, chosen.seed, shared),
    }
    try:
        done = [tried(name, attempt(getattr(chosen, name))) for name, attempt in groups.items()]
    finally:
        shutil.rmtree(shared, ignore_errors=True)
    print(f"\n{TABLE_HEAD}")
    for group in done:
        print(group)
    return int(any(group.broken for group in done))


def tried(name: str, outcomes: Iterable[Outcome]) -> Group:
    """Gather outcomes, and say at once what broke, and at the end which took most."""
    group, started = Group(name), time.monotonic()
    for outcome in outcomes:
        group.outcomes.append(outcome)
        if outcome in group.broken:
            print(f"{name}: {outcome.name}: {outcome.why}", flush=True)
    for what in ("seconds", "megabytes"):
        most = sorted(group.outcomes, key=lambda one: float(getattr(one, what)))[-3:]
        print(f"{name}: most {what}: " + "; ".join(f"{one.name}: {getattr(one, what)}" for one in most[::-1]))
    print(f"{name}: {len(group.outcomes)} in {time.monotonic() - started:.0f} s", flush=True)
    return group


if __name__ == "__main__":
    sys.exit(main())
