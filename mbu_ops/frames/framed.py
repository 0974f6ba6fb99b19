"""Let an op work where something is: in a box of a photo, or on the faces that an aligner finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.aligning import Aligner, FrameLike
from mbu_ops.frames.aligners import noun_of
from mbu_ops.frames.choice import Missing, Which, check_missing, check_which, choose
from mbu_ops.frames.drawing import Draw, Drawn, Places, Spot, draws_in, spots_in, steps_of
from mbu_ops.frames.views import VIEWS, view_matrices
from mbu_ops.functional.check import check_image
from mbu_ops.functional.layer import averaged_masks
from mbu_ops.functional.render import Edit, compose, mask_bands
from mbu_ops.functional.similarity import extract
from mbu_ops.ops.base import MaskOp
from mbu_ops.ops.bound import makes_mask
from mbu_ops.ops.method import FINENESS, to_frame
from mbu_ops.ops.one_input import OneInput

Left = Callable[[int, int, FrameLike], None]
"""Is told which step, counted from 0, leaves which photo's which place as it is: there is nothing to do."""


class Framed(nn.Module):
    """A one-input op that sees, and changes, only what an aligner finds.

    Step by step: every place is cut out upright, in the frame that the step's weights were trained on, from the photo's
    own pixels; what the networks predict there is rendered onto the photo; the next step sees the result. What no mask
    covers stays the photo's own, bit for bit. Differentiable with respect to the photo; the places themselves are not.

    Args:
        op: a one-input op: ``Remove``, ``Segment``, a bound op, a chain, or any module from images to images.
        aligner: what finds the places: a :class:`~mbu_ops.frames.box.Box`, a family's aligner (see
            :func:`mbu_ops.aligner`), or anything with a ``find(photo)``.
        which: which of them to edit: all, the largest, or the one of this number, the largest being number 1.
        views: how many slightly moved, turned and mirrored views of each place to edit and average, 1 to 6. What the
            networks draw by chance differs from view to view and fades; it takes as many times as long.
        missing: what becomes of a photo in which there is no such place: ``"raise"`` an error, or ``"keep"`` it as it
            is, so that one photo does not cost a batch.

    Raises:
        ConfigurationError: if ``which``, ``views`` or ``missing`` is something else.

    Example:
        >>> import torch
        >>> from mbu_ops.frames.box import Box
        >>> from mbu_ops.ops.remove import Remove
        >>> from mbu_ops.testing import tiny_mbu
        >>> framed = Framed(Remove(tiny_mbu()), Box.parse("10,10,50,50"))
        >>> picture = torch.rand(1, 3, 60, 90)
        >>> result = framed(picture)
        >>> torch.equal(result[..., 50:], picture[..., 50:])
        True
    """

    def __init__(
        self, op: nn.Module, aligner: Aligner, which: Which = "all", views: int = 1, missing: Missing = "raise"
    ) -> None:
        super().__init__()
        check_which(which)
        check_views(views)
        check_missing(missing)
        self.op = op
        self.aligner = aligner
        self.which = which
        self.views = views
        self.missing = missing
        self.batch_size = 16
        """Most places in a batch of the networks."""

    @property
    def makes_mask(self) -> bool:
        """Whether the result is a mask."""
        return makes_mask(self.op)

    def forward(self, image: Tensor, places: Places | None = None, left: Left | None = None) -> Tensor:
        """Return the photo with the op's result in its places.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            places: those of each photo where they are known, as :meth:`find` gives them.
            left: called for each place that a step leaves as it is, see :attr:`mbu_ops.ops.base.EditOp.presence`.

        Returns:
            Same shape and dtype; for an op that makes a mask ``(B, 1, H, W)``, 0 outside the places.

        Raises:
            FrameError: if nothing is found in one of the photos, unless those are kept.
            ShapeError: if a place is not inside its photo.
        """
        places = self._known(image, places)
        steps = steps_of(self.op)
        result = image if isinstance(steps[0], MaskOp) else image.clone()
        for number, step in enumerate(steps):
            if isinstance(step, MaskOp):
                return self._mask(step, result, places)
            chosen = self._to_edit(number, step, result, places, left)
            for draw, those in draws_in(step, chosen):
                for drawn in self.predict(draw, result, those):
                    drawn.put_on(result)
        return result

    def edit(self, image: Tensor, places: Places | None = None, left: Left | None = None) -> Edit:
        """Return the result with its mask, 0 outside the places, and its raw pixels, the photo's own outside them.

        Args:
            image: as in :meth:`forward`.
            places: as in :meth:`forward`.
            left: as in :meth:`forward`.
        """
        places = self._known(image, places)
        whole = Edit(image.clone(), torch.zeros_like(image[:, :1]), image.clone())
        for number, step in enumerate(steps_of(self.op)):
            if isinstance(step, MaskOp):
                return Edit(whole.image, self._mask(step, whole.image, places), whole.image)
            chosen = self._to_edit(number, step, whole.image, places, left)
            for draw, those in draws_in(step, chosen):
                predicted = self.predict(draw, whole.image, those)
                for photo, band in ((one.spot.photo, band) for one in predicted for band in one.bands(whole.image)):
                    region = photo, slice(None), band.rows, band.columns
                    # copies, because what is written into the result must not change what gradients need
                    before = Edit(band.own, whole.mask[region].clone(), whole.raw[region].clone())
                    after = compose(before, Edit(band.image, band.mask, band.raw))
                    for part, now in zip(whole, after, strict=True):
                        part[region] = now
        return whole

    def find(self, image: Tensor) -> list[Sequence[FrameLike]]:
        """Return the chosen places of every photo.

        Raises:
            FrameError: if one has none, unless such photos are kept.
        """
        check_image(image)
        found = []
        for photo in torch.split(image, 1):
            with torch.no_grad():
                found.append(self.choose(self.aligner.find(photo)))
        return found

    def choose(self, places: Sequence[FrameLike]) -> Sequence[FrameLike]:
        """Return those that are meant of a photo's places.

        Args:
            places: all that the aligner found, the largest first.

        Raises:
            FrameError: if there are none, unless such photos are kept.
        """
        return choose(places, self.which, noun_of(self.aligner), self.missing)

    def _known(self, image: Tensor, places: Places | None) -> Places:
        places = self.find(image) if places is None else places
        if not _are_places(places, len(image)):
            raise ConfigurationError(
                f"expected places as one sequence for each of the {len(image)} photos, such as [[frame]], got "
                f"{places!r}"
            )
        return places

    @torch.no_grad()
    def _to_edit(self, number: int, step: nn.Module, image: Tensor, places: Places, left: Left | None) -> Places:
        """Return the places where a step has something to do: decided once for all its predictions and views."""
        if not isinstance(step, OneInput) or (decision := step.decision) is None:
            return places
        spots = spots_in(image, places, step.frame, FINENESS * max(step.frame_size))
        idle: set[tuple[int, int]] = set()
        for numbers, _, batch in self._batches(image, spots, False, 1):
            something = decision(to_frame(step.model, batch)).tolist()
            idle |= {spots[index].place for index, some in zip(numbers, something, strict=True) if not some}
        if left is not None:
            for photo, place in sorted(idle):
                left(number, photo, places[photo][place])
        return [
            [place for index, place in enumerate(those) if (photo, index) not in idle]
            for photo, those in enumerate(places)
        ]

    def predict(self, draw: Draw, image: Tensor, places: Places) -> list[Drawn]:
        """Return what one prediction draws in every place, to be rendered in this order.

        The places of all photos, and all views of them, share batches of the networks.

        Args:
            draw: the prediction, from :func:`mbu_ops.frames.drawing.draws_in`.
            image: as in :meth:`forward`.
            places: those of each photo where it is to be made.
        """
        spots = spots_in(image, places, draw.frame, draw.limit)
        # a copy, because what is written into the image must not change what gradients need
        before = image.clone() if image.requires_grad else image
        drawn: dict[int, Drawn] = {}
        for numbers, views, batch in self._batches(before, spots, draw.mirrors, self.views):
            seen = draw.see(batch)
            own = seen[: len(numbers)]
            # who takes the guide's pixels has no use for other views
            layer = None if draw.guide is None else draw.predict(own)
            if layer is None or (layer.guide is None and views is not None):
                layer = draw.predict(seen)
                layer = layer if views is None else layer.averaged(views, own)
            if any(spots[number].is_finer(own) for number in numbers):
                layer = layer.keeping(own, draw.detail)
            for index, number in enumerate(numbers):
                drawn[number] = Drawn(spots[number], layer.one(index), own[index : index + 1], draw.guide)
        return [drawn[number] for number in range(len(spots))]

    def _mask(self, op: MaskOp, image: Tensor, places: Places) -> Tensor:
        """Return the masks of all places on black; where places overlap the larger value counts."""
        spots = spots_in(image, places, op.frame, FINENESS * max(op.frame_size))
        result = image.new_zeros(image.shape[0], op.channels, *image.shape[-2:])
        for numbers, views, batch in self._batches(image, spots, op.mirrors, self.views):
            masks = op.predict(to_frame(op.model, batch))
            masks = masks if views is None else averaged_masks(masks, views)
            for number, mask in zip(numbers, torch.split(masks, 1), strict=True):
                for rows, columns, soft, inside in mask_bands(mask, spots[number].area, image):
                    region = spots[number].photo, slice(None), rows, columns
                    result[region] = torch.maximum(result[region].clone(), op.finish(soft * inside))
        return result

    def _batches(
        self, image: Tensor, spots: Sequence[Spot], mirrors: bool, count: int
    ) -> Iterator[tuple[list[int], Tensor | None, Tensor]]:
        """Yield which spots share a batch, their views if there are several, and what networks see.

        That is ``(V * N, 3, h, w)``: all spots' first view, all spots' second view and so on.
        """
        alike: dict[tuple[int, int, float], list[int]] = {}
        for number, spot in enumerate(spots):
            alike.setdefault((*spot.size, round(spot.area.height / spot.area.width, 3)), []).append(number)
        for group in alike.values():
            area, size = spots[group[0]].area, spots[group[0]].size
            views = view_matrices(count, mirrors, area.height, area.width) if count > 1 else None
            for start in range(0, len(group), self.batch_size):
                numbers = group[start : start + self.batch_size]
                cuts = [
                    extract(image[spots[number].photo], spots[number].area, size, () if views is None else views)
                    for number in numbers
                ]
                yield numbers, views, torch.stack(cuts, 1).flatten(0, 1)

    def __repr__(self) -> str:
        aligner = type(self.aligner).__name__ if isinstance(self.aligner, nn.Module) else self.aligner
        settings = f"which={self.which!r}, views={self.views}, missing={self.missing!r}"
        return f"{type(self).__name__}({self.op!r}, aligner={aligner}, {settings})"


def _are_places(places: object, photos: int) -> bool:
    return (
        isinstance(places, Sequence)
        and len(places) == photos
        and all(isinstance(those, Sequence) and all(hasattr(one, "rectangle") for one in those) for those in places)
    )


def check_views(views: object) -> None:
    """Check a number of views.

    Raises:
        ConfigurationError: if it is none.
    """
    if type(views) is not int or not 1 <= views <= len(VIEWS):
        raise ConfigurationError(f"expected 1 to {len(VIEWS)} views, got {views!r}")
