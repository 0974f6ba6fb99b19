"""Options of commands that learn from pictures: which frame of a family to cut, and how it is found in photos."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.data import Search
from mbu_ops.errors import ConfigurationError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops_cli.messages import log
from mbu_ops_cli.progress import progress

if TYPE_CHECKING:
    from mbu_ops.families.spec import FamilySpec

CUTS = ".mbu-cuts"
"""Folder beside --out in which cuts of photos are kept, unless the user names another."""

SEARCH = (
    click.option(
        "--frame",
        metavar="NAME",
        help="Which of the family's frames to cut out of the pictures, such as eyes.  [default: the family's first]",
    ),
    click.option(
        "--face",
        type=click.Choice(["largest", "all"]),
        help="Which of the faces found in a photo of --with and --without to take.  [default: largest]",
    ),
    click.option(
        "--no-align",
        is_flag=True,
        help="Look for no faces in --with and --without: the pictures are cut to one already.",
    ),
    click.option(
        "--cuts",
        type=click.Path(path_type=Path),
        help="Where faces that were found in photos are kept for later runs.  [default: .mbu-cuts beside --out]",
    ),
)


def frame_of(family: FamilySpec | None, name: str | None) -> FrameSpec:
    """Return the frame that ``--frame`` names.

    Raises:
        ConfigurationError: if it names one of no family.
        FamilyError: if the family has no such frame.
    """
    if family is not None:
        return family.frame(name)
    if name is not None:
        raise ConfigurationError(f"--frame {name} needs --family: whose frame is it?")
    return WHOLE_FRAME


def search_of(
    family: FamilySpec | None,
    folders: bool,
    face: str | None,
    no_align: bool,
    cuts: Path | None,
    beside: Path,
) -> Search | None:
    """Return how to search photos; None where pictures are taken as they are.

    Args:
        family: whose pictures they are, if any's.
        folders: whether they are plain folders of pictures.
        face: ``--face``.
        no_align: ``--no-align``.
        cuts: ``--cuts``.
        beside: what the command writes; cuts are kept beside it.

    Raises:
        ConfigurationError: if options say how to search and nothing is searched.
    """
    searched = folders and family is not None and family.aligner is not None
    given = {"--face": face is not None, "--no-align": no_align, "--cuts": cuts is not None}
    for option, there in given.items():
        if there and not searched:
            raise ConfigurationError(
                f"{option} goes with --with and --without of a family that looks for faces, such as --family faces: "
                "other pictures are taken as they are"
            )
        if there and no_align and option != "--no-align":
            raise ConfigurationError(f"{option} is about faces that are looked for: leave it or --no-align out")
    if not searched or no_align or family is None:
        return None
    return Search(family, cuts or beside.absolute().parent / CUTS, face == "all", _told)


@contextmanager
def _told(total: int, doing: str) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        log.info(f"{doing} in {total} photos")
    with progress(total, doing) as advance:
        yield advance
