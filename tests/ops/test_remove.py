from __future__ import annotations

import torch

from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.look import Look
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import OpTester


class TestRemove(OpTester):
    op_class = Remove
    guides = 0


def test_is_the_papers_formula(model: MBU) -> None:
    image = torch.rand(2, 3, 16, 16)  # the model's own size: no resizing
    mask, raw, *_ = model.remove(image)
    hard = (mask > 0.1).float()
    assert 0 < hard.mean() < 1
    torch.testing.assert_close(
        Remove(model, Look(threshold=0.1, softness=0, dilation=0))(image), hard * raw + (1 - hard) * image
    )


def test_threshold_and_softness(model: MBU) -> None:
    image = torch.rand(1, 3, 30, 30)
    assert torch.equal(Remove(model, Look(threshold=1.0))(image), image)
    small, large = (Remove(model, Look(threshold, 0, 0)).edit(image).mask for threshold in (0.1, 0.6))
    assert set(small.unique().tolist()) == {0.0, 1.0}
    assert (small >= large).all()
    assert small.sum() > large.sum()
    soft = Remove(model, Look(threshold=0.1, softness=0.5, dilation=0)).edit(image).mask
    assert ((soft > 0) & (soft < 1)).any()
    assert torch.equal(soft > 0, small > 0)


def test_mask_is_cut_after_resizing(model: MBU) -> None:
    """Cutting at native size keeps the edge of a hard mask sharp: no stair steps, and no grey in between."""
    image = torch.rand(1, 3, 64, 64)
    mask = Remove(model, Look(threshold=0.1, softness=0, dilation=0)).edit(image).mask
    soft = Segment(model)(image)
    assert torch.equal(mask, (soft > 0.1).float())


def test_the_mask_grows_in_the_models_frame(model: MBU) -> None:
    image = torch.rand(1, 3, 16, 16)
    plain, grown = (
        Remove(model, Look(threshold=0.3, softness=0, dilation=dilation)).edit(image).mask for dilation in (0, 2)
    )
    assert grown.mean() > plain.mean() > 0
    around = torch.nn.functional.max_pool2d(plain, 5, stride=1, padding=2)
    assert torch.equal(grown, around)


def test_detail_of_the_photo_stays_at_sizes_the_networks_do_not_see(model: MBU) -> None:
    small = torch.rand(1, 3, model.config.resolution, model.config.resolution)
    assert torch.equal(Remove(model, Look(detail=0))(small), Remove(model)(small))
    photo = torch.rand(1, 3, 5 * model.config.resolution, 4 * model.config.resolution)
    soft, own = Remove(model, Look(threshold=0, detail=0)).edit(photo), Remove(model, Look(threshold=0)).edit(photo)
    assert torch.equal(soft.mask, own.mask)
    assert not torch.allclose(soft.raw, own.raw, atol=1e-3)
    assert (own.raw - photo).abs().mean() < (soft.raw - photo).abs().mean()
