"""A chain on batches of pictures, and what it made of each."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, FrameError, MBUOpsError, PluginError, is_out_of_memory
from mbu_ops.frames.drawing import names_of, steps_of
from mbu_ops.frames.framed import Framed, Left
from mbu_ops.functional.render import BAND
from mbu_ops.ops.bound import makes_mask
from mbu_ops.ops.edit import Edit, compose, edit_with
from mbu_ops.ops.one_input import left_by

if TYPE_CHECKING:
    from mbu_ops.families.aligning import FrameLike


_log = logging.getLogger(__name__)


class Result(NamedTuple):
    """What the chain made of a picture.

    Attributes:
        image: ``(3, H, W)`` in [0, 1]; None if the chain makes masks.
        mask: ``(1, H, W)`` in [0, 1]; None if nobody asked for it.
        places: every place that was found, and whether it was edited; empty if pictures are edited whole.
        idle: the steps that had nothing to do anywhere in it.
        same: whether no step had anything to do, so that the picture is as it was.
    """

    image: Tensor | None
    mask: Tensor | None
    places: tuple[tuple[FrameLike, bool], ...] = ()
    idle: tuple[str, ...] = ()
    same: bool = False


_ImageAndMask = tuple[Tensor | None, Tensor | None]


class Editor:
    """The chain on pictures: on all of each, or on the places that an aligner finds.

    Args:
        op: the edits, framed or not: a chain, an op that was told all but the image, or any module from images to
            images.
        device: where it is.
        wants_mask: whether the mask of what changed is needed.
        batch_size: most pictures at a time; None tries 16 and halves it where memory runs out.
    """

    def __init__(
        self, op: nn.Module, device: torch.device, wants_mask: bool = False, batch_size: int | None = 16
    ) -> None:
        self.op = op
        self.device = device
        self.wants_mask = wants_mask
        self.adapts = batch_size is None
        self.batch_size = batch_size or 16
        chain = unframed(op)
        self.makes_mask = makes_mask(chain)
        self.names = names_of(chain)

    @property
    def bytes_per_pixel(self) -> int:
        """About how many bytes of memory a large picture takes for each of its pixels, the picture itself included."""
        image, mask = 12, 4
        if not isinstance(self.op, Framed):
            return 5 * image + 2 * mask + (image + mask if self.wants_mask else 0)
        # what is rendered is some bands of it
        return 3 * image + (image + 2 * mask if self.wants_mask else 0)

    def __call__(self, images: Tensor) -> list[Result | MBUOpsError]:
        """Edit a batch.

        Args:
            images: ``(B, 3, H, W)`` RGB in [0, 1], on the CPU.

        Returns:
            For each picture the result, on the CPU, or why there is none.

        Raises:
            ConfigurationError: if memory does not hold the batch, or not even one picture.
        """
        results: list[Result | MBUOpsError] = []
        while len(results) < len(images):
            part = images[len(results) : len(results) + self.batch_size]
            try:
                results += self._edit(part.to(self.device))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if not self.adapts or not self._halve(len(part)):
                    advice = "this picture is too large for it" if len(part) == 1 else "use a smaller --batch-size"
                    raise ConfigurationError(f"{self.device} is out of memory; {advice} ({error})") from None
        return results

    def _halve(self, pictures: int) -> bool:
        """Take half as many pictures from now on, or half as many places in one; False where there is but one."""
        if pictures > 1:
            self.batch_size = pictures // 2
            _log.info("memory ran out: %d pictures at a time from now on", self.batch_size)
            return True
        if isinstance(self.op, Framed) and self.op.batch_size > 1:
            self.op.batch_size //= 2
            return True
        return False

    @torch.inference_mode()
    def _edit(self, images: Tensor) -> list[Result | MBUOpsError]:
        if not isinstance(self.op, Framed):
            return self._whole(images)
        found: list[Sequence[FrameLike]] = []
        chosen: dict[int, Sequence[FrameLike]] = {}
        results: list[Result | MBUOpsError] = []
        for index, image in enumerate(torch.split(images, 1)):
            places: Sequence[FrameLike] = ()
            try:
                places = self.op.aligner.find(image)
                chosen[index] = self.op.choose(places)
                results.append(Result(None, None))
            except (FrameError, PluginError) as error:  # one picture with nothing to edit must not cost the others
                results.append(error)
            found.append(places)
        if chosen:
            left: dict[int, list[tuple[int, FrameLike]]] = {}
            edited = self._results(
                self.op,
                images if len(chosen) == len(images) else images[list(chosen)],
                list(chosen.values()),
                lambda step, photo, place: left.setdefault(photo, []).append((step, place)),
            )
            for photo, (index, image_and_mask) in enumerate(zip(chosen, edited, strict=True)):
                places, idle = chosen[index], left.get(photo, [])
                alone = [all((step, place) in idle for step in range(len(self.names))) for place in places]
                edits = [place for place, stays in zip(places, alone, strict=True) if not stays]
                marked = tuple((place, place in edits) for place in found[index])
                nothing = [all((step, place) in idle for place in places) for step in range(len(self.names))]
                results[index] = Result(*image_and_mask, marked, tuple(compress(self.names, nothing)), not edits)
        return results

    def _whole(self, images: Tensor) -> list[Result | MBUOpsError]:
        """Edit whole pictures, step by step, and note which steps leave them as they are."""
        whole: Edit | None = None
        left = []
        for step in steps_of(self.op):
            before = images if whole is None else whole.image
            left.append(left_by(step, before))
            # an edit of large pictures takes time and memory, also where it is none
            if images[0, 0].numel() > BAND and left[-1].all():
                edit = Edit(before, torch.zeros_like(before[:, :1]), before)
            else:
                edit = edit_with(step, before)
            whole = edit if whole is None or not self.wants_mask else compose(whole, edit)
        assert whole is not None  # noqa: S101 - a chain has steps
        idle = torch.stack(left, 1).cpu()
        result = None if self.makes_mask else whole.image.cpu()
        mask = whole.mask.cpu() if self.makes_mask or self.wants_mask else None
        return [
            Result(
                None if result is None else result[index],
                None if mask is None else mask[index],
                (),
                tuple(compress(self.names, nothing.tolist())),
                bool(nothing.all()),
            )
            for index, nothing in enumerate(idle)
        ]

    def _results(
        self, framed: Framed, images: Tensor, places: Sequence[Sequence[FrameLike]], left: Left
    ) -> Iterator[_ImageAndMask]:
        image: Tensor | None = None
        mask: Tensor | None = None
        if self.makes_mask:
            mask = framed(images, places, left).cpu()
        elif not self.wants_mask:
            image = framed(images, places, left).cpu()
        else:
            edit = framed.edit(images, places, left)
            image, mask = edit.image.cpu(), edit.mask.cpu()
        for index in range(len(images)):
            yield None if image is None else image[index], None if mask is None else mask[index]


def unframed(op: nn.Module) -> nn.Module:
    """Return the op that works in frames, or the op itself where it works on whole pictures.

    Example:
        >>> from mbu_ops.frames.box import Box
        >>> unframed(Framed(nn.Identity(), Box(0, 0, 8, 8)))
        Identity()
    """
    return op.op if isinstance(op, Framed) else op
