from __future__ import annotations

from mbu_ops.ops.interpolate import Interpolate
from mbu_ops.testing import OpTester


class TestInterpolate(OpTester):
    op_class = Interpolate
    guides = 2
    extra = (0.3,)
