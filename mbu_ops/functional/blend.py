"""Put pixels on an image under a mask."""

from __future__ import annotations

import torch
from torch import Tensor


def blend(image: Tensor, raw: Tensor, mask: Tensor) -> Tensor:
    """Return ``mask * raw + (1 - mask) * image``, the last step of every edit (MBU, section 3).

    Written as a linear interpolation, so that the result *is* the image where the mask is 0, bit for bit, and *is*
    the raw pixels where it is 1.

    Args:
        image: ``(B, C, H, W)`` floating point.
        raw: same shape and dtype as ``image``.
        mask: ``(B, 1, H, W)`` in [0, 1], same dtype as ``image``.

    Returns:
        ``(B, C, H, W)``.

    Example:
        >>> import torch
        >>> image, raw, mask = torch.zeros(1, 3, 1, 2), torch.ones(1, 3, 1, 2), torch.tensor([[[[0.0, 0.25]]]])
        >>> blend(image, raw, mask)[0, 0]
        tensor([[0.0000, 0.2500]])
    """
    return torch.lerp(image, raw, mask)


_FAINTEST = 1e-3
"""Opacity below which there is no colour to speak of."""


def premultiplied(cut_outs: Tensor) -> Tensor:
    """Return cut-outs whose colours are multiplied by their alpha, so that they can be resized and sampled.

    Colours of what is transparent then do not bleed into what is not. :func:`straight` is the way back.

    Args:
        cut_outs: ``(B, 4, H, W)`` in [0, 1], RGB and alpha.

    Example:
        >>> import torch
        >>> thing = torch.rand(1, 4, 2, 2)
        >>> torch.allclose(straight(premultiplied(thing)), thing, atol=1e-5)
        True
    """
    alpha = cut_outs[:, 3:]
    return torch.cat([cut_outs[:, :3] * alpha, alpha], 1)


def straight(premultiplied: Tensor) -> Tensor:
    """Return cut-outs with colours as they are, ``(B, 4, H, W)`` in [0, 1]; see :func:`premultiplied`."""
    alpha = premultiplied[:, 3:].clamp(0, 1)
    return torch.cat([(premultiplied[:, :3] / alpha.clamp(min=_FAINTEST)).clamp(0, 1), alpha], 1)


def on_plain(cut_outs: Tensor) -> Tensor:
    """Return cut-outs on plain grey, ``(B, 3, H, W)``.

    Args:
        cut_outs: ``(B, 4, H, W)`` in [0, 1], RGB and alpha.

    Example:
        >>> import torch
        >>> on_plain(torch.tensor([1.0, 0.0, 0.0, 0.5]).view(1, 4, 1, 1)).flatten()
        tensor([0.7500, 0.2500, 0.2500])
    """
    pixels, alpha = cut_outs[:, :3], cut_outs[:, 3:]
    return torch.lerp(torch.full_like(pixels, 0.5), pixels, alpha)
