"""What the tests of plugins share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Install = Callable[..., Path]
"""The type of the ``install`` fixture."""

FAMILY = """
from mbu_ops.families import AttributeSpec, FamilySpec
family = FamilySpec("{name}", title="{name}", attributes=(AttributeSpec("hat", "Hat"),))
"""
