from __future__ import annotations

from mbu_ops.ops.swap import Swap
from mbu_ops.testing import OpTester


class TestSwap(OpTester):
    op_class = Swap
    guides = 1
