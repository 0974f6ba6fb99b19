"""A kit to test ops and families with, for this library and for plugins: tiny networks, and every promise made.

The two test classes need pytest; nothing else in the library does.
"""

from typing import TYPE_CHECKING

from mbu_ops._lazy import lazy_exports

if TYPE_CHECKING:
    from mbu_ops.testing.family_tester import FamilyTester
    from mbu_ops.testing.op_tester import OpTester
    from mbu_ops.testing.tiny import (
        tiny_didd,
        tiny_maae,
        tiny_mbu,
        tiny_native,
        tiny_native_dial,
        tiny_native_guided,
        tiny_parsing,
        tiny_portrait,
        tiny_presence,
    )
else:
    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "FamilyTester": "mbu_ops.testing.family_tester",
            "OpTester": "mbu_ops.testing.op_tester",
            "tiny_didd": "mbu_ops.testing.tiny",
            "tiny_maae": "mbu_ops.testing.tiny",
            "tiny_mbu": "mbu_ops.testing.tiny",
            "tiny_native": "mbu_ops.testing.tiny",
            "tiny_native_dial": "mbu_ops.testing.tiny",
            "tiny_native_guided": "mbu_ops.testing.tiny",
            "tiny_parsing": "mbu_ops.testing.tiny",
            "tiny_portrait": "mbu_ops.testing.tiny",
            "tiny_presence": "mbu_ops.testing.tiny",
        },
        globals(),
    )

__all__ = [
    "FamilyTester",
    "OpTester",
    "tiny_didd",
    "tiny_maae",
    "tiny_mbu",
    "tiny_native",
    "tiny_native_dial",
    "tiny_native_guided",
    "tiny_parsing",
    "tiny_portrait",
    "tiny_presence",
]
