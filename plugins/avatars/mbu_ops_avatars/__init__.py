"""Avatars: drawn people with and without glasses, a beard or a smile. Imports neither torch nor the drawing."""

from __future__ import annotations

from mbu_ops.families import AttributeSpec, FamilySpec, FrameSpec, read_manifest

family = FamilySpec(
    "avatars",
    api_version=1,
    title="Avatars",
    attributes=(
        AttributeSpec("glasses", "Glasses", aliases=("eyeglasses", "spectacles")),
        AttributeSpec("beard", "Beard", aliases=("facial_hair",)),
        AttributeSpec("smile", "Smile", aliases=("smiling",)),
    ),
    frames=(FrameSpec("avatar"),),
    noun="face",
    weights=read_manifest(__name__),
    pictures="mbu_ops_avatars.drawing:draw",
)
"""The family that the entry point names."""
