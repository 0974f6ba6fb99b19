"""Keep what is drawn on a moving picture steady: mix the layer of a frame with that of the frame before.

Both lie in the frame that follows the content, so that what moves with it stands still. A recursive temporal filter
whose strength falls where the content changes. Source: Dubois and Sabri, *Noise reduction in image sequences using
motion-compensated temporal filtering*, IEEE Transactions on Communications 1984, section III.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mbu_ops.functional.layer import Layer, Moved, Ramp
from mbu_ops.functional.mask import resize

STILL, NOISIEST = 0.02, 0.05
"""Mean change of a neighbourhood's colours that counts as noise: at least, and at most however noisy the frames are."""

NOISE = 1.5
"""How much more than the median change of all neighbourhoods is still noise."""

RAMP = 0.06
"""How much more than noise a neighbourhood must change for the old layer to say nothing there."""

_OWN = {"own.gain", "own.low"}

_NEAR = 5
"""Side of a neighbourhood, in pixels of what a network sees."""


def new_share(before: Tensor, after: Tensor, least: float) -> Tensor:
    """Return how much of a new layer to take: all of it where the content changed, a small share where it did not.

    Args:
        before: ``(B, 3, h, w)`` in [0, 1], the content as a network saw it.
        after: ``(B, 3, h, w)``, the same one frame later.
        least: the share where nothing changed, 0 to 1.

    Returns:
        ``(B, 1, h, w)`` in [0, 1].

    Example:
        >>> face = torch.rand(1, 3, 16, 16)
        >>> share = new_share(face, face, 0.25)
        >>> share.shape, share.max().item()
        (torch.Size([1, 1, 16, 16]), 0.25)
    """
    change = (after - before).abs().mean(1, keepdim=True)
    change = nn.functional.avg_pool2d(change, _NEAR, 1, _NEAR // 2, count_include_pad=False)
    # most of a face does not change between frames: what half of it shows is noise
    noise = change.flatten(1).median(1).values.view(-1, 1, 1, 1)
    still = (NOISE * noise).clamp(STILL, NOISIEST)
    return least + (1 - least) * ((change - still) / RAMP).clamp(0, 1)


def mixed(before: Layer, after: Layer, share: Tensor) -> Layer:
    """Return the layer between two of one content; colours weigh as much as masks cover them.

    Where a layer shows pixels ``low`` in place of a photo's own, what both add up to is mixed, and ``low`` is that of
    this frame: it takes the low frequencies out of this frame's own pixels, and with them their noise.

    Args:
        before: the layer of the frame before.
        after: the layer of this frame. If it moves other pixels than ``before``, or is ramped otherwise, it is returned
            as it is; whether it keeps some of the photo's own may change as a face comes nearer.
        share: ``(B, 1, h, w)`` in [0, 1], how much of ``after`` to take.

    Example:
        >>> from mbu_ops.functional.layer import painted
        >>> one, two = (painted(torch.full((1, 3, 4, 4), grey), torch.ones(1, 1, 4, 4)) for grey in (0.0, 1.0))
        >>> mixed(one, two, torch.full((1, 1, 4, 4), 0.25)).bias.unique()
        tensor([0.2500])
    """
    former, latter = planes_of(_added_up(before)), planes_of(_added_up(after))
    if before.ramp != after.ramp or (former.keys() ^ latter.keys()) - _OWN:
        return after
    size = after.mask.shape[-2], after.mask.shape[-1]
    there = resize(share, size).to(after.mask.dtype)
    old = resize(before.mask, size)
    cover = there * after.opacity
    total = cover + (1 - there) * before._replace(mask=old).opacity
    weight = torch.where(total > 0, cover / torch.where(total > 0, total, 1), there)

    def mix(name: str) -> Tensor:
        plane = latter[name]
        # a layer that keeps none of the photo's own pixels keeps a share of 0
        return torch.lerp(_like(former.get(name, torch.zeros_like(plane)), plane), plane, _like(weight, plane))

    planes = {name: mix(name) for name in latter if name != "mask"}
    result = layer_of(planes | {"mask": torch.lerp(old, after.mask, there)}, after.ramp)
    if after.own is None or after.own.low is None or result.own is None:
        return result
    low = after.own.low
    return result._replace(bias=result.bias - _like(low, result.bias), own=result.own._replace(low=low))


def _added_up(layer: Layer) -> Layer:
    """Return a layer whose bias is what shows where none of the photo's own pixels do."""
    if layer.own is None or layer.own.low is None:
        return layer
    return layer._replace(bias=layer.bias + _like(layer.own.low, layer.bias))


def _like(plane: Tensor, other: Tensor) -> Tensor:
    return resize(plane, (other.shape[-2], other.shape[-1]))


def planes_of(layer: Layer) -> dict[str, Tensor]:
    """Return the planes of a layer by their names, such as ``"mask"`` and ``"own.gain"``.

    Example:
        >>> from mbu_ops.functional.layer import painted
        >>> list(planes_of(painted(torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4))))
        ['mask', 'bias']
    """
    planes = {"mask": layer.mask, "bias": layer.bias}
    for name, moved in (("own", layer.own), ("guide", layer.guide)):
        if moved is not None:
            parts = moved._asdict().items()
            planes |= {f"{name}.{part}": plane for part, plane in parts if plane is not None}
    return planes


def layer_of(planes: Mapping[str, Tensor], ramp: Ramp | None) -> Layer:
    """Return the layer of planes that :func:`planes_of` named.

    Args:
        planes: the planes.
        ramp: see :class:`mbu_ops.functional.layer.Layer`.
    """

    def moved(name: str) -> Moved | None:
        if f"{name}.gain" not in planes:
            return None
        return Moved(planes[f"{name}.gain"], planes.get(f"{name}.flow"), planes.get(f"{name}.low"))

    return Layer(planes["mask"], planes["bias"], moved("own"), moved("guide"), ramp)
