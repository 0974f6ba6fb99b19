"""``mbu-ops families``: what can be edited, and what is installed for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from mbu_ops.batch import Existing
from mbu_ops.errors import ConfigurationError
from mbu_ops.families import (
    AttributeSpec,
    BrokenPlugin,
    FamilySpec,
    GuideSpec,
    SampleSpec,
    WeightSpec,
    broken,
    get_family,
    parse_attribute,
)
from mbu_ops.families import families as all_families
from mbu_ops.ops.verbs import first_weights, grammar_words
from mbu_ops.weights import flaw
from mbu_ops_cli.app import OK, UNAVAILABLE
from mbu_ops_cli.completion import complete_attributes, complete_families
from mbu_ops_cli.groups import Group
from mbu_ops_cli.messages import echo, echo_json, log
from mbu_ops_cli.options import existing_option, json_option, may_write
from mbu_ops_cli.tables import print_table


@click.group(cls=Group)
def families() -> None:
    """What can be edited, and what is installed for it."""


@families.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List every installed family, and the plugins and weights that cannot be used."""
    found, unusable = all_families(), broken()
    if as_json:
        echo_json({"families": [_family(family) for family in found], "broken": [_broken(entry) for entry in unusable]})
        return
    print_table(("family", "attributes", "verbs"), (row for family in found for row in _rows(family)))
    for family in found:
        for spec in family.weights:
            if reason := flaw(family, spec):
                echo(f"{family.name}: weights {spec.id} of {', '.join(spec.attributes)} cannot be used: {reason}")
    for entry in unusable:
        echo(f"{entry.name or '?'}: cannot be used ({entry.distribution}): {entry.reason}")


