from __future__ import annotations

import torch

from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.swap import Swap
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import OpTester


class TestSwap(OpTester):
    op_class = Swap
    guides = 1


def test_is_transfer_after_remove(model: MBU) -> None:
    image, guide = torch.rand(2, 3, 30, 20), torch.rand(1, 3, 20, 20)
    removed = Remove(model).edit(image)
    added = Transfer(model).edit(removed.image, guide)
    edit = Swap(model).edit(image, guide)
    assert torch.equal(edit.image, added.image)
    torch.testing.assert_close(1 - edit.mask, (1 - removed.mask) * (1 - added.mask))


def test_threshold_is_the_transfers(model: MBU) -> None:
    image, guide = torch.rand(1, 3, 20, 20), torch.rand(1, 3, 20, 20)
    assert torch.equal(Swap(model, threshold=1.0)(image, guide), Remove(model)(image))
