"""Faces: glasses, smiles and facial hair, on square frames cut as from aligned CelebA. Imports no torch."""

from __future__ import annotations

import json
from importlib import resources

from mbu_ops.families import AttributeSpec, FamilySpec, SampleSpec, WeightSpec

MANIFEST = "weights.json"
"""List of the trained weights, written by ``tools/update_weight_specs.py`` from the files themselves."""

_BEARDED = tuple(("Male", "!5_o_Clock_Shadow", sign) for sign in ("Mustache", "Goatee", "!No_Beard"))
_SHAVEN = (("Male", "!5_o_Clock_Shadow", "No_Beard", "!Mustache", "!Goatee"),)


def _weights() -> tuple[WeightSpec, ...]:
    listed = json.loads(resources.files(__name__).joinpath(MANIFEST).read_text(encoding="utf-8"))
    return tuple(
        WeightSpec(
            id=entry["id"],
            method=entry["method"],
            attributes=tuple(entry["attributes"]),
            file=entry["file"],
            sha256=entry["sha256"],
            size=entry["size"],
            licence=entry["licence"],
            metrics=tuple((name, float(value)) for name, value in entry.get("metrics", {}).items()),
        )
        for entry in listed
    )


family = FamilySpec(
    "faces",
    api_version=1,
    title="Faces",
    attributes=(
        AttributeSpec(
            "glasses",
            "Glasses",
            aliases=("eyeglasses", "spectacles"),
            with_rule=(("Eyeglasses",),),
            without_rule=(("!Eyeglasses",),),
            balance=("Male", "Young", "Smiling", "No_Beard"),
            recipe="glasses",
        ),
        AttributeSpec(
            "smile",
            "Smile",
            aliases=("smiling",),
            with_rule=(("Smiling",),),
            without_rule=(("!Smiling",),),
            balance=("Male", "Young", "Eyeglasses", "No_Beard"),
            recipe="smile",
        ),
        AttributeSpec(
            "facial_hair",
            "Facial hair",
            aliases=("beard", "mustache", "goatee"),
            with_rule=_BEARDED,
            without_rule=_SHAVEN,
            balance=("Young", "Smiling", "Eyeglasses"),
            recipe="smile",
        ),
    ),
    weights=_weights(),
    samples=(
        SampleSpec(
            "eileen_collins",
            file="samples/eileen_collins.jpg",
            package=__name__,
            credit="NASA astronaut Eileen Collins; photograph by NASA, public domain",
            box=(145, 25, 315, 195),
            attributes=("smile",),
        ),
    ),
)
"""The family that the entry point names."""
