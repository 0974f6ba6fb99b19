"""An edit as a layer: what networks predict, before it is rendered onto a photo of any size.

A layer lies in a *frame*, the rectangle that a network sees. All its planes are in frame coordinates, 0 to 1 across and
down, whatever their numbers of pixels. :func:`mbu_ops.functional.render.render` puts it on a photo::

    out = lerp(x, gain * x(p + flow(p)) + guide_gain * g(p + guide_flow(p)) + bias, mask)

where a layer may name pixels ``low`` that show instead of what its gain hides: ``gain * x + (1 - gain) * low``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.any_size import SMOOTH
from mbu_ops.functional.detail import agreement
from mbu_ops.functional.mask import binarise, change_mask, dilate, resize
from mbu_ops.functional.sampling import affine_places, arrows, sample


class Ramp(NamedTuple):
    """How a mask that is a probability becomes an opacity, see :func:`mbu_ops.functional.mask.binarise`.

    Attributes:
        threshold: probabilities up to this one are no content: opacity exactly 0.
        softness: from there to full opacity; 0 for a hard mask.
    """

    threshold: float
    softness: float


class Moved(NamedTuple):
    """How much of a photo's own pixels shows, and from where.

    Attributes:
        gain: ``(B, 1, h, w)``, their share; 0 hides them, 1 shows them as they are.
        flow: ``(B, 2, h, w)``, x and y in sides of the frame: the pixel at ``p`` is taken from ``p + flow(p)``. It may
            be coarse; None where nothing moves.
        low: ``(B, 3, h, w)``, what shows instead where the gain hides a photo's own pixels: mostly the same pixels as
            the network saw them, so that only what is finer is hidden; None for nothing. It is a plane of its own
            because a product of two planes, brought to another size, is not the product of these: it shows as a grid.
    """

    gain: Tensor
    flow: Tensor | None = None
    low: Tensor | None = None

    def seen(self, seen: Tensor) -> Tensor:
        """Return what shows of the photo at the frame's resolution: ``(B, 3, h, w)``.

        Args:
            seen: ``(B, 3, R, R)``, the photo as the network saw it.
        """
        own = _moved(seen, self.flow, (self.gain.shape[-2], self.gain.shape[-1]))
        return self.gain * own if self.low is None else torch.lerp(self.low, own, self.gain)


class Layer(NamedTuple):
    """What an edit adds to, and keeps of, a photo. Build one by :func:`painted`, :func:`carried` or :func:`moved`.

    Attributes:
        mask: ``(B, 1, h, w)`` in [0, 1]: opacity, or with a ``ramp`` a probability; 0 leaves the photo, bit for bit.
        bias: ``(B, 3, h, w)``, added pixels.
        own: the photo's own pixels; None where none are kept.
        guide: the guide's own pixels, in the guide's frame; None where none are taken.
        ramp: what makes opacity of the mask, once it has the size at which it is used; None if it is opacity already.
        presence: ``(B,)`` in [0, 1], how likely there is something to edit, where the networks that drew it say so.

    Example:
        >>> layer = painted(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8)).ramped(0.1, 0.2)
        >>> layer.ramp
        Ramp(threshold=0.1, softness=0.2)
    """

    mask: Tensor
    bias: Tensor
    own: Moved | None = None
    guide: Moved | None = None
    ramp: Ramp | None = None
    presence: Tensor | None = None

    @property
    def opacity(self) -> Tensor:
        """The mask as it is used: ``(B, 1, h, w)``, 0 = the photo."""
        return self.mask if self.ramp is None else binarise(self.mask, *self.ramp)

    def ramped(self, threshold: float, softness: float) -> Layer:
        """Return the layer with a mask that is a probability; arguments as of :class:`Ramp`."""
        return self._replace(ramp=Ramp(threshold, softness))

    def grown(self, radius: int) -> Layer:
        """Return the layer with a larger mask: by some of its pixels each way, see :func:`dilate`."""
        return self._replace(mask=dilate(self.mask, radius))

    def within(self, region: Tensor) -> Layer:
        """Return the layer where a region is 1, and the photo's own pixels where it is 0.

        Args:
            region: ``(B, 1, h, w)`` in [0, 1].
        """
        if self.own is None:
            own = Moved(1 - region)
        elif self.own.flow is None:
            own = self.own._replace(gain=1 - region * (1 - self.own.gain))  # exactly 1 where all of the photo shows
        else:  # a pixel comes from one place only
            raise ConfigurationError("expected a layer that moves no pixels; put the region into its mask")
        guide = None if self.guide is None else self.guide._replace(gain=self.guide.gain * region)
        return Layer((region > 0).to(self.mask.dtype), self.bias * region, own, guide, self.ramp)

    def covered(self, pixels: Tensor, share: Tensor) -> Layer:
        """Return the layer with new pixels over it.

        Args:
            pixels: ``(B, 3, h, w)`` in [0, 1].
            share: ``(B, 1, h, w)`` in [0, 1]: 0 leaves the layer as it is, 1 shows nothing but the new pixels.
        """
        own, guide = (
            None if one is None else one._replace(gain=one.gain * (1 - share)) for one in (self.own, self.guide)
        )
        if own is not None and own.low is not None:
            pixels = pixels - own.low  # which shows where the gain is gone
        return self._replace(bias=torch.lerp(self.bias, pixels, share), own=own, guide=guide)

    def settled(self, seen: Tensor) -> Layer:
        """Return the layer with colours that need no clamping at the frame's resolution.

        A sum that is too bright is as good as white alone; mixed with other pixels it would outshine them.

        Args:
            seen: ``(B, 3, h, w)`` in [0, 1], the photo as the network saw it.
        """
        if self.own is None:
            return self._replace(bias=self.bias.clamp(0, 1))
        shown = self.bias + self.own.seen(seen)
        return self._replace(bias=self.bias + (shown.clamp(0, 1) - shown))

    def keeping(self, seen: Tensor, share: float = 1.0) -> Layer:
        """Return the layer with the photo's own detail, finer than the frame's pixels.

        A layer that says itself how much of the photo's pixels it keeps gives up what is beyond ``share``. One that
        does not is drawn anew in the frame's few pixels; it keeps detail where it shows the structure that the photo
        shows there (:func:`mbu_ops.functional.detail.agreement`), so that an eye behind removed glasses, or skin that
        is only lit otherwise, stays sharp.

        Args:
            seen: ``(B, 3, R, R)`` in [0, 1], the photo as the network saw it.
            share: how much of the detail to keep; 0 for the network's own, soft pixels.

        Example:
            >>> seen = torch.rand(1, 3, 16, 16)
            >>> layer = painted(seen, torch.ones(1, 1, 16, 16)).keeping(seen)
            >>> bool((layer.own.gain > 0.999).all() and layer.bias.abs().max() == 0)
            True
        """
        if self.own is None:
            if share == 0 or self.guide is not None:  # the guide's pixels bring their own
                return self
            return self._replace(bias=self.bias - seen, own=Moved(share * agreement(self.bias, seen), low=seen))
        if share == 1:
            return self
        gain, flow, _ = self.own
        # the photo's pixels give way to their own low frequencies
        low = self.own.seen(seen) - share * gain * _moved(seen, flow, (gain.shape[-2], gain.shape[-1]))
        return self._replace(own=Moved(share * gain, flow, low / (1 - share * gain).clamp(min=_FAINTEST)))

    def mapped(self, change: Callable[[Tensor, str], Tensor]) -> Layer:
        """Return the layer with every plane changed.

        Args:
            change: from a plane and what it is, ``"mask"``, ``"bias"``, ``"gain"`` or ``"flow"``, in the fields' order.
        """

        def moved_by(one: Moved | None) -> Moved | None:
            if one is None:
                return None
            gain, flow = change(one.gain, "gain"), None if one.flow is None else change(one.flow, "flow")
            return Moved(gain, flow, None if one.low is None else change(one.low, "bias"))

        mask, bias = change(self.mask, "mask"), change(self.bias, "bias")
        return Layer(mask, bias, moved_by(self.own), moved_by(self.guide), self.ramp)

    def resized(self, size: tuple[int, int], dtype: torch.dtype) -> Layer:
        """Return the layer with planes of some size, antialiased when they shrink; colours and flows are smooth."""

        def change(plane: Tensor, kind: str) -> Tensor:
            grows = size[0] >= plane.shape[-2] and size[1] >= plane.shape[-1]
            mode = "bicubic" if grows and kind in SMOOTH else "bilinear"
            return resize(plane, size, mode).to(dtype)

        return self.mapped(change)

    def sampled(self, fractions: Tensor) -> Layer:
        """Return the layer with the planes' values at some places.

        Args:
            fractions: ``(h, w, 2)``, x and y in sides of the frame; beyond it the planes' border goes on.
        """
        known = [part for one in (self.own, self.guide) if one is not None for part in one if part is not None]
        planes = [self.mask, self.bias, *known]
        height, width = self.mask.shape[-2:]  # of all planes: whoever asks has brought them to one size
        values = sample(torch.cat(planes, 1), fractions * fractions.new_tensor([width, height]))
        each = iter(torch.split(values, [plane.shape[1] for plane in planes], 1))
        return self.mapped(lambda _plane, _kind: next(each))

    def seen_from(self, views: Tensor, size: tuple[int, int] | None = None) -> Layer:
        """Return the layer in another frame.

        What lies past this layer's own frame it knows nothing of: opacity 0.

        Args:
            views: float64 ``(3, 3)``, or ``(V, 3, 3)`` for a batch of all images' first view, second view and so on:
                from fractions of this layer's frame to fractions of the other.
            size: height and width of the result's mask; this layer's own by default. It holds opacity.

        Example:
            >>> layer = painted(torch.rand(1, 3, 4, 4), torch.rand(1, 1, 4, 4))
            >>> mirror = torch.tensor([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
            >>> torch.allclose(layer.seen_from(mirror).bias, layer.bias.flip(-1), atol=1e-6)
            True
        """
        views = views if views.ndim == 3 else views[None]
        mask = _resampled(self.mask, views, size, "zeros")
        return Layer(
            mask if self.ramp is None else binarise(mask, *self.ramp),
            _resampled(self.bias, views),
            _turned(self.own, views),
            _turned(self.guide, views),
        )

    def averaged(self, views: Tensor, seen: Tensor) -> Layer:
        """Return what the layers of several views of one frame agree on.

        Masks are averaged, and pixels where masks cover them: what networks draw by chance differs from view to view
        and fades.

        Args:
            views: ``(V, 3, 3)`` float64, from fractions of a view's sides to fractions of the frame's; this layer is a
                batch of all images' first view, second view and so on.
            seen: ``(B, 3, h, w)`` in [0, 1], the frame as a network sees it.

        Returns:
            A layer of B images, whose mask is opacity, twice as fine as this one's: ramps are cut before the average.
            Of a layer that takes a guide's pixels the first view alone, which must be the frame itself: views move the
            photo and not the guide.
        """
        if self.guide is not None:
            return self.mapped(lambda plane, _: plane[: len(seen)])
        size = 2 * self.mask.shape[-2], 2 * self.mask.shape[-1]
        fine = self.seen_from(views, size)
        # past its border a view knows nothing, and has no say
        inside = _resampled(torch.ones_like(self.mask), views, size, "zeros")
        count = len(views)

        def mean(plane: Tensor) -> Tensor:
            """Average a plane over the views, each pixel weighted by its opacity."""
            weight = resize(fine.mask, (plane.shape[-2], plane.shape[-1]))
            total = _total(weight, count)
            return _total(weight * plane, count) / torch.where(total > 0, total, 1)

        nobody = (_total(resize(fine.mask, (seen.shape[-2], seen.shape[-1])), count) == 0).to(seen.dtype)

        def mean_of(one: Moved | None) -> Moved | None:
            if one is None:
                return None
            flow, low = (None if plane is None else mean(plane) for plane in one[1:])
            return Moved(mean(one.gain), flow, low)

        own, guide = mean_of(fine.own), mean_of(fine.guide)
        bias = mean(fine.bias)
        # where no view draws anything the photo stays, so that no pixel near it seems to have lost its structure
        if own is None:
            bias = bias + nobody * seen
        else:
            own = own._replace(gain=own.gain + resize(nobody, (own.gain.shape[-2], own.gain.shape[-1])))
            if own.low is not None:  # beside such a pixel both are mixed
                unseen = resize(nobody * seen, (own.low.shape[-2], own.low.shape[-1]))
                own = own._replace(low=own.low + unseen)
        opacity = _total(fine.mask, count) / _total(inside, count).clamp(min=_FAINTEST)
        return Layer(opacity.clamp(max=1), bias, own, guide)

    def one(self, index: int) -> Layer:
        """Return the layer of one image of the batch."""
        return self.mapped(lambda plane, _: plane[index : index + 1])


def painted(raw: Tensor, mask: Tensor) -> Layer:
    """Return new pixels under a mask: MBU's and Press et al.'s edits.

    Args:
        raw: ``(B, 3, h, w)`` RGB in [0, 1].
        mask: ``(B, 1, h, w)`` in [0, 1].
    """
    return Layer(mask, raw)


def carried(before: Tensor, after: Tensor, mask: Tensor, gain: float = 3.0) -> Layer:
    """Return the edit that two drawings of an image show, for the image itself.

    Where the drawings differ little, their difference is added to the image, whose own detail stays; where they differ
    much, what the image shows must go, and the second drawing takes its place. For methods that draw whole pictures,
    blurred: the blur is in both drawings, and so not in their difference.

    Args:
        before: ``(B, 3, h, w)`` RGB in [0, 1], the image as the method draws it.
        after: the image as it is to be, as the method draws it.
        mask: ``(B, 1, h, w)`` in [0, 1].
        gain: of the difference, see :func:`mbu_ops.functional.mask.change_mask`; with 3, a third of the range over a
            few pixels is much.

    Example:
        >>> drawing = torch.rand(1, 3, 8, 8)
        >>> layer = carried(drawing, drawing, torch.ones(1, 1, 8, 8))
        >>> layer.bias.abs().max().item(), layer.own.gain.min().item()
        (0.0, 1.0)
    """
    much = change_mask(before, after, gain)
    return Layer(mask, after - before, Moved(1 - much, low=before))


def moved(low: Tensor, mask: Tensor, gain: Tensor, flow: Tensor, seen: Tensor) -> Layer:
    """Return the photo's own pixels, moved, with other colours: detail from the photo, low frequencies from a network.

    Args:
        low: ``(B, 3, h, w)`` RGB in [0, 1], how the result looks at the frame's resolution.
        mask: ``(B, 1, h, w)`` in [0, 1].
        gain: ``(B, 1, h, w)`` in [0, 1], where the moved photo's detail is wanted.
        flow: ``(B, 2, f, f)``, see :class:`Moved`.
        seen: ``(B, 3, h, w)``, the photo as the network saw it.

    Example:
        >>> seen, one = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> layer = moved(seen, one, one, torch.zeros(1, 2, 4, 4), seen)
        >>> layer.bias.abs().max().item() < 1e-6
        True
    """
    there = _moved(seen, flow, (low.shape[-2], low.shape[-1]))
    return Layer(mask, low - there, Moved(gain, flow, there))


_FAINTEST = 1e-3
"""Coverage below which a pixel counts as seen by no view."""


def averaged_masks(masks: Tensor, views: Tensor) -> Tensor:
    """Return what the masks of several views of one frame agree on.

    Args:
        masks: ``(V * B, C, h, w)``, of all images' first view, second view and so on.
        views: ``(V, 3, 3)`` float64, from fractions of a view's sides to fractions of the frame's.

    Returns:
        ``(B, C, h, w)``.
    """
    inside = _resampled(torch.ones_like(masks[:, :1]), views, beyond="zeros")
    return _total(_resampled(masks, views, beyond="zeros"), len(views)) / _total(inside, len(views)).clamp(
        min=_FAINTEST
    )


def _total(planes: Tensor, views: int) -> Tensor:
    """Return the sum over views of planes of all images' first view, second view and so on."""
    return torch.unflatten(planes, 0, (views, -1)).sum(0)


def _moved(seen: Tensor, flow: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Return a picture of a frame, moved by a flow, at some size."""
    seen = resize(seen, size)
    if flow is None:
        return seen
    to_pixels = torch.diag(torch.tensor([size[1], size[0], 1], dtype=torch.float64))
    places = affine_places(torch.eye(3, dtype=torch.float64), size, like=seen)
    return sample(seen, places + arrows(resize(flow, size, "bicubic"), to_pixels))


def _resampled(plane: Tensor, views: Tensor, size: tuple[int, int] | None = None, beyond: str = "border") -> Tensor:
    """Return a plane in another frame; arguments as of :meth:`Layer.seen_from`."""
    height, width = plane.shape[-2:]
    size = size or (height, width)
    from_result = torch.diag(torch.tensor([1 / size[1], 1 / size[0], 1], dtype=torch.float64))
    to_plane = torch.diag(torch.tensor([width, height, 1], dtype=torch.float64))
    matrices = [to_plane @ torch.linalg.inv(view) @ from_result for view in views]
    places = torch.stack([affine_places(matrix, size, like=plane) for matrix in matrices])
    return sample(plane, places.repeat_interleave(plane.shape[0] // len(views), 0), beyond)


def _turned(moved: Moved | None, views: Tensor) -> Moved | None:
    """Return moved pixels in another frame: the flow's arrows turn, grow and are mirrored with it."""
    if moved is None:
        return None
    gain, flow, low = moved
    if flow is not None:
        linear = views[:, :2, :2].repeat_interleave(flow.shape[0] // len(views), 0).to(flow)
        flow = torch.einsum("bij,bjhw->bihw", linear, _resampled(flow, views))
    return Moved(_resampled(gain, views), flow, None if low is None else _resampled(low, views))
