"""An activation map lies where classes differ."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mbu_ops.data.domains import Domains
from mbu_ops.errors import WeightsError
from mbu_ops.evaluation.activation_map import ActivationMap
from mbu_ops.evaluation.judge import Judge, train_classifier


def spots(count: int, seed: int, shown: bool) -> Tensor:
    images = torch.randint(0, 100, (count, 3, 64, 64), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    if shown:
        images[:, :, 8:24, 8:24] = 255
    return images


@pytest.fixture(scope="module")
def trained() -> ActivationMap:
    return train_classifier(ActivationMap, Domains(spots(40, 0, False), spots(40, 1, True)), steps=12)


@pytest.mark.slow
def test_it_classifies_and_points(trained: ActivationMap) -> None:
    with_ = spots(10, 2, True).float() / 255
    assert trained.says_with(with_).float().mean() > 0.8
    maps = trained.segment(with_)
    assert maps.shape == (10, 1, 64, 64)
    assert maps.amin() >= 0
    assert maps.amax() <= 1
    assert maps[:, :, 8:24, 8:24].mean() > 2 * maps[:, :, 40:, 40:].mean()


def test_it_is_kept_as_what_it_is(trained: ActivationMap, tmp_path: Path) -> None:
    trained.save(tmp_path / "map.safetensors")
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(ActivationMap.load(tmp_path / "map.safetensors").segment(image), trained.segment(image))
    with pytest.raises(WeightsError, match="it holds a map"):
        Judge.load(tmp_path / "map.safetensors")
