"""Write the names that are public, room by room, into ``tests/api_surface.json``, which a test compares with them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[1]


def public_names() -> dict[str, list[str]]:
    """Return the public names of each room."""
    rooms = ["mbu_ops", *(f"mbu_ops.{room.parent.name}" for room in sorted(ROOT.glob("mbu_ops/*/__init__.py")))]
    return {room: sorted(getattr(importlib.import_module(room), "__all__", [])) for room in rooms}


def main() -> None:
    """Write the file."""
    path = ROOT / "tests" / "api_surface.json"
    path.write_text(json.dumps(public_names(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
