"""Edit many pictures with flat memory: threads read ahead and write behind, the main thread computes in batches."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError, MBUOpsError
from mbu_ops.functional.warp import crop, paste
from mbu_ops.images import ImageFile, count_pixels, encode, encode_mask, read, write, write_mask
from mbu_ops_cli.jobs import Job, Summary

if TYPE_CHECKING:
    from mbu_ops.frames.box import Box
    from mbu_ops.ops.bound import Chain

PIXELS_IN_FLIGHT = 8_000_000
"""About how many pixels may be read ahead, and as many be on their way to a file: some 100 MB with float32 copies."""

THREADS = min(8, os.cpu_count() or 1)


class Result(NamedTuple):
    """What the chain made of a batch.

    Attributes:
        image: ``(B, 3, H, W)`` in [0, 1]; None if the chain makes masks.
        mask: ``(B, 1, H, W)`` in [0, 1]; None if nobody asked for it.
    """

    image: Tensor | None
    mask: Tensor | None


class Editor:
    """The chain on whole pictures, within a box of them if there is one.

    Args:
        chain: the edits.
        device: where the chain is.
        box: the part of every picture to edit; None = all of it.
        wants_mask: whether the mask of what changed is needed.
    """

    def __init__(self, chain: Chain, device: torch.device, box: Box | None = None, wants_mask: bool = False) -> None:
        self.chain = chain
        self.device = device
        self.box = (box.left, box.top, box.right, box.bottom) if box is not None else None
        self.wants_mask = wants_mask

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Result:
        """Edit a batch.

        Args:
            images: ``(B, 3, H, W)`` RGB in [0, 1], on the CPU.

        Returns:
            The result, on the CPU.

        Raises:
            ShapeError: if the box is not inside the pictures.
            ConfigurationError: if the device's memory does not hold the batch.
        """
        try:
            return self._edit(images.to(self.device))
        except torch.OutOfMemoryError as error:
            raise ConfigurationError(f"{self.device} is out of memory; use a smaller --batch-size ({error})") from None

    def _edit(self, images: Tensor) -> Result:
        part = images if self.box is None else crop(images, self.box)
        if self.chain.makes_mask:
            return Result(None, self._place(torch.zeros_like(images[:, :1]), self.chain(part)))
        if not self.wants_mask:
            return Result(self._place(images, self.chain(part)), None)
        edit = self.chain.edit(part)
        return Result(self._place(images, edit.image), self._place(torch.zeros_like(images[:, :1]), edit.mask))

    def _place(self, whole: Tensor, part: Tensor) -> Tensor:
        return (part if self.box is None else paste(whole, part, self.box)).cpu()


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
        try:
            images, masks = self.edit(torch.stack([picture.image.to_tensor() for picture in batch]))
        except MBUOpsError as error:
            for picture in batch:
                self._fail(picture.job, error)
            return {}
        writes = {}
        for index, picture in enumerate(batch):
            image = None if images is None else images[index]
            mask = None if masks is None else masks[index]
            writes[pool.submit(_write, picture.job, image, mask, picture.image, self.overwrite)] = picture
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
            self.advance()


def _pixels(image: ImageFile) -> int:
    return image.height * image.width


def _total(pictures: Iterable[_Decoded]) -> int:
    return sum(_pixels(picture.image) for picture in pictures)


def _read(job: Job) -> ImageFile:
    return read(sys.stdin.buffer if job.source is None else job.source)


def _write(job: Job, image: Tensor | None, mask: Tensor | None, like: ImageFile, overwrite: bool) -> None:
    if job.mask is not None and mask is not None:
        # before the picture: where the picture is there, its mask is too
        write_mask(job.mask, mask, overwrite=overwrite)
    if job.target is None:
        data = encode(image, like) if image is not None else encode_mask(_known(mask))
        # a buffer of its own: what a full disk refuses must not be tried again when the process ends
        with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
            stream.write(data)
    elif image is not None:
        write(job.target, image, like, overwrite=overwrite)
    else:
        write_mask(job.target, _known(mask), overwrite=overwrite)


def _known(mask: Tensor | None) -> Tensor:
    assert mask is not None  # noqa: S101  (a result holds at least one of image and mask)
    return mask
