"""A family written down as data beside its code, so that it is known without running any of it. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.discovery import Plugin
from mbu_ops.families.manifest import MANIFEST, read_manifest
from mbu_ops.families.packaged import package_files
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
    where = f"{package}/{DESCRIPTION}"
    folder = package_files(package)
    path = folder.joinpath(DESCRIPTION)
    try:
        text = read_regular(path, _LONGEST) if isinstance(path, Path) else path.read_bytes()
        facts = parse_object(text)
        weights_package = facts.pop(_WEIGHTS_PACKAGE, package)
        if "weights" in facts or not isinstance(weights_package, str):
            raise ValueError(f"weights stand in {MANIFEST}, and their package in {_WEIGHTS_PACKAGE}")
        listed = folder.joinpath(MANIFEST).is_file()
        family: FamilySpec = _built(
            FamilySpec, facts, "family", weights=read_manifest(package, weights_package) if listed else ()
        )
        return family
    except FileNotFoundError:
        raise ConfigurationError(f"expected a description of a family in {where}: no such file") from None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{where}: {error}") from error


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
    facts = _plain(family)
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
    package = plugin.target.partition(":")[0].partition(".")[0]
    try:
        if not package_files(package, without_import=True).joinpath(DESCRIPTION).is_file():
            return None
    except Exception:  # whoever imports it tells what is wrong with it
        return None
    family = read_family(package)
    if family.name != plugin.name:
        raise ConfigurationError(f"the entry point is named {plugin.name!r} and {DESCRIPTION} says {family.name!r}")
    return family


def _built(kind: Any, facts: Any, where: str, **more: Any) -> Any:
    """Return a spec of plain facts, each of which has the type that the spec's field says."""
    if not isinstance(facts, dict):
        raise ValueError(f"{where}: expected an object, got {facts!r:.100}")
    kinds = get_type_hints(kind)
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}
    if strange := sorted(set(facts) - set(known)):
        raise ValueError(f"{where}: {strange[0]!r:.100} is no field; there are {', '.join(known)}")
    missing = [name for name, field in known.items() if _default(field) is MISSING and name not in facts]
    if missing:
        raise ValueError(f"{where}: {missing[0]} is missing")
    return kind(**{name: _value(kinds[name], value, f"{where}: {name}") for name, value in facts.items()}, **more)


def _value(kind: Any, value: Any, where: str) -> Any:
    arguments = get_args(kind)
    if type(None) in arguments:  # one other kind, or None
        return None if value is None else _value(arguments[0], value, where)
    if get_origin(kind) is tuple:
        kinds: Sequence[Any] = arguments
        if not isinstance(value, list):
            raise ValueError(f"{where}: expected a list, got {value!r:.100}")
        if arguments[-1] is Ellipsis:
            kinds = list(repeat(arguments[0], len(value)))
        if len(kinds) != len(value):
            raise ValueError(f"{where}: expected a list of {len(kinds)}, got {value!r:.100}")
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(_value(one, each, f"{where}[{number}]") for number, (one, each) in pairs)
    if is_dataclass(kind):
        return _built(kind, value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{where}: expected {kind.__name__}, got {value!r:.100}")
    return value


def _plain(value: Any) -> Any:
    """Return a spec as what JSON can hold, without what is the default."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if not is_dataclass(value):
        return value
    facts = {field.name: (getattr(value, field.name), _default(field)) for field in fields(value)}
    return {name: _plain(one) for name, (one, usual) in facts.items() if usual is MISSING or one != usual}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
