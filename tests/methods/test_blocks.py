"""Batch norm that knows images with the content from the rest."""

from __future__ import annotations

import torch

from mbu_ops.methods.blocks import DomainBatchNorm2d, downsampling_stack
from mbu_ops.methods.mbu import MBU, MBUConfig


def test_training_uses_the_batch_whatever_it_shows() -> None:
    norm, plain = DomainBatchNorm2d(3).train(), torch.nn.BatchNorm2d(3).train()
    batch = torch.randn(4, 3, 5, 5) * 3 + 1
    torch.testing.assert_close(norm(batch, content=True), plain(batch))
    torch.testing.assert_close(norm.running_mean, plain.running_mean)


def test_evaluation_chooses_the_statistics() -> None:
    norm = DomainBatchNorm2d(3).eval()
    norm.running_mean.fill_(1.0)
    norm.content_mean.fill_(2.0)
    batch = torch.zeros(1, 3, 2, 2)
    torch.testing.assert_close(norm(batch), torch.full_like(batch, -1.0), rtol=1e-4, atol=0)
    torch.testing.assert_close(norm(batch, content=True), torch.full_like(batch, -2.0), rtol=1e-4, atol=0)


def test_a_stack_tells_every_norm() -> None:
    stack = downsampling_stack(3, (4, 5)).eval()
    image = torch.rand(1, 3, 8, 8)
    assert torch.equal(stack(image), stack(image, content=True))
    stack[4].content_mean.fill_(1.0)
    assert not torch.equal(stack(image), stack(image, content=True))


def test_measured_statistics_are_those_of_training_mode() -> None:
    """On the images that were measured, evaluation then equals training mode, in which each domain is alone."""
    torch.manual_seed(0)
    model = MBU(MBUConfig(16, (4, 8, 12), (4, 8), 3)).train()
    images = torch.rand(32, 3, 16, 16)
    with torch.no_grad():
        trained = model.remove(images)
    mixed = {key: value.clone() for key, value in model.state_dict().items() if "running" in key}
    model.eval()
    assert not torch.allclose(model.remove(images).bias, trained.bias, atol=1e-3)
    model.measure_content([images])
    assert all(torch.equal(model.state_dict()[key], value) for key, value in mixed.items())
    torch.testing.assert_close(model.remove(images).bias, trained.bias, atol=5e-3, rtol=0)
    torch.testing.assert_close(model.segment(images), trained.mask, atol=5e-3, rtol=0)


def test_several_batches_are_averaged() -> None:
    norm = DomainBatchNorm2d(1)
    norm.measured = 0
    for value in (1.0, 3.0, 5.0):
        norm(torch.full((2, 1, 2, 2), value))
    torch.testing.assert_close(norm.content_mean, torch.tensor([3.0]))
