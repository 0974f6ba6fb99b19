"""Write the table of docs/export.md from the cases that the tests export. With --check, only tell if it is current."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from made_block import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "export.md"
BLOCK = re.compile(r"(<!-- exported: .*? -->\n).*?(<!-- end of exported -->)", re.DOTALL)

sys.path.insert(0, str(ROOT / "tests"))

from exporting.cases import BOUND, CASES, SUFFIXES  # noqa: E402


def table() -> Iterator[str]:
    """Give the lines of a table with a row for each verb: which methods' networks were exported, and with what."""
    yield row(["verb", "of the methods", "bound: `image`", "unbound", *(f"`{suffix}`" for suffix in SUFFIXES)])
    yield row(["---"] * (4 + len(SUFFIXES)))
    for verb in sorted({verb for case in CASES for verb in case.verbs}):
        cases = [case for case in CASES if verb in case.verbs]
        methods = sorted({case.method for case in cases})
        unbound = sorted({f"`{case.inputs}`" for case in cases if case.inputs != BOUND})
        bound = "yes" if any(case.inputs == BOUND for case in cases) else ""
        yield row([verb, ", ".join(methods), bound, "; ".join(unbound), *("yes" for _ in SUFFIXES)])


def row(cells: list[str]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Write the table, or check it."""
    return write_or_check(PAGE, BLOCK, "\n".join(["", *table(), "", ""]))


if __name__ == "__main__":
    sys.exit(main())
