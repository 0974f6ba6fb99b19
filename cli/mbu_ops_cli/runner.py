"""Edit many pictures with flat memory: threads read ahead and write behind, the main thread computes in batches."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError, FrameError, MBUOpsError, PluginError, is_out_of_memory
from mbu_ops.frames.aligners import noun_of
from mbu_ops.frames.frame import Frame
from mbu_ops.frames.framed import Framed, Left, choose, steps_of
from mbu_ops.images import ImageFile, count_pixels, encode, encode_mask, read, write, write_bytes, write_mask
from mbu_ops.images.writer import format_of
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.edit import Edit, compose, edit_with
from mbu_ops.ops.one_input import left_by
from mbu_ops_cli.jobs import Job, Summary

if TYPE_CHECKING:
    from mbu_ops.frames.frame import Placed

PIXELS_IN_FLIGHT = 8_000_000
"""About how many pixels may be read ahead, and as many be on their way to a file: some 100 MB with float32 copies."""

THREADS = min(8, os.cpu_count() or 1)


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
    places: tuple[tuple[Placed, bool], ...] = ()
    idle: tuple[str, ...] = ()
    same: bool = False


_ImageAndMask = tuple[Tensor | None, Tensor | None]


class Editor:
    """The chain on pictures: on all of each, or on the places that an aligner finds.

    Args:
        op: the edits, framed or not.
        device: where they are.
        wants_mask: whether the mask of what changed is needed.
        batch_size: most pictures at a time; None tries 16 and halves it where memory runs out.
    """

    def __init__(
        self, op: Chain | Framed, device: torch.device, wants_mask: bool = False, batch_size: int | None = 16
    ) -> None:
        self.op = op
        self.device = device
        self.wants_mask = wants_mask
        self.adapts = batch_size is None
        self.batch_size = batch_size or 16
        chain = op.op if isinstance(op, Framed) else op
        self.names = chain.names if isinstance(chain, Chain) else (type(chain).__name__,)

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
            return True
        if isinstance(self.op, Framed) and self.op.batch_size > 1:
            self.op.batch_size //= 2
            return True
        return False

    @torch.inference_mode()
    def _edit(self, images: Tensor) -> list[Result | MBUOpsError]:
        if not isinstance(self.op, Framed):
            return self._whole(images)
        found: list[Sequence[Placed]] = []
        chosen: dict[int, Sequence[Placed]] = {}
        results: list[Result | MBUOpsError] = []
        for index, image in enumerate(torch.split(images, 1)):
            places: Sequence[Placed] = ()
            try:
                places = self.op.aligner.find(image)
                chosen[index] = choose(places, self.op.which, noun_of(self.op.aligner))
                results.append(Result(None, None))
            except (FrameError, PluginError) as error:  # one picture with nothing to edit must not cost the others
                results.append(error)
            found.append(places)
        if chosen:
            left: dict[int, list[tuple[int, Placed]]] = {}
            edited = self._results(
                self.op,
                images[list(chosen)],
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
            edit = edit_with(step, before)
            whole = edit if whole is None or not self.wants_mask else compose(whole, edit)
        assert whole is not None  # noqa: S101 - a chain has steps
        idle = torch.stack(left, 1).cpu()
        makes_mask = self.op.makes_mask
        result = None if makes_mask else whole.image.cpu()
        mask = whole.mask.cpu() if makes_mask or self.wants_mask else None
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
        self, framed: Framed, images: Tensor, places: Sequence[Sequence[Placed]], left: Left
    ) -> Iterator[_ImageAndMask]:
        image: Tensor | None = None
        mask: Tensor | None = None
        if framed.makes_mask:
            mask = framed(images, places, left).cpu()
        elif not self.wants_mask:
            image = framed(images, places, left).cpu()
        else:
            edit = framed.edit(images, places, left)
            image, mask = edit.image.cpu(), edit.mask.cpu()
        for index in range(len(images)):
            yield None if image is None else image[index], None if mask is None else mask[index]


class _Decoded(NamedTuple):
    job: Job
    image: ImageFile


class Runner:
    """Reads, edits and writes; a picture that fails is noted and the rest go on.

    Args:
        edit: makes results of a batch.
        batch_size: most pictures in a batch; pictures of one size share batches.
        overwrite: replace existing results.
        advance: called once for every finished picture.
    """

    def __init__(self, edit: Editor, batch_size: int, overwrite: bool, advance: Callable[[], None]) -> None:
        self.edit = edit
        self.batch_size = batch_size
        self.overwrite = overwrite
        self.advance = advance
        self.summary = Summary()
        self._window = batch_size + THREADS
        self._idle: dict[Job, tuple[str, ...]] = {}

    def run(self, jobs: Iterable[Job]) -> Summary:
        """Do all jobs.

        Raises:
            KeyboardInterrupt: on Ctrl-C; results already begun are finished or leave nothing behind.
        """
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mbu-ops")
        try:
            writes: dict[Future[None], _Decoded] = {}
            for batch in self._batches(self._decode(pool, jobs)):
                writes |= self._start_writes(pool, batch)
                while len(writes) > 1 and (len(writes) > self._window or _total(writes.values()) > PIXELS_IN_FLIGHT):
                    self._finish(writes, wait(writes, return_when=FIRST_COMPLETED).done)
            self._finish(writes, wait(writes).done)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return self.summary

    def _fail(self, job: Job, error: Exception) -> None:
        # an error that nobody foresaw is a bug, and its text alone may say nothing
        reason = str(error) if isinstance(error, MBUOpsError) else f"{type(error).__name__}: {error}"
        self.summary.failed.append((job, reason))
        self.advance()

    def _decode(self, pool: ThreadPoolExecutor, jobs: Iterable[Job]) -> Iterator[_Decoded]:
        """Read ahead, in order, as far as the pictures' headers say that there is room."""
        ahead: deque[tuple[Job, int, Future[ImageFile]]] = deque()
        remaining = ((job, count_pixels(job.source) if job.source else 0) for job in jobs)
        following = next(remaining, None)

        def read_ahead() -> None:
            nonlocal following
            pixels = sum(one for _, one, _ in ahead)
            while following and len(ahead) < self._window and (not ahead or pixels + following[1] <= PIXELS_IN_FLIGHT):
                ahead.append((*following, pool.submit(_read, following[0])))
                pixels += following[1]
                following = next(remaining, None)

        read_ahead()
        while ahead:
            job, _, future = ahead.popleft()
            read_ahead()  # before the picture is edited, so that threads have work meanwhile
            try:
                image = future.result()
            except Exception as error:  # one picture's trouble, whatever it is, must not cost the others
                self._fail(job, error)
                continue
            yield _Decoded(job, image)

    def _batches(self, pictures: Iterable[_Decoded]) -> Iterator[list[_Decoded]]:
        """Gather pictures of one size, holding back no more than a few batches of odd sizes."""
        waiting: dict[tuple[int, int], list[_Decoded]] = {}
        for picture in pictures:
            size = picture.image.height, picture.image.width
            group = waiting.setdefault(size, [])
            group.append(picture)
            if len(group) >= self.batch_size or len(group) * _pixels(picture.image) >= PIXELS_IN_FLIGHT // 2:
                yield waiting.pop(size)
            held = [item for group in waiting.values() for item in group]
            if len(held) >= 2 * self.batch_size or _total(held) >= PIXELS_IN_FLIGHT:
                yield waiting.pop(max(waiting, key=lambda key: len(waiting[key])))
        yield from waiting.values()

    def _start_writes(self, pool: ThreadPoolExecutor, batch: Sequence[_Decoded]) -> dict[Future[None], _Decoded]:
        results: Sequence[Result | MBUOpsError]
        try:
            results = self.edit(torch.stack([picture.image.to_tensor() for picture in batch]))
        except MBUOpsError as error:
            results = [error] * len(batch)
        writes = {}
        for picture, result in zip(batch, results, strict=True):
            if isinstance(result, MBUOpsError):
                self._fail(picture.job, result)
            else:
                writes[pool.submit(_write, picture.job, result, picture.image, self.overwrite)] = picture
                self._idle[picture.job] = result.idle
        return writes

    def _finish(self, writes: dict[Future[None], _Decoded], done: Iterable[Future[None]]) -> None:
        for future in done:
            job = writes.pop(future).job
            try:
                future.result()
            except Exception as error:  # as in reading
                self._fail(job, error)
                continue
            self.summary.written.append(job)
            for step in self._idle.pop(job):
                self.summary.idle.append((step, job))
            self.advance()


