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

FACIAL_HAIR = (
    ("full", "Full beard, short"),
    ("goatee", "Moustache and goatee"),
    ("chin", "Chin beard"),
    ("stubble", "Stubble"),
)
"""Names and titles of the beards that four men wear, see ``guides/CREDITS.md``."""

SMILES = (
    ("wide", "Wide, lips parted, fair skin"),
    ("dark_skin", "Wide, upper teeth, dark skin"),
    ("broad", "Broad, both lips drawn, a man"),
    ("gentle", "Narrow, upper teeth"),
)
"""Names and titles of the smiles of four people, see ``guides/CREDITS.md``."""

_LONDON = "Face Research Lab London Set (DeBruine and Jones 2017), CC BY 4.0; cut to the lower face"

GUIDES = (
    *(
        GuideSpec(
            name,
            title=title,
            attribute="glasses",
            file=f"guides/glasses_{name}.png",
            package="mbu_ops_faces",
            credit="drawn by mbu-ops' own pen; CC0",
            frame="eyes_and_cheeks",
        )
        for name, title in GLASSES
    ),
    *(
        GuideSpec(
            name,
            title=title,
            attribute=attribute,
            file=f"guides/{attribute}_{name}.jpg",
            package="mbu_ops_faces",
            credit=_LONDON,
            frame="lower_face",
        )
        for attribute, known in (("facial_hair", FACIAL_HAIR), ("smile", SMILES))
        for name, title in known
    ),
)
"""All of them, those of an attribute in the order of their numbers."""
