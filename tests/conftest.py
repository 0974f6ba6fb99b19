"""Fixtures that several test folders share."""

from __future__ import annotations

import pytest
import torch

from mbu_ops.methods.mbu import MBU

pytest.register_assert_rewrite("mbu_ops.testing.op_tester")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def model() -> MBU:
    """A tiny MBU network in eval mode."""
    from mbu_ops.testing import tiny_mbu

    return tiny_mbu()
