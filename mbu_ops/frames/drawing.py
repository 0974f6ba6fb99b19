"""What a step of a chain draws in photos: in which places, by which predictions, before it is rendered.

:class:`mbu_ops.Framed` predicts and renders at once; the frames of a video are steadied in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.aligning import FrameLike
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.functional.layer import Layer, painted
from mbu_ops.functional.render import Band, reach, render_bands
from mbu_ops.functional.similarity import Rectangle
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.edit import edit_with
from mbu_ops.ops.method import FINENESS, to_frame
from mbu_ops.ops.one_input import OneInput

Places = Sequence[Sequence[FrameLike]]
"""The places in each photo of a batch."""


class Spot(NamedTuple):
    """Where one prediction is made.

    Attributes:
        photo: which of the batch.
        area: where in it.
        size: at how many pixels it is cut out.
        place: number of the photo, and of the place among its own.
    """

    photo: slice
    area: Rectangle
    size: tuple[int, int]
    place: tuple[int, int]

    def is_finer(self, seen: Tensor) -> bool:
        """Return whether the photo has more pixels there than are seen."""
        return self.area.height > seen.shape[-2] or self.area.width > seen.shape[-1]


def spots_in(image: Tensor, places: Places, spec: FrameSpec, limit: int | None) -> list[Spot]:
    """Return where a prediction is made: one frame of every place, as far as it is in the photo.

    Raises:
        ShapeError: if a place is not.
    """
    spots = []
    for index, those in enumerate(places):
        photo = slice(index, index + 1)
        for number, place in enumerate(those):
            place.bounds(image[photo])
            part = place.part(spec)
            # of a face that the photo's border cuts, the eyes may lie outside: nothing to do there
            if part.rectangle.touches(image.shape[-2], image.shape[-1]):
                spots.append(Spot(photo, part.rectangle, part.cut_size(limit), (index, number)))
    return spots


class Draw(NamedTuple):
    """One prediction, and what it needs.

    Attributes:
        predict: from what is seen to the layer that it gets.
        see: from what is cut out of photos, ``(N, 3, h, w)``, to what is seen.
        frame: which frame of a place is cut out.
        limit: at how many pixels a side at most; None for the photo's own.
        mirrors: whether a mirrored image gives the mirrored result.
        detail: share of the image's own detail to keep.
        guide: the guide picture, where its own pixels may be taken.
    """

    predict: Callable[[Tensor], Layer]
    see: Callable[[Tensor], Tensor]
    frame: FrameSpec = WHOLE_FRAME
    limit: int | None = None
    mirrors: bool = True
    detail: float = 0.0
    guide: Tensor | None = None


class Drawn(NamedTuple):
    """What a prediction draws in one place.

    Attributes:
        spot: where.
        layer: what, of one image.
        seen: ``(1, 3, h, w)``, the place as the networks saw it.
        guide: see :attr:`Draw.guide`.
    """

    spot: Spot
    layer: Layer
    seen: Tensor
    guide: Tensor | None

    def bands(self, image: Tensor) -> Iterator[Band]:
        """Yield what changes in a batch of photos: bands, each of which may be written into the image at once.

        Args:
            image: ``(B, 3, H, W)``, what the photos have become by now.
        """
        left, top, right, bottom = reach(self.layer, self.spot.area, (image.shape[-2], image.shape[-1]))
        # a copy, which must not change while pixels are taken from it
        near = image[self.spot.photo, :, top:bottom, left:right].clone()
        for band in render_bands(near, self.layer, self.spot.area.moved(-left, -top), self.guide):
            yield band.moved(top, left)

    def put_on(self, image: Tensor) -> None:
        """Write what changes into a batch of photos."""
        for band in self.bands(image):
            image[self.spot.photo, :, band.rows, band.columns] = band.image


def draws_of(step: nn.Module) -> Iterator[Draw]:
    """Yield what a step of a chain does to an image, one prediction after another.

    Args:
        step: an edit that was told all but the image, or any module from images to images.

    Raises:
        ConfigurationError: if it was told something for each image: photos hold any number of places.
    """
    if not isinstance(step, OneInput):

        def whole(seen: Tensor) -> Layer:
            edit = edit_with(step, seen)
            return painted(edit.raw, edit.mask)

        yield Draw(whole, lambda cut: cut)
        return
    if step.told_each:
        raise ConfigurationError(
            "expected one guide, code, strength or mask for all places in photos, got one for each image of a batch: "
            "bind one, or edit each photo on its own"
        )
    for predict in step.passes():
        yield Draw(
            predict,
            lambda cut: to_frame(step.model, cut),
            step.frame,
            FINENESS * max(step.frame_size),
            step.mirrors,
            step.detail,
            step.guide,
        )


def draws_in(step: nn.Module, places: Places) -> Iterator[tuple[Draw, Places]]:
    """Yield what a step does to photos, and in which places: guides are turned to where each of these looks."""
    alike: dict[nn.Module, set[float]] = {}
    for yaw in sorted({place.yaw for those in places for place in those}):
        alike.setdefault(step.looking(yaw) if isinstance(step, OneInput) else step, set()).add(yaw)
    for turned, yaws in alike.items():
        chosen = [[place for place in those if place.yaw in yaws] for those in places]
        for draw in draws_of(turned):
            yield draw, chosen


def steps_of(op: nn.Module) -> list[nn.Module]:
    """Return the steps of a chain, and of chains in it; the module itself if it is none."""
    return [step for one in op.steps for step in steps_of(one)] if isinstance(op, Chain) else [op]


def names_of(op: nn.Module) -> tuple[str, ...]:
    """Return a name for each of :func:`steps_of`: the one that it has in its own chain, or that of its class.

    Example:
        >>> inner = Chain([("b", nn.Identity()), ("c", nn.Identity())])
        >>> names_of(Chain([("a", nn.Identity()), ("inner", inner)])), names_of(nn.Identity())
        (('a', 'b', 'c'), ('Identity',))
    """
    if not isinstance(op, Chain):
        return (type(op).__name__,)
    steps = zip(op.names, op.steps, strict=True)
    return tuple(own for name, one in steps for own in (names_of(one) if isinstance(one, Chain) else (name,)))
