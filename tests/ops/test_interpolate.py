from __future__ import annotations

from typing import Any

import pytest
import torch

from mbu_ops.errors import DeviceError, DTypeError, ShapeError
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.interpolate import Interpolate, mix
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import OpTester


class TestInterpolate(OpTester):
    op_class = Interpolate
    guides = 2
    extra = (0.3,)


class TestInterpolateTensorAmount(OpTester):
    """One amount for each image."""

    op_class = Interpolate
    guides = 2

    def make_inputs(
        self, batch: int = 2, height: int = 24, width: int = 20, dtype: torch.dtype = torch.float32
    ) -> tuple[Any, ...]:
        return *super().make_inputs(batch, height, width, dtype), torch.linspace(0.2, 0.9, batch, dtype=dtype)


@pytest.fixture
def three() -> list[torch.Tensor]:
    return [torch.rand(2, 3, 24, 20), torch.rand(1, 3, 18, 14), torch.rand(1, 3, 12, 30)]


def test_ends_are_the_two_transfers(model: MBU, three: list[torch.Tensor]) -> None:
    image, first, second = three
    op, add = Interpolate(model), Transfer(model)
    assert torch.equal(op(image, first, second, 0.0), add(image, first))
    assert torch.equal(op(image, first, second, 1.0), add(image, second))
    ends = op(image, first, second, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(ends[:1], add(image[:1], first))
    torch.testing.assert_close(ends[1:], add(image[1:], second))


def test_codes_are_mixed(model: MBU, three: list[torch.Tensor]) -> None:
    _, first, second = three
    op, add = Interpolate(model), Transfer(model)
    expected = 0.7 * add.encode(first) + 0.3 * add.encode(second)
    torch.testing.assert_close(op.encode(first, second, 0.3), expected)
    torch.testing.assert_close(op.encode(first, second, torch.tensor(0.3)), expected)


def test_amounts_that_do_not_fit(model: MBU, three: list[torch.Tensor]) -> None:
    op = Interpolate(model)
    with pytest.raises(ShapeError, match="one amount for all images or one for each of the 2, got 3"):
        op(*three, torch.rand(3))
    with pytest.raises(ShapeError, match=r"shape \(B,\), got shape \(2, 1\)"):
        op(*three, torch.rand(2, 1))
    with pytest.raises(DTypeError, match="amount"):
        op(*three, torch.tensor([0, 1]))


def test_codes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="each of the 3, got 2"):
        mix(torch.rand(2, 4, 1, 1), torch.rand(3, 4, 1, 1), 0.5)
    with pytest.raises(ShapeError, match=r"amount.*each of the 3, got 2"):
        mix(torch.rand(3, 4, 1, 1), torch.rand(1, 4, 1, 1), torch.rand(2))
    with pytest.raises(DeviceError, match="second"):
        mix(torch.rand(1, 4, 1, 1), torch.rand(1, 4, 1, 1, device="meta"), 0.5)
