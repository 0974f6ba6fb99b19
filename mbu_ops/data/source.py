"""Where the pictures to learn from and to measure with are: known, and checked, before one is read. No torch before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec

if TYPE_CHECKING:
    from mbu_ops.data.cutting import Size
    from mbu_ops.data.domains import Domains
    from mbu_ops.data.labelled import Labelled
    from mbu_ops.data.photos import Photos, Progress
    from mbu_ops.families import Anatomy, AttributeSpec, FamilySpec


@dataclass(frozen=True, slots=True)
class Search:
    """How to find a family's places in photos.

    Attributes:
        family: what to look for.
        cuts: where to keep what was found.
        every: whether to take all places of a photo instead of the largest.
        progress: shows how far a search is.
    """

    family: FamilySpec
    cuts: Path
    every: bool = False
    progress: Progress | None = None

    @property
    def which(self) -> str:
        """Which places of a photo are taken, in a word."""
        return "all" if self.every else "largest"

    def photos(self) -> Photos:
        """Build the aligner, on the accelerator if there is one.

        Raises:
            PluginError: if it cannot be built.
            DataError: if cuts are there and cannot be read.
        """
        import torch

        from mbu_ops.data.photos import Photos

        device = torch.accelerator.current_accelerator(check_available=True) or "cpu"
        return Photos.of(self.family, self.cuts, self.every, device, self.progress)


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures with a content and pictures without it come from: labelled folders, two kinds, or a family's pen.

    Attributes:
        family: whose pictures they are, if any family's.
        attribute: what they differ in, if a family knows it; None with a family that draws means each of its own. Of a
            pair it is the first against the second, see :meth:`mbu_ops.families.AttributeSpec.against`.
        contents: names of the contents, in the order in which a network learns them: one, or a pair.
        data: folders in CelebA's layout.
        only: labels that all their pictures must have, or must not have with "!"; the attribute's rules say so too.
        with_: folders of pictures with the content.
        without: folders of pictures without it.
        neither: of a pair, folders of pictures that show neither.
        holdout: share of those folders that training leaves out.
        pictures: how many to draw.
        frame: which of the family's frames to cut out of the pictures.
        search: how to find the family's first frame in photos; None where pictures are cut to it.
        share: which part of the training people of ``data`` to learn from.
        seldom: labels of ``data`` whose pictures without the content are learnt from seldom, ``(label, share)``, see
            :meth:`mbu_ops.data.domains.Domains.from_celeba`.

    Example:
        >>> import tempfile
        >>> import torch
        >>> from mbu_ops.images import write
        >>> folder = Path(tempfile.mkdtemp())
        >>> for number in range(32):
        ...     write(folder / ("smiling" if number % 2 else "serious") / f"{number}.png", torch.rand(3, 20, 24))
        >>> source = Source(with_=(folder / "smiling",), without=(folder / "serious",))
        >>> source.training(16, print).with_.shape
        torch.Size([16, 3, 16, 16])
    """

    family: FamilySpec | None = None
    attribute: AttributeSpec | None = None
    contents: tuple[str, ...] = ("content",)
    data: tuple[Path, ...] = ()
    only: tuple[str, ...] = ()
    with_: tuple[Path, ...] = ()
    without: tuple[Path, ...] = ()
    neither: tuple[Path, ...] = ()
    holdout: float = 0.0
    pictures: int = 2000
    frame: FrameSpec = WHOLE_FRAME
    search: Search | None = None
    share: tuple[int, int] = (1, 1)
    seldom: tuple[tuple[str, float], ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether the family draws the pictures."""
        return not (self.data or self.with_)

    @property
    def facts(self) -> dict[str, object]:
        """What the training pictures are, as JSON holds it; known without reading or drawing one."""
        return {
            "family": self.family.name if self.family else None,
            "attribute": (
                "+".join(self.contents) if len(self.contents) > 1 else self.attribute.name if self.attribute else None
            ),
            "data": [folder.resolve().name for folder in self.data],
            "only": list(self.only),
            "with": [folder.resolve().name for folder in self.with_],
            "without": [folder.resolve().name for folder in self.without],
            **({"neither": [folder.resolve().name for folder in self.neither]} if self.neither else {}),
            "holdout": self.holdout,
            "drawn": self.pictures if self.drawn else 0,
            **({} if self.frame.is_whole else {"frame": self.frame.name}),
            **({"found": self.search.which} if self.search else {}),
            **({"people": "{}/{}".format(*self.share)} if self.share != (1, 1) else {}),
            **({"seldom": [list(pair) for pair in self.seldom]} if self.seldom else {}),
        }

    def alone(self, attribute: AttributeSpec) -> Source:
        """Return the same pictures, divided by another attribute of their family."""
        return replace(self, attribute=attribute.narrowed(self.only), contents=(attribute.name,))

    def training(self, size: Size, report: Callable[[str], None], truth: bool = False) -> Domains:
        """Read or draw the training images.

        Args:
            size: height and width of the images, or the side of square ones.
            report: called with one line for each file that cannot be read, or for all photos together.
            truth: whether to keep what is known of images that a family draws.

        Raises:
            DataError: if there are too few.
            PluginError: if drawing fails.
        """
        from mbu_ops.data.domains import Domains

        if self.with_:
            return self._folders(size, "train", report, self.neither)
        family, attribute = self._known()
        if self.data:
            domains = Domains.from_celeba(
                self.data, attribute, size, report=report, frame=self.frame, share=self.share, seldom=self.seldom
            )
            rare = (f"{label} {often:g} times as often" for label, often in self.seldom)
            return replace(domains, source=", ".join((domains.source, *self.only, *rare)))
        report(f"drawing {2 * self.pictures} pictures")
        return Domains.drawn(family, attribute, _side(size), self.pictures, truth=truth)

    def unseen(
        self,
        size: Size,
        report: Callable[[str], None],
        limit: int,
        seed: int | None = None,
        partition: Literal["validation", "test"] = "validation",
    ) -> Domains | None:
        """Read images of which training has seen none; None where it saw them all: folders without a holdout.

        Args:
            size: height and width of the images, or the side of square ones.
            report: called with one line for each file that cannot be read, or for all photos together.
            limit: read at most this many of each kind (from each folder of ``data``); draw that many.
            seed: of the choice among labelled images; the first ones when ``None``.
            partition: of labelled and of drawn images.

        Raises:
            DataError: if there are too few.
            PluginError: if drawing fails.
        """
        from mbu_ops.data.domains import Domains

        if self.with_:
            return self._folders(size, "validation", report) if self.holdout else None
        family, attribute = self._known()
        if self.data:
            return Domains.from_celeba(self.data, attribute, size, partition, report, limit, seed, self.frame)
        return Domains.drawn(family, attribute, _side(size), limit, partition)

    def _folders(
        self,
        size: Size,
        partition: Literal["train", "validation"],
        report: Callable[[str], None],
        neither: tuple[Path, ...] = (),
    ) -> Domains:
        from mbu_ops.data.domains import Domains

        return Domains.from_folders(
            self.with_,
            self.without,
            size,
            partition,
            self.holdout,
            self.attribute,
            report,
            neither,
            self.frame,
            self.search.photos() if self.search else None,
        )

    def _known(self) -> tuple[FamilySpec, AttributeSpec]:
        if self.family is None or self.attribute is None:
            raise ConfigurationError("expected --attribute, one of the family's: what do the pictures show?")
        return self.family, self.attribute


@dataclass(frozen=True, slots=True)
class LabelledSource:
    """Where labelled pictures come from.

    Attributes:
        family: whose parts the masks show.
        folders: of ``images/`` and ``masks/``: the first is divided, the others add to training.
        holdout: share of the first folder that training leaves out.
        contents: names of what the networks learn, in their order.
        frame: which of the family's frames to cut out of the pictures.
        attribute: None: masks say themselves what pictures show.

    Raises:
        ConfigurationError: if the family names no parts, or a folder is named twice.
    """

    family: FamilySpec
    folders: tuple[Path, ...]
    holdout: float = 0.0
    contents: tuple[str, ...] = ()
    frame: FrameSpec = WHOLE_FRAME
    attribute: AttributeSpec | None = None

    def __post_init__(self) -> None:
        if len({folder.resolve() for folder in self.folders}) < len(self.folders):
            raise ConfigurationError(
                "expected different --labelled folders, got one twice: what --holdout leaves out of the first would be "
                "learnt from the second"
            )
        if self.family.anatomy is None:
            raise ConfigurationError(
                f"the family {self.family.name!r} names no parts that masks could show: choose --family"
            )

    @property
    def parser(self) -> str:
        """Name of the family's own parser."""
        return f"{self.family.name}/{self.anatomy.names[0]}"

    @property
    def anatomy(self) -> Anatomy:
        """The family's parts."""
        assert self.family.anatomy is not None  # noqa: S101 - a source has a family that names some
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


def _side(size: Size) -> int:
    """Return the side of square pictures.

    Raises:
        ConfigurationError: if others are wanted.
    """
    from mbu_ops.data.cutting import height_and_width

    height, width = height_and_width(size)
    if height != width:
        raise ConfigurationError(
            f"families draw square pictures, and the networks see {width} x {height} pixels: give --data, or --with "
            "and --without"
        )
    return height
