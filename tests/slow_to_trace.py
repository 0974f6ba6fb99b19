"""Op classes of networks whose graphs take many seconds to trace, which default runs leave out."""

from __future__ import annotations

import pytest

from mbu_ops.testing import OpTester


class SlowToExport(OpTester):
    """All of the list, of which what exports is slow; ``tests/exporting`` exports the same."""

    @pytest.mark.slow
    def test_export(self) -> None:
        super().test_export()


class SlowToTrace(SlowToExport):
    """All of the list, of which what compiles is slow, too: another verb of the same networks is compiled."""

    @pytest.mark.slow
    def test_compile(self) -> None:
        super().test_compile()
