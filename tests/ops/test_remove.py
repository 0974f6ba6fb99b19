from __future__ import annotations

from mbu_ops.ops.remove import Remove
from mbu_ops.testing import OpTester


class TestRemove(OpTester):
    op_class = Remove
    guides = 0
