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
from mbu_ops.families.discovery import FAMILIES, METHODS, discover
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
    _check_name("attribute", attribute)
    names = {
        "title": name.replace("_", " ").capitalize(),
        "attribute": attribute,
        "attribute_title": attribute.replace("_", " ").capitalize(),
        "api_version": str(API_VERSION),
    }
    return _write("family", FAMILIES, name, names, folder)


def write_method(name: str, folder: Path) -> list[Path]:
    """Write a plugin with a method: pyproject, package with networks and an objective, README and tests.

    Args:
        name: the method's name, as in ``--method stickers``.
        folder: where to write; must be missing or empty.

    Returns:
        The files written.

    Raises:
        ConfigurationError: if the name cannot be one, or the folder holds something.
        OSError: if it cannot be written.
    """
    kind = "".join(part.capitalize() for part in name.split("_"))
    return _write("method", METHODS, name, {"kind": kind}, folder)


def _write(what: str, group: str, name: str, more: dict[str, str], folder: Path) -> list[Path]:
    """Fill in the template of a plugin of one kind."""
    _check_name(what, name)
    package = f"mbu_ops_{name}"
    if importlib.util.find_spec(package) or name in [plugin.name for plugin in discover(group).plugins]:
        raise ConfigurationError(
            f"there is a {what} {name!r}, or a package {package}, already: choose another name, or uninstall it"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"expected a new or empty folder, {str(folder)!r} holds something: use another --out")
    names = {"name": name, "dashed": name.replace("_", "-"), "package": package, "version": __version__, **more}
    written = []
    for parts, source in _files(resources.files(__package__).joinpath("templates", what)):
        target = folder.joinpath(*(package if part == "package" else part for part in parts)).with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text(encoding="utf-8")).substitute(names), encoding="utf-8")
        written.append(target)
    return written


def _check_name(what: str, name: str) -> None:
    if not NAME.match(name):
        raise ConfigurationError(
            f"expected the {what}'s name in lower-case letters, digits and underscores, letter first; got {name!r}"
        )


def _files(folder: Traversable, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Traversable]]:
    found: list[tuple[tuple[str, ...], Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _files(entry, (*above, entry.name))
        elif entry.name.endswith(".txt"):  # so that no tool takes a template for the file that it will become
            found.append(((*above, entry.name), entry))
    return found
