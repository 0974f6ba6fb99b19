"""A block of a page that is made from the code: written, or checked in CI."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def write_or_check(page: Path, block: re.Pattern[str], made: str) -> int:
    """Put what was made between the two marks of a page's block; with ``--check`` only say whether it is there.

    Args:
        page: the page.
        block: matches the block; its first group is the mark before it, its second the one after it.
        made: what belongs between them.

    Returns:
        The exit code: 1 if there is not one such block, or ``--check`` finds something else in it.
    """
    old = page.read_text(encoding="utf-8")
    text, count = block.subn(lambda match: f"{match[1]}{made}{match[2]}", old)
    if count != 1:
        print(f"{page}: expected one block {block.pattern}, got {count}", file=sys.stderr)
        return 1
    if "--check" not in sys.argv[1:]:
        page.write_text(text, encoding="utf-8")
    elif text != old:
        print(f"{page.name} is out of date: run tools/{Path(sys.argv[0]).name}", file=sys.stderr)
        return 1
    return 0
