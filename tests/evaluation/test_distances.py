"""Distances: zero for the same, larger for what differs more, and guides told apart where they can be."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.evaluation.distances import (
    described,
    frechet_distance,
    kernel_distance,
    perceptual_distance,
    retrieved_guides,
)
from mbu_ops.evaluation.networks import image_features
from mbu_ops.evaluation.networks.image_features import ImageFeatures


@pytest.fixture(scope="module")
def features() -> ImageFeatures:
    return image_features.pretrained()


def blurred(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.interpolate(
        torch.rand(count, 3, 6, 6, generator=generator), (64, 64), mode="bicubic"
    ).clamp(0, 1)


def test_equal_images_are_no_distance_apart_and_more_noise_is_farther(features: ImageFeatures) -> None:
    images = blurred(3, 0)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    assert perceptual_distance(features, images, images).abs().max() < 1e-5
    near, far = (perceptual_distance(features, images, (images + s * noise).clamp(0, 1)) for s in (0.02, 0.2))
    assert (far > near).all()
    assert (near > 0).all()


def test_descriptions_do_not_depend_on_the_chunks(features: ImageFeatures) -> None:
    images = blurred(5, 2)
    assert torch.allclose(described(features, images, 2), described(features, images, 5), atol=1e-4)


def test_sets_of_one_kind_are_nearer_than_sets_of_two() -> None:
    generator = torch.Generator().manual_seed(0)
    one, same, other = (torch.randn(60, 8, generator=generator) + shift for shift in (0, 0, 1.0))
    near, far = kernel_distance("k", "k", one, same), kernel_distance("k", "k", one, other)
    assert near.low <= near.value <= near.high
    assert near.low < 0 < near.high  # unbiased: around zero for one kind
    assert far.low > near.high
    assert kernel_distance("k", "k", one, other) == far


def test_the_frechet_distance_of_shifted_sets_is_the_shift_squared() -> None:
    one = torch.randn(4000, 4, generator=torch.Generator().manual_seed(0))
    assert frechet_distance("f", "f", one, one).value == pytest.approx(0, abs=1e-3)
    assert frechet_distance("f", "f", one, one + 1).value == pytest.approx(4, rel=1e-3)


def test_without_torchmetrics_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.image.kid", None)
    with pytest.raises(ConfigurationError, match=r"mbu-ops\[eval\]"):
        kernel_distance("k", "k", torch.rand(4, 2), torch.rand(4, 2))


def test_guides_that_leave_no_trace_are_found_by_chance_only() -> None:
    guides = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    blind = torch.randn(400, 8, 16, generator=torch.Generator().manual_seed(1))
    assert retrieved_guides(blind, guides).float().mean() < 0.2
    traced = blind + 5 * guides
    assert retrieved_guides(traced, guides).float().mean() > 0.9
