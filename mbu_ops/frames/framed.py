"""Let an op work where something is: in a box of a photo, or on the faces that an aligner finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, FrameError
from mbu_ops.frames.frame import Aligner, Placed
from mbu_ops.frames.views import VIEWS, edit_views
from mbu_ops.functional.blend import blend
from mbu_ops.functional.check import check_image
from mbu_ops.functional.detail import agreement
from mbu_ops.ops.edit import Edit, compose, edit_with

Which = Literal["all", "largest"] | int

BAND = 1 << 20
"""About how many pixels of a place go back at a time: a face that fills a large photo must not need gigabytes."""

_Region = tuple[slice, slice, slice, slice]


class Framed(nn.Module):
    """A one-input op that sees, and changes, only what an aligner finds.

    The places are cut out upright, the op edits them, and its mask and raw pixels (not the blended picture) go back to
    where they came from, to be blended once at the photo's own resolution; detail that the photo has and the networks
    do not see is added to the raw pixels where the edit left the structure alone. What no mask covers stays the photo's
    own, bit for bit. Differentiable with respect to the photo; the places themselves are not.

    Args:
        op: a one-input op: ``Remove``, ``Segment``, a bound op, a chain, or any module from images to images.
        aligner: what finds the places: a :class:`~mbu_ops.frames.box.Box`, a family's aligner (see
            :func:`mbu_ops.aligner`), or anything with a ``find(photo)``.
        which: which of them to edit: all, the largest, or the one of this number, the largest being number 1.
        views: how many slightly moved, turned and mirrored views of each place to edit and average, 1 to 6. What the
            networks draw by chance differs from view to view and fades; it takes as many times as long.

    Raises:
        ConfigurationError: if ``which`` or ``views`` is something else.

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

    def __init__(self, op: nn.Module, aligner: Aligner, which: Which = "all", views: int = 1) -> None:
        super().__init__()
        check_which(which)
        check_views(views)
        self.op = op
        self.aligner = aligner
        self.which = which
        self.views = views
        self.batch_size = 16
        """Most places in a batch of the networks."""

    @property
    def makes_mask(self) -> bool:
        """Whether the result is a mask."""
        return bool(getattr(self.op, "makes_mask", False))

    def forward(self, image: Tensor, places: Sequence[Sequence[Placed]] | None = None) -> Tensor:
        """Return the photo with the op's result in its places.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            places: those of each photo where they are known, as :meth:`find` gives them.

        Returns:
            Same shape and dtype; for an op that makes a mask ``(B, 1, H, W)``, 0 outside the places.

        Raises:
            FrameError: if nothing is found in one of the photos.
            ShapeError: if a place is not inside its photo.
        """
        result = image.new_zeros(image.shape[0], 1, *image.shape[-2:]) if self.makes_mask else image.clone()
        for region, mask, raw in self._placed(image, places):
            # a copy, because what is written into the result must not change what gradients need
            before = result[region].clone()
            result[region] = torch.maximum(before, mask) if self.makes_mask else blend(before, raw, mask)
        return result

    def find(self, image: Tensor) -> list[Sequence[Placed]]:
        """Return the chosen places of every photo.

        Raises:
            FrameError: if one has none.
        """
        check_image(image)
        found = []
        for index in range(image.shape[0]):
            with torch.no_grad():
                places = choose(self.aligner.find(image[index : index + 1]), self.which)
            found.append(places)
        return found

    def edit(self, image: Tensor, places: Sequence[Sequence[Placed]] | None = None) -> Edit:
        """Return the result with its mask, 0 outside the places, and its raw pixels, the photo's own outside them.

        Args:
            image: as in :meth:`forward`.
            places: as in :meth:`forward`.
        """
        whole = Edit(image.clone(), torch.zeros_like(image[:, :1]), image.clone())
        for region, mask, raw in self._placed(image, places):
            before = Edit(*(part[region].clone() for part in whole))
            if self.makes_mask:
                after = Edit(before.image, torch.maximum(before.mask, mask), blend(before.raw, raw, mask))
            else:
                after = compose(before, Edit(blend(before.image, raw, mask), mask, raw))
            for part, now in zip(whole, after, strict=True):
                part[region] = now
        return whole

    def _placed(
        self, image: Tensor, places: Sequence[Sequence[Placed]] | None
    ) -> Iterator[tuple[_Region, Tensor, Tensor]]:
        """Edit every place, and give, band by band, where it lies in the batch, and its mask and raw pixels there.

        Places of one size share a batch. Where networks see less than the photo holds, its own detail is added back
        (see :mod:`mbu_ops.functional.detail`).
        """
        places = self.find(image) if places is None else places
        if len(places) != len(image) or not all(isinstance(those, Sequence) for those in places):
            raise ConfigurationError(
                f"expected places as one sequence for each of the {len(image)} photos, such as [[frame]], got "
                f"{places!r}"
            )
        detail, side = getattr(self.op, "detail", 0.0), getattr(self.op, "frame_side", None)
        # twice the networks' size: smooth mask edges, for a fraction of what a large face would cost
        limit = None if side is None else 2 * side
        photos = enumerate(torch.split(image, 1))
        cuts = [(index, place, place.cut(photo, limit)) for index, photo in photos for place in places[index]]
        edits: dict[int, Tensor] = {}
        batches: dict[torch.Size, list[int]] = {}
        for number, (_, _, cut) in enumerate(cuts):
            batches.setdefault(cut.shape, []).append(number)
        for size in batches.values():
            for start in range(0, len(size), self.batch_size):
                numbers = size[start : start + self.batch_size]
                content = torch.cat([cuts[number][2] for number in numbers])
                mask, raw = self._averaged(content)
                layers = torch.cat([mask, raw, content, detail * agreement(raw, content)], 1)
                edits |= dict(zip(numbers, torch.split(layers, 1), strict=True))
        for number, (index, place, _) in enumerate(cuts):
            photo = image[index : index + 1]
            mask, rest = torch.split(edits.pop(number), [1, 7], 1)
            faded = torch.cat([place.fade(mask), rest], 1)
            left, top, right, bottom = place.bounds(photo)
            height = max(1, BAND // (right - left))
            for first in range(top, bottom, height):
                last = min(first + height, bottom)
                layers = place.spread(faded, photo, (first, last))
                mask, raw, low, share = torch.split(layers, [1, 3, 3, 1], 1)
                region = slice(index, index + 1), slice(None), slice(first, last), slice(left, right)
                yield region, mask, (raw + share * (image[region] - low)).clamp(0, 1)

    def _averaged(self, content: Tensor) -> tuple[Tensor, Tensor]:
        """Return mask and raw pixels of an edit, averaged over the views."""
        if self.views == 1:
            _, mask, raw = edit_with(self.op, content)
            return mask, raw
        return edit_views(self.op, content, self.views)

    def extra_repr(self) -> str:
        """Show the settings in ``repr``."""
        aligner = "" if isinstance(self.aligner, nn.Module) else f"aligner={self.aligner}, "
        return f"{aligner}which={self.which!r}, views={self.views}"


def check_which(which: object) -> None:
    """Check a choice among faces.

    Raises:
        ConfigurationError: if it is none.
    """
    if which not in ("all", "largest") and not (type(which) is int and which >= 1):
        raise ConfigurationError(f"expected 'all', 'largest' or a number from 1 (the largest), got {which!r}")


def check_views(views: object) -> None:
    """Check a number of views.

    Raises:
        ConfigurationError: if it is none.
    """
    if type(views) is not int or not 1 <= views <= len(VIEWS):
        raise ConfigurationError(f"expected 1 to {len(VIEWS)} views, got {views!r}")


def choose(places: Sequence[Placed], which: Which) -> Sequence[Placed]:
    """Return the places that are meant.

    Args:
        places: all of a photo's, the largest first.
        which: see :class:`Framed`.

    Raises:
        FrameError: if there are none, or fewer than the number asked for.
    """
    if not places:
        raise FrameError(
            "expected a face (or what the family edits), found none; name its place (--frame L,T,R,B, in Python a "
            "Box), or, where the picture is cut to it already, edit it whole (--no-align, in Python the op itself)"
        )
    if which == "all":
        return places
    number = 1 if which == "largest" else which
    if number > len(places):
        raise FrameError(f"expected at least {number} faces, found {len(places)}; choose a lower number")
    return places[number - 1 : number]
