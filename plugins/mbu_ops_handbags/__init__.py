"""Handbags, as shops photograph them on white: their handles. Imports no torch."""

from __future__ import annotations

from mbu_ops.families import AttributeSpec, FamilySpec, FrameSpec, Layout, read_manifest
from mbu_ops_handbags.guides import GUIDES

family = FamilySpec(
    "handbags",
    api_version=1,
    title="Handbags",
    attributes=(
        AttributeSpec(
            "handle",
            "Handle",
            aliases=("handles", "strap"),
            # a bag with a handle fills the picture's height and narrows towards its top; a clutch is a box that lies
            # across the middle: within these ranges their bodies have the same sizes, places and outlines
            with_layout=Layout(
                width=(0.9, 1.15), height=(0.75, 1.02), right=(-0.05, 0.05), down=(-0.08, 0.01), warp=0.02
            ),
            without_layout=Layout(
                width=(0.65, 1.1),
                height=(0.85, 1.35),
                right=(-0.05, 0.05),
                down=(0.0, 0.2),
                taper=(0.0, 0.8),
                warp=0.02,
            ),
        ),
    ),
    frames=(FrameSpec("bag"),),
    noun="bag",
    guides=GUIDES,
    weights=read_manifest(__name__, "mbu_ops_checkpoints"),
    masks="mbu_ops_handbags.silhouette:handle_masks",
)
"""The family that the entry point names."""
