"""The families of this distribution keep the contract that every plugin must."""

from __future__ import annotations

from mbu_ops.testing import FamilyTester


class TestFaces(FamilyTester):
    family = "faces"


class TestHandbags(FamilyTester):
    family = "handbags"
