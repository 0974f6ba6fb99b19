"""A kit to test ops with, for this library and for plugins: a tiny network, and every promise an op makes.

Importing it needs pytest; nothing else in the library does.
"""

from mbu_ops.testing.op_tester import OpTester
from mbu_ops.testing.tiny import tiny_mbu

__all__ = ["OpTester", "tiny_mbu"]
