"""Options that say where training and measuring take labelled pictures from: folders of images and masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.data import LabelledSource
from mbu_ops.errors import ConfigurationError
from mbu_ops_cli.options import FiniteRange

if TYPE_CHECKING:
    from mbu_ops.families import Anatomy

LABELLED = click.option(
    "--labelled",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of images/ and masks/, whose pixels are numbers of the family's parts; may be given several times: "
    "--holdout divides the first, the others add to training.",
)
VARIATION = click.option(
    "--variation",
    type=FiniteRange(min=0, max=2),
    help="How strongly labelled pictures are turned, moved, scaled and recoloured.  [default: 1 to read, 0 to draw]",
)


def labelled_source(
    family: str | None,
    folders: tuple[Path, ...],
    holdout: float,
    method: str | None = None,
    frame: str | None = None,
) -> LabelledSource:
    """Return the source that options name.

    Args:
        family: name of the family, ``faces`` by default.
        folders: of images and masks.
        holdout: share of the first to leave out.
        method: what is to learn from them, or None.
        frame: name of the frame to cut out of them; the family's first by default.

    Raises:
        ConfigurationError: if the family has no masks, the method learns from other pictures, or a folder is named
            twice.
        FamilyError: if there is no such family or frame.
    """
    from mbu_ops.families.registry import get_family

    owner = get_family(family or "faces")
    source = LabelledSource(owner, folders, holdout, frame=owner.frame(frame))
    if method is None:
        return source
    from mbu_ops.methods import get_method

    return replace(source, contents=get_method(method).contents_in(source.anatomy))


def check_part_count(weights: str, count: int, anatomy: Anatomy) -> None:
    """Make sure that networks and masks speak of the same parts.

    Args:
        weights: name of the networks.
        count: how many parts they tell apart.
        anatomy: the parts that masks show.

    Raises:
        ConfigurationError: if they do not.
    """
    if count != len(anatomy.parts):
        raise ConfigurationError(f"{weights} tells {count} parts apart, the family's masks {len(anatomy.parts)}")
