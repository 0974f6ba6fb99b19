"""A chain on batches of pictures, and what it made of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from mbu_ops.errors import (
    ConfigurationError,
    FrameError,
    ImageFileError,
    MBUOpsError,
    PluginError,
    is_out_of_memory,
)
from mbu_ops.families.frames import WHOLE_FRAME
from mbu_ops.frames.box import Box
from mbu_ops.frames.drawing import names_of, steps_of
from mbu_ops.frames.framed import Framed, Left
from mbu_ops.frames.windows import windows
from mbu_ops.functional.render import BAND
from mbu_ops.images.file import ImageFile, Pixels
from mbu_ops.images.writer import quantise, to_samples
from mbu_ops.limits import current_limits
from mbu_ops.ops.bound import makes_mask
from mbu_ops.ops.edit import Edit, compose, edit_with
from mbu_ops.ops.one_input import left_by

if TYPE_CHECKING:
    from mbu_ops.families.aligning import Aligner, FrameLike


_log = logging.getLogger(__name__)


class Result(NamedTuple):
    """What the chain made of a picture.

    Attributes:
        image: ``(3, H, W)`` in [0, 1], or samples ``(H, W, 3)`` of the picture's depth; None if the chain makes masks.
        mask: ``(1, H, W)`` in [0, 1], or samples ``(H, W)`` of 8 bits; None if nobody asked for it.
        places: every place that was found, and whether it was edited; empty if pictures are edited whole.
        idle: the steps that had nothing to do anywhere in it.
        same: whether no step had anything to do, so that the picture is as it was.
    """

    image: Tensor | Pixels | None
    mask: Tensor | Pixels | None
    places: tuple[tuple[FrameLike, bool], ...] = ()
    idle: tuple[str, ...] = ()
    same: bool = False


_Edited: TypeAlias = "Result | MBUOpsError"
_ImageAndMask = tuple["Tensor | Pixels | None", "Tensor | Pixels | None"]
_Idle = list[tuple[int, "FrameLike"]]
"""Steps that leave places as they are."""

_IMAGE, _MASK = 12, 4
"""Bytes of a pixel in tensors."""

_SHRUNK = 3
"""An aligner searches a large photo that has at least so many times as many pixels a side as it looks at."""


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
        if not self.works_in_windows:
            return self.bytes_in_tensors
        # samples of the result, and what it takes to encode them
        return 10 + (2 if self.wants_mask or self.makes_mask else 0)

    @property
    def bytes_in_tensors(self) -> int:
        """The same for each pixel that becomes a tensor."""
        if not isinstance(self.op, Framed):
            return 6 * _IMAGE + 2 * _MASK + (_IMAGE + _MASK if self.wants_mask else 0)
        # what is rendered is some bands of it
        return 3 * _IMAGE + (_IMAGE + 2 * _MASK if self.wants_mask else 0)

    @property
    def works_in_windows(self) -> bool:
        """Whether only what is around the places of a picture becomes a tensor: where places share no batch anyway."""
        return isinstance(self.op, Framed) and self.device.type == "cpu"

    def __call__(self, images: Tensor) -> list[_Edited]:
        """Edit a batch.

        Args:
            images: ``(B, 3, H, W)`` RGB in [0, 1], on the CPU.

        Returns:
            For each picture the result, on the CPU, or why there is none.

        Raises:
            ConfigurationError: if memory does not hold the batch, or not even one picture.
        """
        return self._in_parts(images, lambda first, last: self._edit(images[first:last].to(self.device)))

    def edit_files(self, files: Sequence[ImageFile]) -> list[_Edited]:
        """Edit decoded pictures of one size, as :meth:`__call__` does, with less memory for large ones.

        Args:
            files: the pictures.

        Returns:
            As :meth:`__call__`.

        Raises:
            ConfigurationError: as :meth:`__call__`.
        """
        if isinstance(framed := self.op, Framed) and self.works_in_windows:
            return self._in_parts(
                files, lambda first, last: [self._in_windows(framed, file) for file in files[first:last]]
            )
        tensors = [file.to_tensor() for file in files]
        # a large one comes alone, and its copy would be large
        return self(tensors[0][None] if len(tensors) == 1 else torch.stack(tensors))

    def _in_parts(self, pictures: Sized, edit: Callable[[int, int], list[_Edited]]) -> list[_Edited]:
        """Return what is made of pictures, of as many at a time as memory holds."""
        results: list[_Edited] = []
        while len(results) < len(pictures):
            first, last = len(results), min(len(results) + self.batch_size, len(pictures))
            try:
                results += edit(first, last)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if not self.adapts or not self._halve(last - first):
                    advice = "this picture is too large for it" if last - first == 1 else "use a smaller --batch-size"
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
    def _edit(self, images: Tensor) -> list[_Edited]:
        if not isinstance(self.op, Framed):
            return self._whole(images)
        results: list[_Edited] = []
        found: dict[int, tuple[Sequence[FrameLike], Sequence[FrameLike]]] = {}
        for index, image in enumerate(torch.split(images, 1)):
            try:
                places = self.op.aligner.find(image)
                found[index] = places, self.op.choose(places)
                results.append(Result(None, None))
            except (FrameError, PluginError) as error:  # one picture with nothing to edit must not cost the others
                results.append(error)
        if found:
            left: list[tuple[int, int, FrameLike]] = []
            edited = self._results(
                self.op,
                images if len(found) == len(images) else images[list(found)],
                [chosen for _, chosen in found.values()],
                _noting(left),
            )
            for photo, (index, image_and_mask) in enumerate(zip(found, edited, strict=True)):
                idle = [(step, place) for step, where, place in left if where == photo]
                results[index] = self._result(image_and_mask, *found[index], idle)
        return results

    @torch.inference_mode()
    def _in_windows(self, framed: Framed, file: ImageFile) -> _Edited:
        """Edit what is around a picture's places, and leave the rest as its file has it."""
        try:
            places = find_in(framed.aligner, file)
            chosen = framed.choose(places)
        except (FrameError, PluginError) as error:
            return error
        height, width = file.height, file.width
        specs = [getattr(step, "frame", WHOLE_FRAME) for step in steps_of(framed.op)]
        around = windows(chosen, specs, height, width)
        limits = current_limits()
        if (needed := self.bytes_in_tensors * sum(one.pixels for one in around)) > limits.max_memory:
            return ImageFileError(
                f"expected at most {limits.max_memory / 1e9:g} GB of memory, and what is edited in {width} x {height} "
                f"pixels needs about {needed / 1e9:.1f} GB; shrink it, or raise max_memory"
            )
        samples = None if self.makes_mask else file.pixels.copy() if around else file.pixels
        mask = np.zeros((height, width), np.uint8) if self.makes_mask or self.wants_mask else None
        idle: _Idle = []
        for window in around:
            part = replace(file, pixels=file.pixels[window.region])
            here = [chosen[number].moved(-window.left, -window.top) for number in window.places]
            left: list[tuple[int, int, FrameLike]] = []
            ((image, there),) = self._results(framed, part.to_tensor()[None], [here], _noting(left))
            idle += [(step, chosen[window.places[here.index(place)]]) for step, _, place in left]
            if samples is not None and image is not None:
                samples[window.region] = to_samples(image, 8 * samples.dtype.itemsize)
            if mask is not None and there is not None:
                mask[window.region] = quantise(there[0].float().numpy(), 8)
        return self._result((samples, mask), places, chosen, idle)

    def _result(
        self, image_and_mask: _ImageAndMask, found: Sequence[FrameLike], chosen: Sequence[FrameLike], idle: _Idle
    ) -> Result:
        """Return a result that tells which places were edited, and which steps had nothing to do."""
        steps = range(len(self.names))
        edits = [place for place in chosen if not all((step, place) in idle for step in steps)]
        marked = tuple((place, place in edits) for place in found)
        nothing = [all((step, place) in idle for place in chosen) for step in steps]
        return Result(*image_and_mask, marked, tuple(compress(self.names, nothing)), not edits)

    def _whole(self, images: Tensor) -> list[_Edited]:
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
    ) -> Iterator[tuple[Tensor | None, Tensor | None]]:
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


def _noting(left: list[tuple[int, int, FrameLike]]) -> Left:
    return lambda step, photo, place: left.append((step, photo, place))


def find_in(aligner: Aligner, file: ImageFile) -> Sequence[FrameLike]:
    """Return the places in a picture, of which an aligner sees no more than it looks at."""
    if isinstance(aligner, Box):  # which looks at nothing
        return (aligner,)
    largest = getattr(aligner, "largest", None)
    times = 1
    if type(largest) is int and largest > 0:
        times = max(1, min(max(file.height, file.width) // (_SHRUNK * largest), file.height, file.width))
    photo = file if times == 1 else file.shrunk(times)
    places = aligner.find(photo.to_tensor()[None])
    return places if times == 1 else [place.moved(0, 0, times) for place in places]


def unframed(op: nn.Module) -> nn.Module:
    """Return the op that works in frames, or the op itself where it works on whole pictures.

    Example:
        >>> from mbu_ops.frames.box import Box
        >>> unframed(Framed(nn.Identity(), Box(0, 0, 8, 8)))
        Identity()
    """
    return op.op if isinstance(op, Framed) else op
