"""A network small enough for tests, made so that its edits are visible."""

from __future__ import annotations

import torch
from torch import nn

from mbu_ops.methods.mbu import MBU, MBUConfig, to_signed

TINY_CONFIG = MBUConfig(resolution=16, common_widths=(8, 16), separate_widths=(6,), separate_channels=4)
"""Two blocks, 16 pixels: about 12,000 weights."""


@torch.no_grad()
def tiny_mbu(seed: int = 0, dtype: torch.dtype = torch.float32) -> MBU:
    """Return an untrained MBU network in eval mode whose masks reach from 0 to 1 and depend on image and guide.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> model = tiny_mbu()
        >>> mask = model.segment(torch.rand(4, 3, 16, 16))
        >>> bool(mask.min() < 0.02), bool(mask.max() > 0.98)
        (True, True)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MBU(TINY_CONFIG)
        images = torch.rand(64, 3, TINY_CONFIG.resolution, TINY_CONFIG.resolution)
    # batch norm learns what these weights put out: otherwise an untrained signal fades from layer to layer
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    model.train()
    model.remove(images)
    model.measure_content([images])
    for norm in norms:
        norm.momentum = 0.1
    model.eval()
    # spread the mask's logits, the first of the head's four channels, over about -16 to 8: mostly background
    pixels = to_signed(images)
    codes = model.common_code(pixels), model.separate_code(pixels)
    logits = torch.logit(model.decode_with(*codes).mask, eps=1e-6)
    head = model.with_decoder[-1]
    assert isinstance(head, nn.ConvTranspose2d)  # noqa: S101
    assert head.bias is not None  # noqa: S101
    scale = 6 / logits.std()
    head.weight[:, 0] *= scale
    head.bias[0] = (head.bias[0] - logits.mean()) * scale - 4
    return model.to(dtype)
