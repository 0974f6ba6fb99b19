"""Bring a family's weights manifest up to date with the packaged weights files: run it whenever one changes.

    python tools/update_weight_specs.py

Every ``FAMILY-ATTRIBUTE-ID.safetensors`` is checked in full, then listed with its size and digest. The order of a
manifest is kept (the first entry of an attribute is its default); measured figures are kept while the file is the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mbu_ops.errors import MBUOpsError
from mbu_ops.weights.manifest import update_manifest

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Update one manifest and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="faces")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "checkpoints" / "mbu_ops_checkpoints")
    parser.add_argument("--manifest", type=Path, help="default: weights.json of the family's plugin")
    arguments = parser.parse_args()
    manifest = arguments.manifest or ROOT / "plugins" / f"mbu_ops_{arguments.family}" / "weights.json"
    try:
        listed = update_manifest(manifest, arguments.checkpoints.glob("*.safetensors"), arguments.family, complete=True)
    except MBUOpsError as error:
        print(error, file=sys.stderr)
        return 1
    for found in listed:
        print(
            f"{arguments.family}/{found['attributes'][0]}/{found['id']}: {found['file']}, {found['size'] / 1e6:.1f} MB"
        )
    print(f"{manifest}: {len(listed)} weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
