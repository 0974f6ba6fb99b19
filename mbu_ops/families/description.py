"""A family written down as data beside its code, so that it is known without running any of it. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.discovery import Plugin
from mbu_ops.families.manifest import MANIFEST, read_manifest
from mbu_ops.families.packaged import package_files
from mbu_ops.families.records import facts_of, record_of
from mbu_ops.families.spec import FamilySpec
from mbu_ops.files import read_regular
from mbu_ops.foreign import parse_object

DESCRIPTION = "family.json"
"""Name of the description in a plugin's package."""

_LONGEST = 4 << 20
_WEIGHTS_PACKAGE = "weights_package"


def read_family(package: str) -> FamilySpec:
    """Return the family that a package describes in its ``family.json``, with the weights that it lists.

    The file holds an object with the fields of a :class:`FamilySpec`; tuples are lists, other specs are objects, and
    what is left out has its default. Weights stand in ``weights.json``, see :func:`read_manifest`;
    ``"weights_package"`` says where their files are, if not in this package.

    A plugin whose family is read so is listed, and completed in shells, without its code being imported.

    Args:
        package: importable package that holds the file, mostly the plugin's ``__name__``.

    Raises:
        ConfigurationError: if the file is missing or malformed.

    Example:
        >>> read_family("mbu_ops_faces")  # which is written in Python
        Traceback (most recent call last):
        mbu_ops.errors.ConfigurationError: expected a description of a family in mbu_ops_faces/family.json: no such file
    """
    with describing(package, DESCRIPTION, "a family") as facts:
        weights_package = facts.pop(_WEIGHTS_PACKAGE, package)
        if "weights" in facts or not isinstance(weights_package, str):
            raise ValueError(f"weights stand in {MANIFEST}, and their package in {_WEIGHTS_PACKAGE}")
        listed = package_files(package).joinpath(MANIFEST).is_file()
        family: FamilySpec = record_of(
            FamilySpec, facts, "family", weights=read_manifest(package, weights_package) if listed else ()
        )
    return family


@contextmanager
def describing(package: str, file: str, what: str) -> Iterator[dict[str, Any]]:
    """Read a description, and say where it stands of whatever is found wrong with it.

    Args:
        package: importable package that holds the file.
        file: its name.
        what: what it describes, for messages.

    Yields:
        The object that it holds.

    Raises:
        ConfigurationError: if it is missing, no object, or a ValueError, TypeError or OSError is raised meanwhile.
    """
    where = f"{package}/{file}"
    path = package_files(package).joinpath(file)
    try:
        yield parse_object(read_regular(path, _LONGEST) if isinstance(path, Path) else path.read_bytes())
    except FileNotFoundError:
        raise ConfigurationError(f"expected a description of {what} in {where}: no such file") from None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{where}: {error}") from error


def package_with(plugin: Plugin, file: str) -> str | None:
    """Return the package in which a plugin has a file beside its code, importing none of it; None if it has none.

    Args:
        plugin: what the entry point says.
        file: the file's name.
    """
    package = plugin.target.partition(":")[0].partition(".")[0]
    try:
        return package if package_files(package, without_import=True).joinpath(file).is_file() else None
    except Exception:  # whoever imports it tells what is wrong with it
        return None


def family_json(family: FamilySpec) -> str:
    """Return a family as the text of its ``family.json``, all but the weights.

    Args:
        family: the family.

    Example:
        >>> print(family_json(FamilySpec("pets", title="Pets")), end="")
        {
          "name": "pets",
          "api_version": 1,
          "title": "Pets"
        }
    """
    facts = facts_of(family)
    facts.pop("weights", None)
    packages = {spec.package for spec in family.weights}
    if len(packages) == 1:
        facts[_WEIGHTS_PACKAGE] = packages.pop()
    ordered = {"name": family.name, "api_version": family.api_version} | facts
    return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"


def described(plugin: Plugin) -> FamilySpec | None:
    """Return the family that a plugin describes beside its code, importing none of it; None if it describes none.

    Args:
        plugin: what the entry point says.

    Raises:
        ConfigurationError: if the description is malformed, or one of another family.
    """
    package = package_with(plugin, DESCRIPTION)
    if package is None:
        return None
    family = read_family(package)
    if family.name != plugin.name:
        raise ConfigurationError(f"the entry point is named {plugin.name!r} and {DESCRIPTION} says {family.name!r}")
    return family
