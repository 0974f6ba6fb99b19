"""Faces: glasses, smiles, facial hair and hair, on frames cut as from aligned CelebA. Imports no torch."""

from __future__ import annotations

from mbu_ops.families import AttributeSpec, FamilySpec, FrameSpec, SampleSpec, read_manifest
from mbu_ops_faces.guides import GUIDES
from mbu_ops_faces.parts import ANATOMY

_BEARDED = tuple(("Male", "!5_o_Clock_Shadow", sign) for sign in ("Mustache", "Goatee", "!No_Beard"))
_SHAVEN = (("Male", "!5_o_Clock_Shadow", "No_Beard", "!Mustache", "!Goatee"),)

# the face is (4, 36, 174, 206) of CelebA's aligned 178x218 pixels, whose pupils lie near (69, 111) and (109, 111)
_PUPILS = 40 / 170
"""How far apart the pupils are, in sides of the face."""
_ROUND, _ROUND_BELOW = 0.76, 1.7
"""1 / radius of a face about an upright axis, in 1 / distances of the pupils: as glasses lie before it, and of jaws.

The second one was measured on 500 photos, by how far jaws and corners of mouths lie back when heads turn.
"""
_FRAMES = (
    FrameSpec("face", curvature=_ROUND / _PUPILS),
    FrameSpec("eyes", within="face", y=75 / 170, width=2.6 * _PUPILS, height=1.1 * _PUPILS, curvature=2.6 * _ROUND),
    # large lenses reach below the eyes' frame: what ends at a border leaves a line there
    FrameSpec(
        "eyes_and_cheeks", within="face", y=0.476, width=2.6 * _PUPILS, height=4.4 / 3 * _PUPILS, curvature=2.6 * _ROUND
    ),
    # from the middle of the nose to below the chin, beards included
    FrameSpec(
        "lower_face", within="face", y=0.7, width=2.2 * _PUPILS, height=1.65 * _PUPILS, curvature=2.2 * _ROUND_BELOW
    ),
    # all of the aligned picture: no training picture shows more hair
    FrameSpec("head", within="face", y=73 / 170, width=178 / 170, height=218 / 170),
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
        AttributeSpec(
            "hair_women",
            "Hair, women: black instead of blond",
            with_rule=(("!Male", "Black_Hair", "!Blond_Hair"),),
            without_rule=(("!Male", "Blond_Hair", "!Black_Hair"),),
            balance=("Young", "Smiling", "Eyeglasses"),
            recipe="hair_women",
        ),
        AttributeSpec(
            "hair_men",
            "Hair, men: hair instead of a bald head",
            with_rule=(("Male", "!Bald", "!Wearing_Hat", "!Young"),),
            without_rule=(("Male", "Bald", "!Wearing_Hat", "!Receding_Hairline", "!Gray_Hair"),),
            balance=("Smiling", "Eyeglasses", "No_Beard"),
            recipe="hair_men",
        ),
        AttributeSpec("face", "Face with its hair"),
        AttributeSpec("eyes", "Eyes"),
        AttributeSpec("mouth", "Mouth", aliases=("lips",)),
        *(AttributeSpec(part.name, part.title) for part in ANATOMY.parts if part.name != "glasses"),
    ),
    anatomy=ANATOMY,
    frames=_FRAMES,
    noun="face",
    pen="mbu_ops_faces.pen:draw",
    hides="mbu_ops_faces.lenses:hides",
    bends="mbu_ops_faces.expression:bends",
    weights=read_manifest(__name__, "mbu_ops_checkpoints"),
    guides=GUIDES,
    aligner="mbu_ops_faces.aligner:pretrained",
    small_aligner="mbu_ops_faces.aligner:pretrained_for_small",
    regions="mbu_ops_faces.regions:regions",
    identity="mbu_ops.evaluation.networks.face_descriptor:pretrained",
    judges="mbu_ops_faces.judges:packaged",
    samples=(
        SampleSpec(
            "eileen_collins",
            file="samples/eileen_collins.jpg",
            package=__name__,
            credit="NASA astronaut Eileen Collins; photograph by NASA, public domain",
            box=(141, 22, 321, 202),
            attributes=("smile",),
        ),
    ),
)
"""The family that the entry point names."""
