"""``mbu-ops weights``: list, check, calibrate and convert trained weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from mbu_ops.errors import MBUOpsError
from mbu_ops.families import FamilySpec, WeightSpec
from mbu_ops.families import families as all_families
from mbu_ops.foreign import one_line
from mbu_ops.weights import locate
from mbu_ops_cli.app import OK, UNAVAILABLE
from mbu_ops_cli.commands.calibrate import calibrate
from mbu_ops_cli.completion import complete_weights
from mbu_ops_cli.description import described_lines
from mbu_ops_cli.groups import Group
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import json_option


@click.group(cls=Group)
def weights() -> None:
    """List, check, calibrate and convert trained weights."""


weights.add_command(calibrate)


@weights.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the trained weights of all installed families."""
    rows = [(family, weight) for family in all_families() for weight in family.weights]
    if as_json:
        echo_json([_row(family, weight) for family, weight in rows])
        return
    for family, weight in rows:
        state = f"{weight.size / 1e6:.1f} MB" if locate(family, weight) else "missing"
        names = " ".join(f"{family.name}/{attribute}/{weight.id}" for attribute in weight.attributes)
        echo(f"{names:<40} {weight.method:<8} {state:<10} {weight.licence}")
    if not rows:
        echo("no family brings trained weights")


@weights.command()
@click.argument("names", nargs=-1, metavar="[NAME_OR_PATH]...", shell_complete=complete_weights)
def verify(names: tuple[str, ...]) -> int:
    """Check weights: the file's form, its digest where a family promises one, and every number in it.

    NAME_OR_PATH is family/attribute, a file, a folder that training wrote, or hf://user/repo on the Hugging Face Hub,
    also hf://user/repo/file.safetensors and, with a revision, hf://user/repo:v1; without any, all installed weights are
    checked. All are checked even if one fails; the exit code is then 3.
    """
    from mbu_ops.weights import pin
    from mbu_ops.weights import verify as verify_one

    code = OK
    chosen = names or tuple(
        f"{family.name}/{weight.attributes[0]}/{weight.id}" for family in all_families() for weight in family.weights
    )
    for name in chosen:
        try:
            name = pin(name)
            verify_one(name)
        except MBUOpsError as error:
            reason = str(error)
            echo(reason if name in reason else f"{name}: {reason}", err=True)
            code = UNAVAILABLE
        else:
            echo(f"{name}: sound")
    if not chosen:
        echo("no family brings trained weights; name a file")
    return code


@weights.command()
@click.argument("name", metavar="NAME_OR_PATH", shell_complete=complete_weights)
@json_option
def info(name: str, as_json: bool) -> None:
    """Show what a weights file says of itself."""
    from mbu_ops.weights import read_info, resolve

    path, _ = resolve(name)
    described = read_info(path)
    if as_json:
        echo_json({"path": str(path), **dataclasses.asdict(described)})
        return
    for key, value in described_lines(path, described):
        echo(f"{key:<12} {one_line(value, 2000)}")


@weights.command()
@click.argument("published", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="NEW.safetensors")
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True)
@click.option("--family", help="Family to write into the file.")
@click.option("--attribute", help="Attribute that the weights edit, to write into the file.")
@click.option("--licence", help="Terms of the weights, to write into the file.")
def convert(
    published: Path, output: Path, dtype: str, family: str | None, attribute: str | None, licence: str | None
) -> None:
    """Convert a published (pickled) MBU checkpoint into a safetensors file; nothing in it is ever executed."""
    from mbu_ops.weights.convert import convert as convert_one
    from mbu_ops_cli.options import choose_dtype

    terms = {} if licence is None else {"licence": licence}
    convert_one(published, output, dtype=choose_dtype(dtype), family=family, attribute=attribute, **terms)
    echo(str(output))


def _row(family: FamilySpec, weight: WeightSpec) -> dict[str, object]:
    return {
        "family": family.name,
        "id": weight.id,
        "method": weight.method,
        "attributes": list(weight.attributes),
        "installed": locate(family, weight) is not None,
        "size": weight.size,
        "sha256": weight.sha256,
        "licence": weight.licence,
        "frame": weight.frame,
        "metrics": dict(weight.metrics),
    }
