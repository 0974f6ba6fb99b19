"""A run small enough for tests: 16 px pictures, a network of a few channels, a handful of steps."""

from __future__ import annotations

import pytest
import torch

from mbu_ops.data.domains import Domains
from mbu_ops.methods import mbu
from mbu_ops.training.config import TrainingConfig


@pytest.fixture
def domains() -> Domains:
    generator = torch.Generator().manual_seed(0)
    without = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8, generator=generator)
    with_ = without[:10].clone()
    with_[:, :, 4:8, 4:12] = 255
    return Domains(without=without, with_=with_, source="noise")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> TrainingConfig:
    monkeypatch.setitem(mbu.CONFIGS, "tiny", mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2))
    return TrainingConfig(
        config="tiny", steps=8, coarse_steps=4, batch_size=4, save_every=3, sample_every=100, log_every=1
    )