@families.command()
@click.argument("name", shell_complete=complete_families)
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one family: attributes, trained weights, sample pictures."""
    family = get_family(name)
    if as_json:
        echo_json(_family(family))
        return
    echo(f"{family.name}: {family.title or family.name}")
    print_table(
        ("attribute", "title", "also called", "verbs"),
        (
            (attribute.name, attribute.title, ", ".join(attribute.aliases), _words(family, attribute))
            for attribute in family.attributes
        ),
    )
    echo()
    if family.weights:
        head = ("weights", "method", "frame", "first for", "measured", "licence", "edit")
        print_table(head, (_line(weight) for weight in family.weights))
        echo()
    found = f"of any size, it finds each {family.noun} in them" if family.aligner else "edited whole"
    echo(f"photos: {found}")
    if family.frames:
        echo(f"frames: {', '.join(frame.name for frame in family.frames)}")
    if family.pictures:
        echo(f"pictures: draws its own (mbu-ops families draw {family.name}/ATTRIBUTE)")
    echo("samples" if family.samples else "samples: none")
    for sample in family.samples:
        echo(f"  {sample.name:<24} {sample.credit}")
    for name, count in Counter(guide.attribute for guide in family.guides).items():
        echo(f"guides: {count} of {name} (mbu-ops families guides {family.name}/{name})")


@families.command()
@click.argument("attribute", shell_complete=complete_attributes)
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Picture to write: all of them in the order of their numbers.",
)
@existing_option
@json_option
def guides(attribute: str, out: Path | None, existing: Existing, as_json: bool) -> None:
    """List the pictures that come with a family for ATTRIBUTE, such as glasses: what guide=NUMBER puts on."""
    family, plan = parse_attribute(attribute)
    found = [guide for guide in family.guides if guide.attribute == plan.name]
    if not found:
        raise ConfigurationError(f"the family {family.name!r} has no guide pictures of {plan.name}: name one of yours")
    if out is not None and may_write(out, existing):
        from mbu_ops_cli.guides import write_guides

        write_guides(found, out, overwrite=existing == "overwrite")
    if as_json:
        echo_json([_guide(guide) | {"number": number} for number, guide in enumerate(found)])
        return
    for number, guide in enumerate(found):
        echo(f"{number:>3}  {guide.name:<20} {guide.title} ({guide.credit})")
    if out is not None:
        echo(str(out))


@families.command()
@click.argument("name", shell_complete=complete_families)
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@existing_option
def samples(name: str, out: Path, existing: Existing) -> None:
    """Write the sample pictures of a family into a folder: something to edit, to begin with."""
    from mbu_ops.images import write_bytes

    family = get_family(name)
    if not family.samples:
        raise ConfigurationError(f"the family {family.name!r} brings no sample pictures: take some of yours")
    paths = {out / Path(sample.file).name: sample for sample in family.samples}
    wanted = [path for path in paths if may_write(path, existing)]
    for path in wanted:
        write_bytes(path, paths[path].locate().read_bytes(), overwrite=existing == "overwrite")
        echo(f"{path}  {paths[path].credit}")


@families.command()
@click.argument("name", default="faces", shell_complete=complete_families)
@json_option
def parts(name: str, as_json: bool) -> None:
    """List the parts that masks of a family show: numbers, colours, and the component each belongs to."""
    family = get_family(name)
    if family.anatomy is None:
        raise ConfigurationError(f"the family {family.name!r} names no parts that masks could show")
    rows = [asdict(part) | {"number": number} for number, part in enumerate(family.anatomy.parts)]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        red, green, blue = row["colour"]
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        echo(f"{row['number']:>3}  {row['name']:<12} {colour}  {row['title']:<22} {row['component'] or '-'}")


@families.command()
@click.argument("name")
@click.option("--attribute", default="thing", show_default=True, help="Name of the first thing that can be edited.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: mbu-ops-NAME]")
def new(name: str, attribute: str, out: Path | None) -> None:
    """Write a complete plugin for a new family: package, tests, README."""
    from mbu_ops_cli.scaffold import write_plugin

    folder = out or Path(f"mbu-ops-{name.replace('_', '-')}")
    for path in write_plugin(name, attribute, folder):
        echo(str(path))
    log.info(f"next: pip install -e {folder}, then mbu-ops families check {name}")


@families.command()
@click.argument("name", shell_complete=complete_families)
@json_option
def check(name: str, as_json: bool) -> int:
    """Check that an installed family keeps to what a plugin must."""
    from mbu_ops.testing.contract import CHECKS

    family = get_family(name)
    problems = {title: run(family) for title, run in CHECKS.items()}
    if as_json:
        echo_json(problems)
    else:
        for title, found in problems.items():
            echo(f"{title:<12} {'ok' if not found else ''}".rstrip())
            for problem in found:
                echo(f"  {problem}")
    return UNAVAILABLE if any(problems.values()) else OK


@families.command()
@click.argument("attribute", shell_complete=complete_attributes)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New or empty folder to write into.")
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True, help="How many of each kind.")
@click.option("--size", type=click.IntRange(16, 2048), default=128, show_default=True, help="Side in pixels.")
@click.option(
    "--partition",
    type=click.Choice(["train", "validation", "test"]),
    default="train",
    show_default=True,
    help="Whom to draw; partitions share nobody.",
)
def draw(attribute: str, out: Path, count: int, size: int, partition: str) -> None:
    """Have a family draw pictures of ATTRIBUTE, such as avatars/glasses: OUT/without, OUT/with and OUT/masks.

    Pictures of one name show the same subject without and with it, and where it is.
    """
    from PIL import Image

    from mbu_ops.data.pairs import drawn_pairs
    from mbu_ops.files import atomic_path

    family, plan = parse_attribute(attribute)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"expected a new or empty folder, {str(out)!r} holds something: use another --out")
    for number, pair in enumerate(drawn_pairs(family, plan, partition, count, size)):
        for kind, pixels in (("without", pair.without), ("with", pair.with_), ("masks", pair.mask)):
            path = out / kind / f"{partition}-{number:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                Image.fromarray(pixels).save(temporary, format="PNG")
    echo(str(out))


def _rows(family: FamilySpec) -> Iterator[tuple[str, str, str]]:
    """Give a row for the attributes with which the same can be done."""
    alike: dict[str, list[str]] = {}
    for attribute in family.attributes:
        alike.setdefault(_words(family, attribute), []).append(attribute.name)
    for words, names in alike.items():
        yield family.name, ", ".join(names), words
    if not alike:
        yield family.name, "none", ""


def _words(family: FamilySpec, attribute: AttributeSpec) -> str:
    return ", ".join(first_weights(family, attribute.name)) or "none: no weights yet"


def _line(weight: WeightSpec) -> tuple[str, ...]:
    return (
        weight.id,
        weight.method,
        weight.frame or "",
        ", ".join(grammar_words(weight.first_for)),
        ", ".join(f"{metric} {value:g}" for metric, value in weight.metrics),
        weight.licence,
        ", ".join(weight.attributes),
    )


def _family(family: FamilySpec) -> dict[str, object]:
    return {
        "name": family.name,
        "title": family.title,
        "noun": family.noun,
        "frames": [asdict(frame) for frame in family.frames],
        "attributes": [_attribute(attribute) | {"first": _first(family, attribute)} for attribute in family.attributes],
        "weights": [_weight(weight) | {"flaw": flaw(family, weight)} for weight in family.weights],
        "samples": [_sample(sample) for sample in family.samples],
        "guides": [_guide(guide) for guide in family.guides],
        "finds_places": family.aligner is not None,
        "draws_pictures": family.pictures is not None,
        "derives_masks": family.masks is not None,
        "parts": list(family.anatomy.names) if family.anatomy else [],
    }


def _attribute(attribute: AttributeSpec) -> dict[str, object]:
    return {"name": attribute.name, "title": attribute.title, "aliases": list(attribute.aliases)}


def _first(family: FamilySpec, attribute: AttributeSpec) -> dict[str, str]:
    """Return which weights each verb takes where a step names none: of the verbs that any can do."""
    return {word: weights.id for word, weights in first_weights(family, attribute.name).items()}


def _weight(weight: WeightSpec) -> dict[str, object]:
    return {
        "id": weight.id,
        "method": weight.method,
        "attributes": list(weight.attributes),
        "file": weight.file,
        "sha256": weight.sha256,
        "size": weight.size,
        "licence": weight.licence,
        "frame": weight.frame,
        "verbs": list(weight.verbs),
        "first_for": list(weight.first_for),
        "follows_guides": weight.follows_guides,
        "metrics": dict(weight.metrics),
    }


def _sample(sample: SampleSpec) -> dict[str, object]:
    return {"name": sample.name, "credit": sample.credit, "attributes": list(sample.attributes), "box": sample.box}


def _guide(guide: GuideSpec) -> dict[str, object]:
    return {
        "name": guide.name,
        "title": guide.title,
        "attribute": guide.attribute,
        "frame": guide.frame,
        "file": str(guide.locate()),
        "credit": guide.credit,
    }


def _broken(entry: BrokenPlugin) -> dict[str, object]:
    return {"name": entry.name, "distribution": entry.distribution, "reason": entry.reason}
