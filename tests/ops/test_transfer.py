from __future__ import annotations

from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import OpTester


class TestTransfer(OpTester):
    op_class = Transfer
    guides = 1
