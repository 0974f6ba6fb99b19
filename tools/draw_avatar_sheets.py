"""Write the pictures of the avatars' README: edits of validation people, by the weights that are shipped.

python tools/draw_avatar_sheets.py [ATTRIBUTE=WEIGHTS ...], to look at other weights; needs mbu-ops-avatars.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from mbu_ops import Remove, Transfer, images
from mbu_ops.evaluation import Examples
from mbu_ops.families import get_family

FOLDER = Path(__file__).resolve().parent.parent / "plugins" / "avatars" / "images"
COLUMNS = 10


@torch.no_grad()
def sheet(attribute: str, weights: str, path: Path) -> None:
    """Write rows of guides, people, people with the thing added, its masks, and the guides without theirs."""
    family = get_family("avatars")
    plan = next(entry for entry in family.attributes if entry.name == attribute)
    examples = Examples.drawn(family, plan, 128, COLUMNS)
    guides, people = examples.with_, examples.without
    added = Transfer.from_pretrained(weights).edit(people, guides)
    removed = Remove.from_pretrained(weights).edit(guides)
    rows = [guides, people, added.image, added.mask.expand(-1, 3, -1, -1), removed.image]
    images.write(path, torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1).clamp(0, 1), overwrite=True)
    print(path)


def main() -> None:
    """Write a sheet for each attribute."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    attributes = list(given) or [attribute.name for attribute in get_family("avatars").attributes]
    FOLDER.mkdir(exist_ok=True)
    for attribute in attributes:
        target = FOLDER if not given else Path.cwd()
        sheet(attribute, given.get(attribute, f"avatars/{attribute}"), target / f"{attribute}.png")


if __name__ == "__main__":
    main()
