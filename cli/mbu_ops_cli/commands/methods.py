"""``mbu-ops methods``: which there are, and a plugin for a new one."""

from __future__ import annotations

from pathlib import Path

import click

from mbu_ops_cli.groups import Group
from mbu_ops_cli.messages import echo, echo_json, log
from mbu_ops_cli.options import json_option


@click.group(cls=Group, short_help="Which methods there are; write one of your own.")
def methods() -> None:
    """Which methods there are; write one of your own."""


@methods.command("list")
@json_option
def list_methods(as_json: bool) -> None:
    """List the methods: what each can do, and its configurations."""
    from mbu_ops.methods import methods as all_methods

    rows = [
        {"method": kind.info.name, "verbs": sorted(kind.info.verbs), "configurations": list(kind.configs)}
        for kind in all_methods()
    ]
    if as_json:
        echo_json(rows)
        return
    width = max(len(str(row["method"])) for row in rows)
    for row in rows:
        echo(f"{row['method']:<{width}}  {', '.join(row['verbs'])}")
        echo(f"{'':<{width}}  --config {', '.join(row['configurations'])}")


@methods.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: mbu-ops-NAME]")
def new(name: str, out: Path | None) -> None:
    """Write a complete plugin for a new method: networks, objective, tests, README."""
    from mbu_ops_cli.scaffold import write_method

    folder = out or Path(f"mbu-ops-{name.replace('_', '-')}")
    for path in write_method(name, folder):
        echo(str(path))
    log.info(f"next: pip install -e {folder}, then mbu-ops train --method {name} --help")
