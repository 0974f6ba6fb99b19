"""Edit many pictures with flat memory: threads read ahead and write behind, the main thread computes in batches."""

from __future__ import annotations

import json
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mbu_ops.batch.claims import Claims
from mbu_ops.batch.editor import Result
from mbu_ops.batch.job import Failure, Job
from mbu_ops.batch.plan import FilePlan
from mbu_ops.batch.readers import THREADS, Readers
from mbu_ops.batch.report import Report, Written
from mbu_ops.errors import MBUOpsError
from mbu_ops.frames.frame import Frame
from mbu_ops.images import ImageFile, count_pixels, encode, encode_mask, read, write, write_bytes, write_mask
from mbu_ops.images.file import Pixels
from mbu_ops.images.formats import FORMAT_OF_SUFFIX, FORMATS, format_of
from mbu_ops.images.reader import read_bytes
from mbu_ops.images.writer import keeps, writable

if TYPE_CHECKING:
    from torch import Tensor

    from mbu_ops.families.aligning import FrameLike

_log = logging.getLogger(__name__)

PIXELS_IN_FLIGHT = 8_000_000
"""About how many pixels may be read ahead, and as many be on their way to a file: some 100 MB with float32 copies."""


class _Decoded(NamedTuple):
    job: Job
    image: ImageFile


class Runner:
    """Reads, edits and writes; a picture that fails is noted and the rest go on.

    Args:
        edit: makes results of a batch, see :meth:`mbu_ops.batch.editor.Editor.edit_files`.
        batch_size: most pictures in a batch; pictures of one size share batches.
        advance: called once for every finished picture, by the thread that called :meth:`run`.
    """

    def __init__(
        self,
        edit: Callable[[Sequence[ImageFile]], Sequence[Result | MBUOpsError]],
        batch_size: int,
        advance: Callable[[], object],
    ) -> None:
        self.edit = edit
        self.batch_size = batch_size
        self.advance = advance
        self._window = batch_size + THREADS
        self._written: list[Written] = []
        self._failed: list[Failure] = []
        self._left: list[Job] = []
        self._claims = Claims()

    def run(self, plan: FilePlan) -> Report:
        """Do what is planned.

        Args:
            plan: what is read from where and written where, and how.

        Raises:
            KeyboardInterrupt: on Ctrl-C; results already begun are finished or leave nothing behind, and pictures that
                are being read are not waited for.
        """
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mbu-ops")
        readers = Readers(_read)
        try:
            writes: dict[Future[Written], _Decoded] = {}
            for batch in self._batches(self._decode(readers, self._claimed(plan))):
                writes |= self._start_writes(pool, batch, plan)
                while len(writes) > 1 and (len(writes) > self._window or _total(writes.values()) > PIXELS_IN_FLIGHT):
                    self._finish(writes, wait(writes, return_when=FIRST_COMPLETED).done)
            self._finish(writes, wait(writes).done)
        except KeyboardInterrupt:
            readers.close(wait=False)
            raise
        finally:
            readers.close()
            pool.shutdown(wait=True, cancel_futures=True)
            self._claims.release_all()
        skipped = (*plan.skipped, *self._left)
        return Report(tuple(self._written), (*plan.refused, *self._failed), skipped, plan.unread)

    def _claimed(self, plan: FilePlan) -> Iterator[Job]:
        """Yield the pictures of a plan that no other run is at."""
        for job in plan.todo:
            try:
                if not plan.shared or self._claims.take(job):
                    yield job
                    continue
            except OSError as error:
                self._fail(job, error)
                continue
            self._left.append(job)
            self.advance()

    def _fail(self, job: Job, error: Exception) -> None:
        self._failed.append(Failure.of(job, error))
        self._claims.release(job)
        self.advance()

    def _decode(self, readers: Readers[Job, ImageFile], jobs: Iterable[Job]) -> Iterator[_Decoded]:
        """Read ahead, in order, as far as the pictures' headers say that there is room."""
        ahead: deque[tuple[Job, int, Future[ImageFile]]] = deque()
        remaining = ((job, count_pixels(job.source) if job.source else 0) for job in jobs)
        following = next(remaining, None)

        def read_ahead() -> None:
            nonlocal following
            pixels = sum(one for _, one, _ in ahead)
            while following and len(ahead) < self._window and (not ahead or pixels + following[1] <= PIXELS_IN_FLIGHT):
                ahead.append((*following, readers.submit(following[0])))
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

    def _start_writes(
        self, pool: ThreadPoolExecutor, batch: Sequence[_Decoded], plan: FilePlan
    ) -> dict[Future[Written], _Decoded]:
        results: Sequence[Result | MBUOpsError]
        try:
            results = self.edit([picture.image for picture in batch])
        except MBUOpsError as error:
            results = [error] * len(batch)
        writes = {}
        for picture, result in zip(batch, results, strict=True):
            if isinstance(result, MBUOpsError):
                self._fail(picture.job, result)
            else:
                writes[pool.submit(_write, picture.job, result, picture.image, plan)] = picture
        return writes

    def _finish(self, writes: dict[Future[Written], _Decoded], done: Iterable[Future[Written]]) -> None:
        for future in done:
            job = writes.pop(future).job
            try:
                self._written.append(future.result())
                _log.debug("%s -> %s", job, job.target)
            except Exception as error:  # as in reading
                self._fail(job, error)
                continue
            self._claims.release(job)
            self.advance()


def _pixels(image: ImageFile) -> int:
    return image.height * image.width


def _total(pictures: Iterable[_Decoded]) -> int:
    return sum(_pixels(picture.image) for picture in pictures)


def _read(job: Job) -> ImageFile:
    return read(sys.stdin.buffer if job.source is None else job.source)


def _write(job: Job, result: Result, like: ImageFile, plan: FilePlan) -> Written:
    image, mask, places, idle, same = result
    overwrite = plan.overwrite
    original, like = like.kind, replace(like, kind=like.kind.without(plan.strip))
    kept = False, False
    # before the picture: where the picture is there, what belongs to it is too
    if job.mask is not None and mask is not None:
        write_mask(job.mask, mask, overwrite=overwrite, mode=like.kind.mode)
    if job.boxes is not None:
        write_bytes(job.boxes, _boxes(places, like), overwrite=overwrite, mode=like.kind.mode)
    if job.target is None:
        format = plan.format or writable(like.kind.format)
        data = encode(image, like, format, plan.quality) if image is not None else encode_mask(_known(mask))
        kept = keeps(like.kind, FORMATS[format]) if image is not None else kept
        # a buffer of its own: what a full disk refuses must not be tried again when the process ends
        with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
            stream.write(data)
    elif same and not (plan.quality or plan.strip) and job.source is not None and _same_format(job.target, like):
        # to encode it again would change it
        write_bytes(job.target, read_bytes(job.source), overwrite=overwrite, mode=like.kind.mode)
        kept = original.exif is not None or original.located, original.located
    elif image is not None:
        write(job.target, image, like, quality=plan.quality, overwrite=overwrite)
        kept = keeps(like.kind, FORMAT_OF_SUFFIX.get(job.target.suffix.lower()))
    else:
        write_mask(job.target, _known(mask), overwrite=overwrite, mode=like.kind.mode)
    return Written(job, idle, *kept)


def _same_format(target: Path, image: ImageFile) -> bool:
    return format_of(target).name == image.kind.format


def _boxes(places: Sequence[tuple[FrameLike, bool]], image: ImageFile) -> bytes:
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


def _known(mask: Tensor | Pixels | None) -> Tensor | Pixels:
    assert mask is not None  # noqa: S101  (a result holds at least one of image and mask)
    return mask
