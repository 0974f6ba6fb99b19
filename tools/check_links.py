"""Check that every relative link and picture in the Markdown files leads to a file, and every anchor to a heading."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages(root: Path = ROOT) -> list[Path]:
    """Return the Markdown files of the repository, without what git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return [root / name for name in names if name and (root / name).is_file()]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(FENCE.sub("", text)))
    return {heading.strip().replace(" ", "-") for heading in plain}


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Give the relative links of a page: as written, the file that each leads to, and the anchor in it."""
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target and not target.startswith("mailto:"):
            name, _, anchor = target.partition("#")
            yield target, page.parent / name if name else page, anchor


def broken_links(page: Path) -> Iterator[str]:
    """Give the relative links of a page that lead nowhere."""
    for target, file, anchor in links(page):
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            yield target


def main() -> int:
    """Print broken links; return 1 if there are any."""
    broken = [f"{page.relative_to(ROOT)}: {target} leads nowhere" for page in pages() for target in broken_links(page)]
    print("\n".join(broken) if broken else "all links lead somewhere")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
