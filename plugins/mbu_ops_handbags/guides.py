"""Pictures of handles that can be put on, for those who name no guide of their own. Imports no torch."""

from __future__ import annotations

from mbu_ops.families import GuideSpec

HANDLES = (
    ("black", "Black roll"),
    ("brown", "Brown strap"),
    ("tan_twin", "Two thin tan ones"),
    ("red", "Red, low and wide"),
    ("gold_beads", "Golden beads"),
)
"""Names and titles of the drawn handles, see ``tools/draw_handles.py``."""

GUIDES = tuple(
    GuideSpec(
        name,
        title=title,
        attribute="handle",
        file=f"guides/handle_{name}.png",
        package="mbu_ops_handbags",
        credit="drawn by a script of mbu-ops; CC0",
    )
    for name, title in HANDLES
)
"""All of them, in the order of their numbers."""
