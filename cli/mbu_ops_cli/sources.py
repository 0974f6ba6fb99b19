"""Options that say where training and measuring take their pictures from, and what they mean together."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mbu_ops.data import LabelledSource, Source
from mbu_ops.errors import ConfigurationError
from mbu_ops.families.names import NAME
from mbu_ops_cli.completion import complete_attributes, complete_families
from mbu_ops_cli.labelled import labelled_source
from mbu_ops_cli.options import FiniteRange, Number
from mbu_ops_cli.search import SEARCH, frame_of, search_of

FOLDER = click.Path(path_type=Path)
OPTIONS = (
    click.option(
        "--family",
        shell_complete=complete_families,
        help="Family of the pictures and of the attribute: what it looks for (faces) is found in photos of --with and "
        "--without, and cut out.  [default: the attribute's, or faces]",
    ),
    click.option(
        "--attribute",
        shell_complete=complete_attributes,
        help="What the pictures differ in: says which pictures of --data show it, and names the weights.",
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
        "--seldom",
        metavar="LABEL=SHARE",
        multiple=True,
        type=Number(),
        help="How often to learn from pictures of --data with this label and without the content, as against others, "
        "0 to 1: Mouth_Slightly_Open=0.15 where smiles are to be closed; may be given several times.",
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
    """Give a command the options that say where pictures come from; it gets them as one source."""
    names = list(inspect.signature(source_of).parameters)

    @functools.wraps(command)
    def with_source(**options: Any) -> Any:
        shared = {"out": options["out"]} if options.get("out") else {}  # the command's own too
        given = {name: options.pop(name) for name in names if name != "out"}
        if folders := options.pop("labelled", ()):
            return command(source=_labelled(folders, given, options.get("method")), **options)
        return command(source=source_of(**given, **shared), **options)

    wrapped: Callable[..., Any] = with_source
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _labelled(folders: tuple[Path, ...], given: dict[str, Any], method: str | None) -> LabelledSource:
    """Return the source of labelled pictures.

    Raises:
        ConfigurationError: if other pictures are named too.
    """
    for name in (
        "attribute",
        "attributes",
        "data",
        "only",
        "seldom",
        "with_",
        "without",
        "pictures",
        "face",
        "no_align",
        "cuts",
    ):
        if given[name]:
            option = name.rstrip("_").replace("_", "-")
            raise ConfigurationError(f"--labelled pictures say themselves what they show: leave --{option} out")
    return labelled_source(given["family"], folders, given["holdout"], method, given["frame"])


def source_of(
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
    seldom: tuple[tuple[str, float], ...] = (),
) -> Source:
    """Return the source that options name.

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
    if seldom and not data:
        raise ConfigurationError("--seldom goes with --data: other pictures have no labels")
    for label, often in seldom:
        if not 0 <= often <= 1:
            raise ConfigurationError(f"expected a share from 0 to 1 in --seldom, got {label}={often:g}")
    if holdout and not with_:
        raise ConfigurationError("--holdout goes with --with and --without; other pictures have partitions")
    if pictures is not None and not drawn:
        raise ConfigurationError("--pictures says how many a family draws; folders hold as many as they hold")
    shown = frame_of(owner, frame)
    if drawn and not shown.is_whole:
        raise ConfigurationError(
            f"--frame {frame}: the family draws its first frame only; give --data, or --with and --without"
        )
    found = search_of(owner, bool(with_), face, no_align, cuts, out)
    plan = plan and plan.narrowed(only)
    contents = pair or ((plan.name if plan else "content"),)
    return Source(
        *(owner, plan, contents, data, only, with_, without, neither, holdout, pictures or 2000, shown, found),
        seldom=seldom,
    )


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
