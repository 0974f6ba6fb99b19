"""Run the blocks of ``docs/gallery.md``, and show below each the pictures that it makes. mkdocs runs this."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mkdocs_gen_files

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from check_links import ROOT
from paste import BLOCK, paste

PAGE = Path("docs/gallery.md")
PICTURES = {".jpg", ".png"}


def illustrated(text: str) -> Iterator[str]:
    """Give the pieces of a page: each ends with a block, run in the working folder, and what shows its new pictures.

    Raises:
        RuntimeError: if a block's command fails.
    """
    end, known = 0, set[Path]()
    names: dict[str, object] = {}
    for block in BLOCK.finditer(text):
        paste(block[1], block[2], names)
        made = {path for path in Path().rglob("*") if path.suffix in PICTURES} - known
        yield f"{text[end : block.end()]}\n\n{''.join(map(show, sorted(made)))}"
        end, known = block.end(), known | made
    yield text[end:]


def show(picture: Path) -> str:
    """Bring a picture beside the page and return the Markdown that shows it under its name."""
    name = picture.as_posix()
    with mkdocs_gen_files.open(f"docs/gallery/{name}", "wb") as copy:
        copy.write(picture.read_bytes())
    return f'![{name}](gallery/{name} "{name}")\n'


def main() -> None:
    """Bring the page with its pictures, made in an empty folder."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        pieces = list(illustrated(text))
    with mkdocs_gen_files.open(PAGE.as_posix(), "w") as page:
        page.writelines(pieces)


main()
