"""Where training and measuring take labelled pictures from: folders of images and masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops_cli.options import FiniteRange

if TYPE_CHECKING:
    from mbu_ops.data.cutting import Size
    from mbu_ops.data.labelled import Labelled
    from mbu_ops.families import Anatomy, AttributeSpec, FamilySpec

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


@dataclass(frozen=True, slots=True)
class LabelledSource:
    """Where labelled pictures come from.

    Attributes:
        family: whose parts the masks show.
        folders: what ``--labelled`` named.
        holdout: share of the first folder that training leaves out.
        contents: names of what the networks learn, in their order.
        frame: which of the family's frames to cut out of the pictures.
    """

    family: FamilySpec
    folders: tuple[Path, ...]
    holdout: float
    contents: tuple[str, ...] = ()
    frame: FrameSpec = WHOLE_FRAME

    attribute: AttributeSpec | None = None

    @classmethod
    def of(
        cls,
        family: str | None,
        folders: tuple[Path, ...],
        holdout: float,
        method: str | None,
        frame: str | None = None,
    ) -> LabelledSource:
        """Read the options.

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

        if len({folder.resolve() for folder in folders}) < len(folders):
            raise ConfigurationError(
                "expected different --labelled folders, got one twice: what --holdout leaves out of the first would be "
                "learnt from the second"
            )
        owner = get_family(family or "faces")
        if owner.anatomy is None:
            raise ConfigurationError(f"the family {owner.name!r} names no parts that masks could show: choose --family")
        contents: tuple[str, ...] = ()
        if method is not None:
            from mbu_ops.methods import get_method

            contents = get_method(method).contents_in(owner.anatomy)
        return cls(owner, folders, holdout, contents, owner.frame(frame))

    @property
    def parser(self) -> str:
        """Name of the family's own parser."""
        return f"{self.family.name}/{self.anatomy.names[0]}"

    @property
    def anatomy(self) -> Anatomy:
        """The family's parts."""
        if self.family.anatomy is None:
            raise ConfigurationError(f"the family {self.family.name!r} names no parts")
        return self.family.anatomy

    def training(self, size: Size, report: Callable[[str], None]) -> Labelled:
        """Read the training pictures.

        Raises:
            DataError: if there are too few.
        """
        from mbu_ops.data.labelled import Labelled

        first, *others = self.folders
        pictures = Labelled.from_folder(first, self.anatomy, size, "train", self.holdout, report, frame=self.frame)
        for folder in others:
            more = Labelled.from_folder(folder, self.anatomy, size, report=report, frame=self.frame)
            pictures = pictures.with_more(more)
        return pictures

    def unseen(self, size: Size, report: Callable[[str], None], limit: int | None = None) -> Labelled | None:
        """Read pictures of which training has seen none; None where it saw them all: without a holdout.

        Raises:
            DataError: if there are too few.
        """
        from mbu_ops.data.labelled import Labelled

        if not self.holdout:
            return None
        return Labelled.from_folder(
            self.folders[0], self.anatomy, size, "validation", self.holdout, report, limit, self.frame
        )


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
