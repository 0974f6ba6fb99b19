"""Bring the pages of the site: the repository's own, and one for each room's public names. mkdocs runs this."""

from __future__ import annotations

import sys
from pathlib import Path

import griffe
import mkdocs_gen_files

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from check_links import ROOT, links, pages
from list_api import public_names


def bring_pages() -> None:
    """Bring every Markdown file under its own path, and the files that they link to, so that their links hold."""
    own = {*pages(), *(ROOT / "docs").glob("*.ipynb")}
    for path in sorted({*own, *(file.resolve() for page in own for _, file, _ in links(page))}):
        with mkdocs_gen_files.open(path.relative_to(ROOT).as_posix(), "wb") as copy:
            copy.write(path.read_bytes())


def write_reference() -> None:
    """Write one page a room; what several rooms give away is told once, in the first one, and linked from the others.

    The package itself comes last: its names are those of its rooms.
    """
    package = griffe.load("mbu_ops", search_paths=[ROOT])
    told: dict[str, str] = {}
    for room, names in sorted(public_names().items(), key=lambda item: item[0] == "mbu_ops"):
        with mkdocs_gen_files.open(f"reference/{room}.md", "w") as page:
            page.write(f"# {room}\n\n::: {room}\n    options:\n      members: false\n      show_root_heading: false\n")
            for name in names:
                public = f"{room}.{name}"
                target = package[public.removeprefix("mbu_ops.")].canonical_path
                first = told.setdefault(target, public)
                page.write(f"\n::: {public}\n" if first == public else f"\n`{name}` is [{first}][].\n")


bring_pages()
write_reference()
