"""Where a handbag's handle is, from its silhouette: bags on white hide nothing.

A check on masks that were learnt, never a help in learning them. The body is what survives an opening with a square
wider than any strap; handles are what is thin and touches a hole. Bags without a clear hole (straps that hang down, a
handle folded away, a white bag) get an empty mask: unknown.
"""

from __future__ import annotations

import torch
from kornia.morphology import closing, dilation, erosion
from torch import Tensor

_WHITE = 0.92
"""A pixel whose darkest channel is brighter than this is background."""
_SIDE = 128
"""Sizes below are in pixels of images of this side."""
_STRAP, _HOLE, _GAP = 17, 5, 7
"""Wider than any strap; narrowest hole that counts; how far a handle's pixels may be from its hole."""
_LEAST_HOLE, _LEAST_HANDLE = 80, 100
"""Fewer pixels than this of hole or handle are no evidence."""


def handle_masks(attribute: str, images: Tensor) -> Tensor | None:
    """Derive masks of handles.

    Args:
        attribute: ``"handle"``; of others nothing is known.
        images: ``(N, 3, H, W)`` RGB in [0, 1], bags on white.

    Returns:
        ``(N, 1, H, W)`` of zeros and ones; all zeros where a bag's silhouette does not tell.

    Example:
        >>> bag = torch.ones(1, 3, 128, 128)
        >>> bag[..., 60:120, 20:108] = 0.3  # the body
        >>> bag[..., 20:60, 40:46] = bag[..., 20:60, 82:88] = bag[..., 20:26, 40:88] = 0.3  # the handle
        >>> mask = handle_masks("handle", bag)
        >>> bool(mask[0, 0, 22, 60]), bool(mask[0, 0, 90, 60])
        (True, False)
    """
    if attribute != "handle":
        return None
    scale = max(images.shape[-2:]) / _SIDE
    shape = _closed((images.amin(1, keepdim=True) < _WHITE).to(images.dtype), 3, scale)
    white = 1 - shape
    border = torch.ones_like(white)
    border[..., 1:-1, 1:-1] = 0
    holes = white - _grown(border * white, white)
    holes = _grown(_eroded(holes, _HOLE, scale), holes)  # what a narrow slit has is no hole to put an arm through
    body = _dilated(_eroded(shape, _STRAP, scale), _STRAP, scale) * shape
    thin = shape * (1 - _dilated(body, 3, scale))
    handles = _grown(_dilated(holes, _GAP, scale) * thin, thin)
    told = (holes.flatten(1).sum(1) > _LEAST_HOLE * scale**2) & (handles.flatten(1).sum(1) > _LEAST_HANDLE * scale**2)
    # closed gaps made it one piece; they are background all the same
    return handles * (images.amin(1, keepdim=True) < _WHITE) * told[:, None, None, None]


def _kernel(like: Tensor, side: int, scale: float) -> Tensor:
    return like.new_ones(2 * (max(1, round(side * scale)) // 2) + 1, 2 * (max(1, round(side * scale)) // 2) + 1)


def _closed(mask: Tensor, side: int, scale: float) -> Tensor:
    return closing(mask, _kernel(mask, side, scale))


def _dilated(mask: Tensor, side: int, scale: float) -> Tensor:
    return dilation(mask, _kernel(mask, side, scale))


def _eroded(mask: Tensor, side: int, scale: float) -> Tensor:
    return erosion(mask, _kernel(mask, side, scale))


def _grown(seeds: Tensor, inside: Tensor) -> Tensor:
    """Return the connected parts of ``inside`` that hold a seed."""
    kernel = seeds.new_ones(3, 3)
    while True:
        grown = dilation(seeds, kernel) * inside
        if torch.equal(grown, seeds):
            return seeds
        seeds = grown
