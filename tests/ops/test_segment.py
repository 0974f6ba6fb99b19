from __future__ import annotations

from mbu_ops.ops.segment import Segment
from mbu_ops.testing import OpTester


class TestSegment(OpTester):
    op_class = Segment
    guides = 0
