"""Pictures of what can be put on, for those who name no guide of their own. Imports no torch."""

from __future__ import annotations

from mbu_ops.families import GuideSpec

GLASSES = (
    ("square", "Black, square"),
    ("round", "Black, round"),
    ("oval_gold", "Thin gold, oval"),
    ("panto_silver", "Thin silver, panto"),
    ("tortoise", "Tortoise shell, oval"),
    ("rimless", "Rimless"),
    ("half_rim", "Half rims, black"),
    ("round_blue", "Blue, round"),
    ("square_white", "White, square"),
    ("burgundy", "Burgundy, oval"),
    ("clear", "Clear plastic"),
    ("aviator", "Aviators with brown lenses"),
    ("sunglasses_square", "Sunglasses, black and square"),
    ("sunglasses_round", "Sunglasses, black and round"),
)
"""Names and titles of the drawn glasses, see ``tools/draw_guides.py``."""

GUIDES = tuple(
    GuideSpec(
        name,
        title=title,
        attribute="glasses",
        file=f"guides/glasses_{name}.png",
        package="mbu_ops_faces",
        credit="drawn by mbu-ops' own pen; CC0",
        frame="eyes",
    )
    for name, title in GLASSES
)
