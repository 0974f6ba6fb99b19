"""Bring a plugin's list of weights up to date with its weights files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mbu_ops.errors import WeightsError
from mbu_ops.files import atomic_path
from mbu_ops.weights.store import verify


def update_manifest(manifest: Path, files: Iterable[Path], family: str) -> list[dict[str, Any]]:
    """Write the manifest of a family's weights files, each of which is checked in full first.

    The order of the manifest is kept (the first entry of an attribute is its default), and so are measured figures
    while a file is the same. Files of other families are left out.

    Args:
        manifest: the ``weights.json`` to write; need not exist.
        files: the weights files.
        family: name of the family.

    Returns:
        The entries written.

    Raises:
        WeightsError: if a file is not sound, is named otherwise than it describes itself, or the manifest is malformed;
            nothing is written then.
    """
    entries = [entry for path in sorted(files) if (entry := manifest_entry(path, family))]
    listed = _merge(_read(manifest), entries)
    _write(manifest, listed)
    return listed


def manifest_entry(path: Path, family: str) -> dict[str, Any] | None:
    """Return a file's manifest entry, or None if it belongs to another family.

    Raises:
        WeightsError: if the file is not sound, or is named otherwise than it describes itself.
    """
    info = verify(path)
    if info.family != family:
        return None
    prefix = "-".join([family, *info.attributes, ""])
    if not info.attributes or not path.stem.startswith(prefix) or path.stem == prefix:
        raise WeightsError(f"{path}: expected a file named {prefix}ID.safetensors, as its description says")
    content = path.read_bytes()
    return {
        "id": path.stem.removeprefix(prefix),
        "method": info.method,
        "attributes": list(info.attributes),
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "licence": info.licence,
        "metrics": {},
    }


def record_metrics(manifest: Path, attribute: str, metrics: Mapping[str, float]) -> None:
    """Write measured figures into the first entry of an attribute, which is its default.

    Raises:
        WeightsError: if the manifest is malformed or lists no weights of the attribute.
    """
    listed = _read(manifest)
    first = next((entry for entry in listed if attribute in entry.get("attributes", ())), None)
    if first is None:
        raise WeightsError(f"{manifest}: it lists no weights of {attribute!r}")
    first["metrics"] = {name: round(value, 3) for name, value in metrics.items()}
    _write(manifest, listed)


def _write(manifest: Path, listed: list[dict[str, Any]]) -> None:
    with atomic_path(manifest) as temporary:
        temporary.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def _read(manifest: Path) -> list[dict[str, Any]]:
    if not manifest.exists():
        return []
    try:
        listed: list[dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))
        for entry in listed:
            entry["file"], entry["sha256"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"{manifest}: expected a list of weights, got {type(error).__name__}: {error}; mend or remove it"
        ) from error
    return listed


def _merge(before: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = [old["file"] for old in before]
    figures = {old["sha256"]: old.get("metrics", {}) for old in before}
    ranked = sorted(found, key=lambda new: order.index(new["file"]) if new["file"] in order else len(order))
    return [new | {"metrics": figures.get(new["sha256"], {})} for new in ranked]
