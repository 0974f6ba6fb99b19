"""A tiny face, and networks that put it together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.methods.portrait import Portrait
from mbu_ops.testing import tiny_portrait

from .faces import LEFT_EYE, MOUTH, RIGHT_EYE, SKIN


@pytest.fixture
def model() -> Portrait:
    return tiny_portrait()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, 32, 32)


@pytest.fixture
def labels() -> Tensor:
    """A face: skin with two eyes and a mouth, before a background."""
    labels = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    labels[..., 4:28, 6:26] = SKIN
    labels[..., 10:13, 8:12] = LEFT_EYE
    labels[..., 10:13, 20:24] = RIGHT_EYE
    labels[..., 20:24, 12:20] = MOUTH
    return labels.expand(2, -1, -1, -1).clone()


@pytest.fixture
def mask(model: Portrait, labels: Tensor) -> Tensor:
    return model.one_hot(labels)
