from __future__ import annotations

import torch
from torch import nn

from mbu_ops.methods.blocks import NEGATIVE_SLOPE, downsampling_stack, upsampling_stack


def test_downsampling_halves_once_a_block() -> None:
    stack = downsampling_stack(3, (4, 6))
    assert stack(torch.rand(2, 3, 16, 24)).shape == (2, 6, 4, 6)
    assert [type(layer) for layer in stack] == [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU] * 2


def test_upsampling_doubles_once_a_block_and_ends_plain() -> None:
    stack = upsampling_stack(6, (5, 4), 3)
    assert stack(torch.rand(2, 6, 2, 3)).shape == (2, 3, 16, 24)
    assert [type(layer) for layer in stack] == [nn.ConvTranspose2d, nn.BatchNorm2d, nn.LeakyReLU] * 2 + [
        nn.ConvTranspose2d
    ]


def test_slope_is_the_published_one() -> None:
    assert NEGATIVE_SLOPE == 0.2
    assert all(layer.negative_slope == 0.2 for layer in upsampling_stack(6, (5,), 3) if isinstance(layer, nn.LeakyReLU))
