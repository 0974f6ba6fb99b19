"""The nineteen parts of a face picture, as CelebAMask-HQ numbers them, and the components they make up.

Left and right are the person's own. Components are those of *Mask-Guided Portrait Editing* (Gu et al., CVPR 2019),
whose masks know eleven parts: ears and brows go with the skin; glasses, hats and jewellery, the neck and clothes stay
with the picture, as its background does.
"""

from __future__ import annotations

from mbu_ops.families import Anatomy, ComponentSpec, PartSpec

PARTS = (
    PartSpec("background", "Background", (0, 0, 0)),
    PartSpec("skin", "Skin", (240, 190, 150), component="skin"),
    PartSpec("nose", "Nose", (205, 130, 80), component="skin"),
    PartSpec("glasses", "Glasses", (255, 255, 0)),
    PartSpec("left_eye", "Left eye", (0, 80, 255), mirror="right_eye", component="left_eye"),
    PartSpec("right_eye", "Right eye", (0, 200, 255), mirror="left_eye", component="right_eye"),
    PartSpec("left_brow", "Left eyebrow", (90, 50, 150), mirror="right_brow", component="skin"),
    PartSpec("right_brow", "Right eyebrow", (150, 100, 220), mirror="left_brow", component="skin"),
    PartSpec("left_ear", "Left ear", (0, 120, 60), mirror="right_ear", component="skin"),
    PartSpec("right_ear", "Right ear", (80, 200, 120), mirror="left_ear", component="skin"),
    PartSpec("inner_mouth", "Inside of the mouth", (255, 255, 255), component="mouth"),
    PartSpec("upper_lip", "Upper lip", (220, 0, 60), component="mouth"),
    PartSpec("lower_lip", "Lower lip", (255, 90, 130), component="mouth"),
    PartSpec("hair", "Hair", (120, 60, 20), component="hair"),
    PartSpec("hat", "Hat", (255, 140, 0)),
    PartSpec("earring", "Earring", (255, 0, 255)),
    PartSpec("necklace", "Necklace", (180, 180, 0)),
    PartSpec("neck", "Neck", (160, 110, 120)),
    PartSpec("cloth", "Clothes", (110, 120, 130)),
)
"""Numbered from 0, in this order."""

ANATOMY = Anatomy(
    PARTS,
    components=(
        ComponentSpec("left_eye", "eyes", width=48 / 256, height=32 / 256),
        ComponentSpec("right_eye", "eyes", width=48 / 256, height=32 / 256),
        ComponentSpec("mouth", "mouth", width=144 / 256, height=80 / 256),
        ComponentSpec("skin", "skin"),
        ComponentSpec("hair", "hair"),
    ),
    whole="face",
)
"""The parts and the paper's five components, whose crops have the sizes of its section 4."""
