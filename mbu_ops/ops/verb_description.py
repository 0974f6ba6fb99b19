"""Verbs written down as data beside a plugin's code, to be known without running any of it. No torch here."""

from __future__ import annotations

from typing import Any

from mbu_ops.families.description import describing, package_with
from mbu_ops.families.discovery import Plugin
from mbu_ops.families.records import record_of
from mbu_ops.ops.options import Kind, index, name_of, number, path_or_index, pixels
from mbu_ops.ops.verbs import Verb

DESCRIPTIONS = "verbs.json"
"""Name of the description in a plugin's package: an object of verbs by their names."""

_KINDS: dict[str, Kind] = {"index": index, "pixels": pixels, "path_or_index": path_or_index}


def read_verb(package: str, name: str) -> Verb:
    """Return a verb that a package describes in its ``verbs.json``.

    The file holds an object of verbs by their names, each an object with the other fields of a :class:`Verb`; options
    are a list of objects, and what is left out has its default. The kind of an option is ``"index"``, ``"pixels"``,
    ``"path_or_index"``, ``{"number": [0, 1]}`` or ``{"name_of": "colour"}``: see :mod:`mbu_ops.ops.options`.

    A plugin whose verbs are read so is listed, helped with, and completed in shells, without its code being imported.

    Args:
        package: importable package that holds the file, mostly the plugin's ``__name__``.
        name: of the verb.

    Raises:
        ConfigurationError: if the file is missing or malformed, or says nothing of that verb.

    Example:
        >>> read_verb("mbu_ops_faces", "blur")  # which brings no verb
        Traceback (most recent call last):
        mbu_ops.errors.ConfigurationError: expected a description of verbs in mbu_ops_faces/verbs.json: no such file
    """
    with describing(package, DESCRIPTIONS, "verbs") as described:
        if name not in described:
            raise ValueError(f"it says nothing of the verb {name!r}")
        verb: Verb = record_of(Verb, described[name], name, _kind, name=name)
    return verb


def described(plugin: Plugin) -> Verb | None:
    """Return the verb that a plugin describes beside its code, importing none of it; None if it describes none.

    Args:
        plugin: what the entry point says.

    Raises:
        ConfigurationError: if the description is malformed, or says nothing of that verb.
    """
    package = package_with(plugin, DESCRIPTIONS)
    return None if package is None else read_verb(package, plugin.name)


def _kind(fact: Any, where: str) -> Kind:
    if isinstance(fact, str) and fact in _KINDS:
        return _KINDS[fact]
    if isinstance(fact, dict) and len(fact) == 1:
        ((kind, argument),) = fact.items()
        if kind == "name_of" and isinstance(argument, str):
            return name_of(argument)
        if kind == "number" and isinstance(argument, list) and len(argument) == 2:
            low, high = argument
            if all(type(one) in (int, float) for one in argument) and low < high:
                return number(low, high)
    raise ValueError(
        f'{where}: expected {", ".join(map(repr, _KINDS))}, {{"number": [0, 1]}} or {{"name_of": "colour"}}, got '
        f"{fact!r:.100}"
    )
