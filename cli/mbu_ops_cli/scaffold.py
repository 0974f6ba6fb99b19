"""A new plugin from the template: every file of it, with the names filled in."""

from __future__ import annotations

import importlib.util
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from mbu_ops import __version__
from mbu_ops.errors import ConfigurationError
from mbu_ops.families import API_VERSION
from mbu_ops.families.discovery import FAMILIES, discover
from mbu_ops.families.names import NAME


def write_plugin(name: str, attribute: str, folder: Path) -> list[Path]:
    """Write a complete plugin: pyproject, package with its family, an empty list of weights, README and tests.

    Args:
        name: the family's name, as in ``--family hats``.
        attribute: the name of its first attribute.
        folder: where to write; must be missing or empty.

    Returns:
        The files written.

    Raises:
        ConfigurationError: if a name cannot be one, or the folder holds something.
        OSError: if it cannot be written.
    """
    for what, value in (("family", name), ("attribute", attribute)):
        if not NAME.match(value):
            raise ConfigurationError(
                f"expected the {what}'s name in lower-case letters, digits and underscores, letter first; got {value!r}"
            )
    if importlib.util.find_spec(f"mbu_ops_{name}") or name in [plugin.name for plugin in discover(FAMILIES).plugins]:
        raise ConfigurationError(
            f"there is a family {name!r}, or a package mbu_ops_{name}, already: choose another name, or uninstall it"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"expected a new or empty folder, {str(folder)!r} holds something: use another --out")
    package = f"mbu_ops_{name}"
    names = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "title": name.replace("_", " ").capitalize(),
        "package": package,
        "attribute": attribute,
        "attribute_title": attribute.replace("_", " ").capitalize(),
        "api_version": str(API_VERSION),
        "version": __version__,
    }
    written = []
    for parts, source in _files(resources.files(__package__).joinpath("template")):
        target = folder.joinpath(*(package if part == "package" else part for part in parts)).with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text(encoding="utf-8")).substitute(names), encoding="utf-8")
        written.append(target)
    return written


def _files(folder: Traversable, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Traversable]]:
    found: list[tuple[tuple[str, ...], Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _files(entry, (*above, entry.name))
        elif entry.name.endswith(".txt"):  # so that no tool takes a template for the file that it will become
            found.append(((*above, entry.name), entry))
    return found
