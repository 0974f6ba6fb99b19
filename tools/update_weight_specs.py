"""Bring a family's weights manifest up to date with the packaged weights files: run it whenever one changes.

    python tools/update_weight_specs.py

Every ``FAMILY-ATTRIBUTE-ID.safetensors`` is checked in full, then listed with its size and digest. The order of a
manifest is kept (the first entry of an attribute is its default); measured figures are kept while the file is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from mbu_ops import weights
from mbu_ops.errors import MBUOpsError, WeightsError
from mbu_ops.files import atomic_path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Update one manifest and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="faces")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "checkpoints" / "mbu_ops_checkpoints")
    parser.add_argument("--manifest", type=Path, help="default: weights.json of the family's plugin")
    arguments = parser.parse_args()
    manifest = arguments.manifest or ROOT / "plugins" / f"mbu_ops_{arguments.family}" / "weights.json"
    before = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else []
    try:
        entries = [entry(path, arguments.family) for path in sorted(arguments.checkpoints.glob("*.safetensors"))]
    except MBUOpsError as error:
        print(error, file=sys.stderr)
        return 1
    listed = merge(before, [found for found in entries if found])
    with atomic_path(manifest) as temporary:
        temporary.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    for found in listed:
        print(
            f"{arguments.family}/{found['attributes'][0]}/{found['id']}: {found['file']}, {found['size'] / 1e6:.1f} MB"
        )
    print(f"{manifest}: {len(listed)} weights")
    return 0


def entry(path: Path, family: str) -> dict[str, Any] | None:
    """Return a file's manifest entry, or None if it belongs to another family.

    Raises:
        WeightsError: if the file is not sound, or is named otherwise than it describes itself.
    """
    info = weights.verify(path)
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


def merge(before: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries found, in the order they had, with the figures of files that did not change."""
    order = [old["file"] for old in before]
    figures = {old["sha256"]: old.get("metrics", {}) for old in before}
    ranked = sorted(found, key=lambda new: order.index(new["file"]) if new["file"] in order else len(order))
    return [new | {"metrics": figures.get(new["sha256"], {})} for new in ranked]


if __name__ == "__main__":
    sys.exit(main())
