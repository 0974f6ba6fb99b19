"""Where training and measuring take their pictures from: labelled folders, two kinds of folders, or a family's pen."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.families.names import NAME
from mbu_ops_cli.labelled import LabelledSource
from mbu_ops_cli.options import FiniteRange
from mbu_ops_cli.search import SEARCH, Search, frame_of, search_of

if TYPE_CHECKING:
    from mbu_ops.data.cutting import Size
    from mbu_ops.data.domains import Domains
    from mbu_ops.families.spec import AttributeSpec, FamilySpec

FOLDER = click.Path(path_type=Path)
OPTIONS = (
    click.option(
        "--family",
        help="Family of the pictures and of the attribute: what it looks for (faces) is found in photos of --with and "
        "--without, and cut out.  [default: the attribute's, or faces]",
    ),
    click.option(
        "--attribute", help="What the pictures differ in: says which pictures of --data show it, and names the weights."
    ),
    click.option(
        "--attributes",
        metavar="FIRST,SECOND",
        help="Two attributes for one network (method didd): pictures with one and without the other. Folders: two "
        "--with, one for each, and --without for pictures with neither, if you have some.",
    ),
    click.option("--data", type=FOLDER, multiple=True, help="Folder in CelebA's layout; may be given several times."),
    click.option(
        "--only",
        metavar="LABEL",
        multiple=True,
        help="Only pictures of --data with this label, or without it as in '!Male'; may be given several times.",
    ),
    click.option(
        "--with",
        "with_",
        type=FOLDER,
        multiple=True,
        help="Folder of pictures or photos with the content; may be given several times.",
    ),
    click.option(
        "--without", type=FOLDER, multiple=True, help="Folder of those without it; may be given several times."
    ),
    click.option(
        "--holdout",
        type=FiniteRange(min=0, max=0.9),
        default=0.0,
        show_default=True,
        help="Share of --with and --without, or of --labelled, that training leaves out and eval measures with; file "
        "names decide.",
    ),
    click.option(
        "--pictures",
        type=click.IntRange(min=8),
        help="Pictures of each kind to train on, where the family draws its own.  [default: 2000]",
    ),
    *SEARCH,
)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where pictures come from; it gets them as one :class:`Source`."""
    names = list(inspect.signature(Source.of).parameters)

    @functools.wraps(command)
    def with_source(**options: Any) -> Any:
        shared = {name: options[name] for name in ("out", "quiet") if options.get(name)}  # the command's own too
        given = {name: options.pop(name) for name in names if name not in ("out", "quiet")}
        if folders := options.pop("labelled", ()):
            return command(source=_labelled(folders, given, options.get("method")), **options)
        return command(source=Source.of(**given, **shared), **options)

    wrapped: Callable[..., Any] = with_source
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _labelled(folders: tuple[Path, ...], given: dict[str, Any], method: str | None) -> LabelledSource:
    """Return the source of labelled pictures.

    Raises:
        ConfigurationError: if other pictures are named too.
    """
    for name in ("attribute", "attributes", "data", "only", "with_", "without", "pictures", "face", "no_align", "cuts"):
        if given[name]:
            option = name.rstrip("_").replace("_", "-")
            raise ConfigurationError(f"--labelled pictures say themselves what they show: leave --{option} out")
    return LabelledSource.of(given["family"], folders, given["holdout"], method, given["frame"])


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures come from.

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
    """

    family: FamilySpec | None
    attribute: AttributeSpec | None
    contents: tuple[str, ...]
    data: tuple[Path, ...]
    only: tuple[str, ...]
    with_: tuple[Path, ...]
    without: tuple[Path, ...]
    neither: tuple[Path, ...]
    holdout: float
    pictures: int
    frame: FrameSpec = WHOLE_FRAME
    search: Search | None = None
    share: tuple[int, int] = (1, 1)

    @classmethod
    def of(
        cls,
        family: str | None,
        attribute: str | None,
        attributes: str | None,
        data: tuple[Path, ...],
        only: tuple[str, ...],
        with_: tuple[Path, ...],
        without: tuple[Path, ...],
        holdout: float,
        pictures: int | None,
        frame: str | None = None,
        face: str | None = None,
        no_align: bool = False,
        cuts: Path | None = None,
        out: Path = Path("out"),
        quiet: bool = False,
    ) -> Source:
        """Read the options.

        Raises:
            ConfigurationError: if they name no pictures, or two kinds of them.
            FamilyError: if there is no such family or attribute.
        """
        from mbu_ops.families.registry import get_family, parse_attribute

        if data and (with_ or without):
            raise ConfigurationError("expected --data or --with and --without, got both; give one kind of images")
        if attributes is not None and attribute is not None:
            raise ConfigurationError("expected --attribute or --attributes, got both; leave one out")
        pair, with_, without, neither = _sides(attributes, with_, without)
        if data and attribute is None and not pair:
            raise ConfigurationError("--data needs --attribute, which says which pictures show the content")
        owner, plan = (get_family(family) if family else None), None
        if attributes is not None and (family or not with_ or "/" in attributes):
            (owner, first), (other, second) = (parse_attribute(name, default_family=family or "faces") for name in pair)
            if owner != other:
                raise ConfigurationError(f"--attributes {attributes}: they are of two families; one network serves one")
            plan, pair = first.against(second), (first.name, second.name)
        elif attribute is not None:
            owner, plan = parse_attribute(attribute, default_family=family or "faces")
        elif owner is not None and owner.pictures is None and not (with_ or without):
            raise ConfigurationError("--family needs --attribute: which of its attributes do the pictures show?")
        if family is not None and owner is not None and owner.name != family:
            raise ConfigurationError(
                f"--family {family} and --attribute {attribute or attributes} name two families; leave one out"
            )
        drawn = owner is not None and owner.pictures is not None and not (data or with_ or without)
        if drawn and pair:
            raise ConfigurationError(
                f"--attributes {attributes}: families draw pictures with one attribute and without it, and none of a "
                "pair; give two --with folders, or --data"
            )
        if not (data or (with_ and without) or drawn):
            raise ConfigurationError(
                "expected --with DIR and --without DIR, --attribute NAME and --data DIR, or an --attribute whose "
                "family draws its own pictures"
            )
        if data and plan is not None and not plan.with_rule:
            raise ConfigurationError(
                f"no labels of --data show {plan.name!r}, as far as its family says: give --with and --without "
                "folders, or learn it from masks (--method parsing --labelled)"
            )
        if only and not data:
            raise ConfigurationError("--only goes with --data: other pictures have no labels")
        if holdout and not with_:
            raise ConfigurationError("--holdout goes with --with and --without; other pictures have partitions")
        if pictures is not None and not drawn:
            raise ConfigurationError("--pictures says how many a family draws; folders hold as many as they hold")
        shown = frame_of(owner, frame)
        if drawn and not shown.is_whole:
            raise ConfigurationError(
                f"--frame {frame}: the family draws its first frame only; give --data, or --with and --without"
            )
        found = search_of(owner, bool(with_), face, no_align, cuts, out, quiet)
        plan = plan and plan.narrowed(only)
        contents = pair or ((plan.name if plan else "content"),)
        return cls(owner, plan, contents, data, only, with_, without, neither, holdout, pictures or 2000, shown, found)

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
        }

    def alone(self, attribute: AttributeSpec) -> Source:
        """Return the same pictures, divided by another attribute of their family."""
        return replace(self, attribute=attribute.narrowed(self.only), contents=(attribute.name,))

    def training(self, size: Size, report: Callable[[str], None]) -> Domains:
        """Read or draw the training images.

        Args:
            size: height and width of the images, or the side of square ones.
            report: called with one line for each file that cannot be read, or for all photos together.

        Raises:
            DataError: if there are too few.
            PluginError: if drawing fails.
        """
        from mbu_ops.data.domains import Domains

        if self.with_:
            return self._folders(size, "train", report, self.neither)
        family, attribute = self._known()
        if self.data:
            domains = Domains.from_celeba(self.data, attribute, size, report=report, frame=self.frame, share=self.share)
            return replace(domains, source=", ".join((domains.source, *self.only)))
        report(f"drawing {2 * self.pictures} pictures")
        return Domains.drawn(family, attribute, _side(size), self.pictures)

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


def _sides(
    attributes: str | None, with_: tuple[Path, ...], without: tuple[Path, ...]
) -> tuple[tuple[str, ...], tuple[Path, ...], tuple[Path, ...], tuple[Path, ...]]:
    """Return the names of a pair of contents, if it is one, and folders of either domain and of neither content.

    Raises:
        ConfigurationError: if the folders are not a pair's.
    """
    pair = _pair(attributes) if attributes is not None else ()
    if len(with_) == 2 and (pair or not without):
        # a content a folder: what one folder shows the other lacks
        return pair or _folder_names(*with_), with_[:1], with_[1:], without
    if pair and (with_ or without):
        raise ConfigurationError(
            "expected two --with folders for a pair of contents, each of pictures that lack the other's, and "
            "--without, if at all, for pictures that show neither"
        )
    return pair, with_, without, ()


def _pair(attributes: str) -> tuple[str, ...]:
    names = tuple(attributes.split(","))
    proper = all(part and NAME.match(part) for name in names for part in name.split("/"))
    if len(names) != 2 or not proper or names[0] == names[1]:
        raise ConfigurationError(
            f"expected two names (letters a-z, digits, '_') in --attributes, as in smile,glasses, got {attributes!r}"
        )
    return names


def _folder_names(*folders: Path) -> tuple[str, ...]:
    """Return names for the contents of two folders: the folders' own, where these can be names."""
    names = tuple(re.sub(r"\W+", "_", folder.resolve().name.lower()) for folder in folders)
    usable = len(set(names)) == len(names) and all(NAME.match(name) for name in names)
    return names if usable else ("first", "second")
