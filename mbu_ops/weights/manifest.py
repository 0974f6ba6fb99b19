"""Bring a plugin's list of weights up to date with its weights files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbu_ops.errors import WeightsError
from mbu_ops.files import atomic_path, read_text, sha256_of
from mbu_ops.weights.store import verify


def update_manifest(
    manifest: Path, files: Iterable[Path], family: str, *, complete: bool = False
) -> list[dict[str, Any]]:
    """Write the manifest of a family's weights files, each of which is checked in full first.

    What somebody decided is kept: the order of the manifest (the first entry of an attribute is its default), and
    ``first_for``, the verbs for which another one comes first. Measured figures are kept while a file is the same.
    Files of other families are left out.

    Args:
        manifest: the ``weights.json`` to write; need not exist.
        files: the weights files.
        family: name of the family.
        complete: whether these are all of the family's files, so that entries of others leave the list.

    Returns:
        The entries written.

    Raises:
        WeightsError: if a file is not sound, is named otherwise than it describes itself, or the manifest is malformed;
            nothing is written then.
    """
    entries = [entry for path in sorted(files) if (entry := manifest_entry(path, family))]
    before = _read(manifest)
    listed = _merge(before, entries)
    if complete:
        found = {entry["file"] for entry in entries}
        listed = [entry for entry in listed if entry["file"] in found]
    _write(manifest, listed)
    return listed


def weights_stem(family: str, attributes: Sequence[str]) -> str:
    """Return how the names of a family's weights files begin: with what they edit, where that is one or two.

    Example:
        >>> weights_stem("faces", ["smile"]), weights_stem("faces", ["hair", "nose", "skin"])
        ('faces-smile', 'faces')
    """
    return "-".join([family, *(attributes if len(attributes) <= 2 else ())])


def manifest_entry(path: Path, family: str) -> dict[str, Any] | None:
    """Return a file's manifest entry, or None if it belongs to another family.

    Raises:
        WeightsError: if the file is not sound, or is named otherwise than it describes itself.
    """
    from mbu_ops.methods import get_method

    info = verify(path)
    if info.family != family:
        return None
    prefix = f"{weights_stem(family, info.attributes)}-"
    if not info.attributes or not path.stem.startswith(prefix) or path.stem == prefix:
        raise WeightsError(f"{path}: expected a file named {prefix}ID.safetensors, as its description says")
    method = get_method(info.method).info
    return {
        "id": path.stem.removeprefix(prefix),
        "method": info.method,
        "attributes": list(info.attributes),
        "file": path.name,
        "sha256": sha256_of(path),
        "size": path.stat().st_size,
        "licence": info.licence,
        "verbs": sorted(method.verbs),
        "metrics": {},
        **({} if info.frame is None else {"frame": info.frame}),
        **({} if method.follows_guides else {"follows_guides": False}),
    }


def listed_entry(manifest: Path, measured: Path) -> dict[str, Any]:
    """Return the entry of the very file that was measured.

    Raises:
        WeightsError: if the manifest is malformed or does not list it.
    """
    digest = sha256_of(measured)
    for entry in _read(manifest):
        if entry["sha256"] == digest:
            return entry
    raise WeightsError(f"{manifest}: it does not list {str(measured)!r}; figures belong to the file they were taken of")


def record_metrics(manifest: Path, measured: Path, metrics: Mapping[str, float]) -> None:
    """Write measured figures into the entry of the file that was measured.

    Raises:
        WeightsError: if the manifest is malformed or does not list it.
    """
    entry = listed_entry(manifest, measured) | {"metrics": {name: round(value, 3) for name, value in metrics.items()}}
    _write(manifest, [entry if old["sha256"] == entry["sha256"] else old for old in _read(manifest)])


def _write(manifest: Path, listed: list[dict[str, Any]]) -> None:
    with atomic_path(manifest) as temporary:
        temporary.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def _read(manifest: Path) -> list[dict[str, Any]]:
    if not manifest.exists():
        return []
    try:
        listed: list[dict[str, Any]] = json.loads(read_text(manifest))
        for entry in listed:
            entry["file"], entry["sha256"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"{manifest}: expected a list of weights, got {type(error).__name__}: {error}; mend or remove it"
        ) from error
    return listed


def _merge(before: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    figures = {old["sha256"]: old.get("metrics", {}) for old in before}
    first = {old["file"]: old["first_for"] for old in before if old.get("first_for")}
    fresh = {
        new["file"]: new
        | {"metrics": figures.get(new["sha256"], {})}
        | ({"first_for": first[new["file"]]} if new["file"] in first else {})
        for new in found
    }
    return [fresh.pop(old["file"], old) for old in before] + list(fresh.values())
