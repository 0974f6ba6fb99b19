"""Masks of parts of photos: read in the places that an aligner finds, and edited there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mbu_ops.errors import ShapeError
from mbu_ops.families.aligning import Aligner, FrameLike
from mbu_ops.frames.aligners import noun_of
from mbu_ops.frames.choice import Which, check_which, choose
from mbu_ops.frames.framed import Framed
from mbu_ops.functional.check import check_image, check_labels
from mbu_ops.functional.render import BAND, mask_bands
from mbu_ops.ops.method import to_frame
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import UNSPECIFIED, Reshape


class FramedParse(nn.Module):
    """Tell the parts of what an aligner finds in photos; all the rest is part 0, the background.

    Args:
        op: what parses a place.
        aligner: what finds the places, as for :class:`mbu_ops.Framed`.
        which: which of them to parse, as for :class:`mbu_ops.Framed`.

    Example:
        >>> import torch
        >>> from mbu_ops.frames.box import Box
        >>> from mbu_ops.testing import tiny_parsing
        >>> parse = FramedParse(Parse(tiny_parsing()), Box.parse("10,10,50,50"))
        >>> labels = parse(torch.rand(1, 3, 60, 90))
        >>> labels.shape, labels[..., 50:].max().item()
        (torch.Size([1, 1, 60, 90]), 0)
    """

    def __init__(self, op: Parse, aligner: Aligner, which: Which = "all") -> None:
        super().__init__()
        check_which(which)
        self.op, self.aligner, self.which = op, aligner, which

    @torch.no_grad()
    def forward(self, image: Tensor, places: Sequence[Sequence[FrameLike]] | None = None) -> Tensor:
        """Return the number of each pixel's part; of places that overlap, the larger counts.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            places: those of each photo where they are known.

        Returns:
            ``(B, 1, H, W)`` uint8.

        Raises:
            FrameError: if nothing is found in one of the photos.
        """
        check_image(image)
        labels = torch.zeros_like(image[:, :1], dtype=torch.uint8)
        for index, photo in enumerate(torch.split(image, 1)):
            if places is not None:
                chosen = places[index]
            else:
                chosen = choose(self.aligner.find(photo), self.which, noun_of(self.aligner))
            for place in (one.part(self.op.frame) for one in chosen):
                cut = place.cut(photo, 2 * max(self.op.frame_size))
                shares = self.op.predict(to_frame(self.op.model, cut))
                pixels = BAND // shares.shape[1]  # a large photo must not need gigabytes
                for rows, columns, found, inside in mask_bands(shares, place.rectangle, photo, pixels):
                    before = labels[index : index + 1, :, rows, columns]
                    free = (before == 0) & (inside > 0)
                    before.copy_(torch.where(free, found.argmax(1, keepdim=True).to(torch.uint8), before))
        return labels


class FramedReshape(nn.Module):
    """Redraw what an aligner finds in photos to fit edited masks of the whole photos.

    Args:
        op: what redraws a place.
        aligner: what finds the places, as for :class:`mbu_ops.Framed`.
        which: which of them to edit, as for :class:`mbu_ops.Framed`.

    Example:
        >>> import torch
        >>> from mbu_ops.frames.box import Box
        >>> from mbu_ops.testing import tiny_portrait
        >>> model, box, photo = tiny_portrait(), Box.parse("10,10,50,50"), torch.rand(1, 3, 60, 90)
        >>> labels = FramedParse(Parse(model), box)(photo)
        >>> edit = FramedReshape(Reshape(model), box)
        >>> torch.equal(edit(photo, labels), photo)
        True
    """

    def __init__(self, op: Reshape, aligner: Aligner, which: Which = "all") -> None:
        super().__init__()
        check_which(which)
        self.op, self.aligner, self.which = op, aligner, which
        self.parse = FramedParse(Parse(op.model), aligner, which)  # type: ignore[arg-type]
        self.parse.op.frame = op.frame

    def forward(self, image: Tensor, labels: Tensor) -> Tensor:
        """Return the photos with the shapes of masks.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            labels: ``(B, 1, H, W)`` numbers of parts, of the photos' size: those of :class:`FramedParse`, edited.

        Returns:
            Same shape and dtype as ``image``.

        Raises:
            FrameError: if nothing is found in one of the photos.
            ShapeError: if the labels are of another size.
        """
        check_image(image)
        check_labels(labels)
        if (len(labels), *labels.shape[-2:]) != (len(image), *image.shape[-2:]):
            raise ShapeError(
                f"expected labels of the photos' size {tuple(image.shape[-2:])}, one for each of the {len(image)}, got "
                f"{tuple(labels.shape)}"
            )
        results = []
        for photo, wanted in zip(torch.split(image, 1), torch.split(labels, 1), strict=True):
            places = choose(self.aligner.find(photo), self.which, noun_of(self.aligner))
            own = self.parse(photo, [places])
            changed = torch.where(wanted == own, UNSPECIFIED, wanted)
            edited = photo
            for place in places:
                bound = self.op.bind(self._cut(changed, place.part(self.op.frame), photo))
                edited = Framed(bound, self.aligner)(edited, [[place]])
            results.append(edited)
        return torch.cat(results)

    def _cut(self, labels: Tensor, place: FrameLike, photo: Tensor) -> Tensor:
        """Return the labels of a place, upright."""
        numbers = torch.unique(labels)
        limit = 2 * max(self.op.frame_size)
        shares = torch.cat([place.cut((labels == number).to(photo.dtype), limit) for number in numbers], 1)
        cut: Tensor = numbers[shares.argmax(1, keepdim=True)]
        return cut