def _pixels(image: ImageFile) -> int:
    return image.height * image.width


def _total(pictures: Iterable[_Decoded]) -> int:
    return sum(_pixels(picture.image) for picture in pictures)


def _read(job: Job) -> ImageFile:
    return read(sys.stdin.buffer if job.source is None else job.source)


def _write(job: Job, result: Result, like: ImageFile, overwrite: bool) -> None:
    image, mask, places, _, same = result
    # before the picture: where the picture is there, what belongs to it is too
    if job.mask is not None and mask is not None:
        write_mask(job.mask, mask, overwrite=overwrite)
    if job.boxes is not None:
        write_bytes(job.boxes, _boxes(places, like), overwrite=overwrite)
    if job.target is None:
        data = encode(image, like) if image is not None else encode_mask(_known(mask))
        # a buffer of its own: what a full disk refuses must not be tried again when the process ends
        with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
            stream.write(data)
    elif same and job.source is not None and format_of(job.target) == like.kind.format:
        write_bytes(job.target, job.source.read_bytes(), overwrite=overwrite)  # to encode it again would change it
    elif image is not None:
        write(job.target, image, like, overwrite=overwrite)
    else:
        write_mask(job.target, _known(mask), overwrite=overwrite)


def _boxes(places: Sequence[tuple[Placed, bool]], image: ImageFile) -> bytes:
    """Return what was found as JSON text."""
    faces = [
        {
            **{name: round(value, 4) for name, value in asdict(place).items()},
            "corners": [[round(value, 2) for value in corner] for corner in place.corners],
            "edited": edited,
        }
        for place, edited in places
        if isinstance(place, Frame)
    ]
    return (json.dumps({"width": image.width, "height": image.height, "faces": faces}, indent=2) + "\n").encode()


def _known(mask: Tensor | None) -> Tensor:
    assert mask is not None  # noqa: S101  (a result holds at least one of image and mask)
    return mask
