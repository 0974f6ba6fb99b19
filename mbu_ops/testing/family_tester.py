"""Every promise a family's plugin makes, as one pytest class to inherit from."""
# ruff: noqa: S101

from __future__ import annotations

from typing import ClassVar

import pytest

from mbu_ops.families import get_family
from mbu_ops.testing.contract import CHECKS


class FamilyTester:
    """Inherit from this, name the family, and pytest runs the whole list against the installed plugin.

    Attributes:
        family: name of the family under test.

    Example:
        >>> class TestFaces(FamilyTester):
        ...     family = "faces"
        >>> TestFaces().test_contract("attributes")
    """

    family: ClassVar[str]

    @pytest.mark.parametrize("check", list(CHECKS))
    def test_contract(self, check: str) -> None:
        """The plugin keeps to the contract; what is wrong is listed."""
        assert CHECKS[check](get_family(self.family)) == []
