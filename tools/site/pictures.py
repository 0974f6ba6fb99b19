"""Run the blocks of the gallery and of the weights' cards, and show below each the pictures that it makes.

mkdocs runs this.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mkdocs_gen_files

from mbu_ops.families import FamilySpec, WeightSpec, get_family, weights_for
from mbu_ops.ops.verbs import get_verb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from check_links import ROOT
from paste import BLOCK, paste

PICTURES = {".jpg", ".png"}
HEAD = "\n## Pictures\n\nMade by these commands when the site was built, of a photograph by NASA or of drawings.\n"


@dataclass(frozen=True)
class Shown:
    """What the cards of one attribute's weights show.

    Attributes:
        attribute: ``family/attribute``.
        begin: the command that writes pictures to edit.
        pictures: where it writes them.
        steps: what is done to them, in the grammar of chains, with weights that can do it.
    """

    attribute: str
    begin: str
    pictures: str
    steps: tuple[str, ...]


_SAMPLES = "mbu-ops families samples faces -o photos"
_DRAW = "mbu-ops families draw {} --partition validation --count 2 --out drawn"
# of faces, what suits the woman on the one sample
SHOWN = (
    Shown("faces/smile", _SAMPLES, "photos", ("remove:faces/smile", "adjust:faces/smile,strength=0.6")),
    Shown("faces/glasses", _SAMPLES, "photos", ("add:faces/glasses", "add:faces/glasses,guide=1")),
    Shown("faces/hair_women", _SAMPLES, "photos", ("add:faces/hair_women", "adjust:faces/hair_women,strength=-0.4")),
    *(
        Shown(name, _DRAW.format(name), "drawn/without", (f"add:{name}", f"add:{name},guide=1"))
        for name in ("avatars/glasses", "avatars/beard", "avatars/smile")
    ),
)


def commands(family: FamilySpec, weights: WeightSpec) -> list[str]:
    """Return the commands that show what weights do; none if nothing that comes with them suits their attributes."""
    begins, edits = list[str](), list[str]()
    for shown in SHOWN:
        name, attribute = shown.attribute.split("/")
        if name != family.name or attribute not in weights.attributes:
            continue
        for step in shown.steps:
            if weights in weights_for(family, attribute, verb=get_verb(step.split(":")[0]).call):
                out = re.sub("[^a-z0-9]+", "-", step)
                begins.append(shown.begin)
                edits.append(f"mbu-ops chain {step} --method {weights.method} -i {shown.pictures} -o {out}")
    return [*dict.fromkeys(begins), *edits]


def illustrated(page: Path, text: str) -> str:
    """Run the blocks of a text in an empty folder; return it with the pictures that each makes, brought beside a page.

    Raises:
        RuntimeError: if a command fails.
    """
    pieces, end, known = list[str](), 0, set[Path]()
    names: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for block in BLOCK.finditer(text):
            paste(block[1], block[2], names)
            made = {path for path in Path().rglob("*") if path.suffix in PICTURES} - known
            pieces += [text[end : block.end()], "\n\n", *(show(page, picture) for picture in sorted(made))]
            end, known = block.end(), known | made
    return "".join([*pieces, text[end:]])


def show(page: Path, picture: Path) -> str:
    """Bring a picture into a folder beside a page and return the Markdown that shows it under its name."""
    path, name = Path(page.stem) / picture, picture.as_posix()
    with mkdocs_gen_files.open((page.parent / path).as_posix(), "wb") as copy:
        copy.write(picture.read_bytes())
    return f'![{name}]({path.as_posix()} "{name}")\n'


def main() -> None:
    """Bring the gallery, and the cards of weights with what these do to pictures that come with their family."""
    gallery = Path("docs/gallery.md")
    with mkdocs_gen_files.open(gallery.as_posix(), "w") as page:
        page.write(illustrated(gallery, (ROOT / gallery).read_text(encoding="utf-8")))
    for family in map(get_family, sorted({shown.attribute.split("/")[0] for shown in SHOWN})):
        for weights in family.weights:
            if lines := commands(family, weights):
                card = Path(str(weights.locate())).with_suffix(".md").relative_to(ROOT)
                text = "\n".join([HEAD, "```sh", *lines, "```", ""])
                with mkdocs_gen_files.open(card.as_posix(), "a") as page:
                    page.write(illustrated(card, text))


main()
