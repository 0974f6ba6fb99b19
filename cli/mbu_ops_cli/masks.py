"""What commands share that work with masks of parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import Anatomy, FamilySpec, get_family
from mbu_ops.frames.box import Box
from mbu_ops_cli.completion import complete_families, complete_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbu_ops.families.aligning import Aligner

FILE = click.Path(path_type=Path)
family_option = click.option(
    "--family",
    default="faces",
    show_default=True,
    help="Family whose parts masks show.",
    shell_complete=complete_families,
)
weights_option = click.option(
    "--weights",
    metavar="NAME_OR_PATH",
    help="Trained weights.  [default: the family's first that can]",
    shell_complete=complete_weights,
)
face_option = click.option(
    "--face", metavar="all|largest|N", help="Which of the places found; 1 is the largest.  [default: all]"
)
align_option = click.option("--no-align", is_flag=True, help="Look for nothing: the picture is cut to it already.")


def family_of(name: str) -> tuple[FamilySpec, Anatomy]:
    """Return a family and its parts.

    Raises:
        ConfigurationError: if it names none.
        FamilyError: if there is no such family.
    """
    spec = get_family(name)
    if spec.anatomy is None:
        raise ConfigurationError(
            f"the family {spec.name!r} names no parts that masks could show: choose another --family"
        )
    return spec, spec.anatomy


def weights_of(family: FamilySpec, anatomy: Anatomy, given: str | None, verb: str) -> str:
    """Return the weights' name, and make sure that there are such."""
    from mbu_ops.weights import resolve

    if given is None and verb != "parse" and not anatomy.whole:
        raise ConfigurationError(f"the family {family.name!r} has no name for all components: give --weights")
    name = given or f"{family.name}/{anatomy.whole if verb != 'parse' else anatomy.names[0]}"
    resolve(name, verb=verb)
    return name


def aligner_of(family: FamilySpec, no_align: bool, device: torch.device) -> Aligner:
    """Return what finds places in photos; all of each where nobody looks."""
    from mbu_ops.families.aligning import aligner
    from mbu_ops.frames.aligners import GuardedAligner

    if no_align or family.aligner is None:
        return _Everything()
    return GuardedAligner(family, aligner(family, device))


class _Everything:
    """Finds the whole picture."""

    def find(self, image: Tensor) -> list[Any]:
        """Return a box around all of it."""
        return [Box(0, 0, image.shape[-1], image.shape[-2])]


def read_mask(path: Path, anatomy: Anatomy) -> Tensor:
    """Return the parts that a mask shows, ``(1, 1, H, W)`` uint8."""
    import torch

    from mbu_ops import images

    return torch.from_numpy(images.read_labels(path, anatomy.colours))[None, None]
