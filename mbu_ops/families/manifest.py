"""The list of trained weights that a plugin keeps beside its code, so that nobody types digests. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.packaged import package_files
from mbu_ops.families.spec import WeightSpec

MANIFEST = "weights.json"
"""Name of the list in a plugin's package; ``mbu-ops train --family-out`` writes it."""


def read_manifest(package: str, weights_package: str | None = None) -> tuple[WeightSpec, ...]:
    """Return the weights that a plugin's manifest lists, in its order.

    The first of an attribute is its default, but for the verbs that another one is ``first_for``.

    Args:
        package: importable package that holds the manifest, mostly the plugin's ``__name__``.
        weights_package: importable package that holds the weights files; the same one by default.

    Raises:
        ConfigurationError: if the manifest is missing or malformed.

    Example:
        >>> {spec.attributes for spec in read_manifest("mbu_ops_faces", "mbu_ops_checkpoints")} >= {("glasses",)}
        True
    """
    where = f"{package}/{MANIFEST}"
    try:
        entries = json.loads(package_files(package).joinpath(MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"expected a list of weights in {where}: {type(error).__name__}: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(f"expected a list of objects in {where}")
    return tuple(_spec(where, entry, weights_package or package) for entry in entries)


def _spec(where: str, entry: Mapping[str, Any], package: str) -> WeightSpec:
    try:
        return WeightSpec(
            id=entry["id"],
            method=entry["method"],
            attributes=tuple(entry["attributes"]),
            file=entry["file"],
            sha256=entry["sha256"],
            size=entry["size"],
            licence=entry["licence"],
            package=package,
            verbs=tuple(entry.get("verbs", ())),
            frame=entry.get("frame"),
            first_for=tuple(entry.get("first_for", ())),
            follows_guides=entry.get("follows_guides", True),
            metrics=tuple((name, float(value)) for name, value in entry.get("metrics", {}).items()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{where}: malformed entry: {type(error).__name__}: {error}") from error
