"""Edit files: the door to this room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import TypeAlias

import torch
from torch import nn

from mbu_ops.batch.clips import FrameProgress, edit_clips
from mbu_ops.batch.editor import Editor, unframed
from mbu_ops.batch.plan import Existing, FilePlan, Shard, StrPath, plan_files
from mbu_ops.batch.report import Report
from mbu_ops.batch.runner import Runner
from mbu_ops.images.file import Strip
from mbu_ops.limits import current_limits, limited
from mbu_ops.ops.bound import makes_mask
from mbu_ops.video.limits import MAX_FRAMES

Progress: TypeAlias = Callable[[int, int], object]
"""Is told how many pictures are finished, written or failed, and how many there are."""


def edit_files(
    op: nn.Module,
    inputs: StrPath | Sequence[StrPath],
    out: StrPath,
    *,
    format: str | None = None,
    quality: int | None = None,
    existing: Existing = "error",
    strip: Strip | None = None,
    save_mask: bool = False,
    save_boxes: bool = False,
    shard: Shard | None = None,
    batch_size: int | None = None,
    steady: bool = True,
    max_frames: int = MAX_FRAMES,
    progress: Progress | None = None,
) -> Report:
    """Edit the pictures of files and folders, and write each result in the kind of file that it came from.

    Videos and animations among them are edited after the pictures, as :func:`mbu_ops.video.edit_clip` does it.
    Memory stays flat however many pictures there are. A picture that cannot be read, edited or written is noted, and
    the rest go on. Every file is written whole or not at all, Ctrl-C included: run it again with ``existing="skip"`` to
    go on from there. What a picture may cost is up to :func:`mbu_ops.images.limited`.

    Args:
        op: what to do: a chain, an op that was told all but the image, :class:`mbu_ops.Framed` around either, or any
            module from images ``(B, 3, H, W)``, RGB in [0, 1], to images of the same size. It works where its weights
            are.
        inputs: a file, a folder (searched to the bottom), a pattern such as ``photos/**/*.jpg``, or several of them.
        out: a file, a folder in which input folders are mirrored, or such a folder and a pattern of names
            (``results/{stem}-smile.{ext}``).
        format: format of all pictures: ``"jpg"``, ``"png"``, ``"webp"``, ``"tiff"``, ``"bmp"``, ``"avif"`` or
            ``"heic"``; None keeps each input's.
        quality: of results in lossy formats, 1 (small) to 100; None keeps the source's, or takes the format's own.
        existing: what to do where a result exists: ``error`` (before anything is edited), ``skip`` or ``overwrite``.
        strip: leave out of results what EXIF says (``"metadata"``), or only where a photo was taken (``"gps"``).
        save_mask: write the mask of what changed beside each result, as ``NAME.mask.png``.
        save_boxes: write which places were found beside each result, as ``NAME.boxes.json``: none for ops that do not
            look for any.
        shard: only this part of the pictures, such as ``(2, 8)``, for as many machines or processes.
        batch_size: most pictures at a time. None takes one on the CPU, so that a result is the same whatever else is
            edited; elsewhere it tries 16 and halves it where memory runs out. On the CPU a photo in which places are
            edited is always alone.
        steady: of videos and animations, whether edits are smoothed in time.
        max_frames: refuse longer videos and animations.
        progress: called after each picture with the number of those that are finished, and of all.

    Returns:
        What was written, skipped, not edited and not read.

    Raises:
        ConfigurationError: if the arguments do not go together, or results exist and ``existing`` is ``error``.
        ImageFileError: as :func:`plan_files`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mbu_ops.images import write
        >>> from mbu_ops.ops.remove import Remove
        >>> from mbu_ops.testing import tiny_mbu
        >>> folder = Path(tempfile.mkdtemp())
        >>> write(folder / "photos" / "a.png", torch.rand(3, 20, 24))
        >>> (folder / "photos" / "broken.jpg").touch()
        >>> report = edit_files(Remove(tiny_mbu()), folder / "photos", folder / "edited")
        >>> [written.job.target.name for written in report.written]
        ['a.png']
        >>> [failure.job.source.name for failure in report.failed]
        ['broken.jpg']
    """
    plan = plan_files(
        inputs,
        out,
        format=format,
        quality=quality,
        makes_mask=makes_mask(unframed(op)),
        save_mask=save_mask,
        save_boxes=save_boxes,
        existing=existing,
        shard=shard,
        strip=strip,
    )
    return edit_planned(op, plan, batch_size, progress, steady=steady, max_frames=max_frames)


def edit_planned(
    op: nn.Module,
    plan: FilePlan,
    batch_size: int | None = None,
    progress: Progress | None = None,
    *,
    steady: bool = True,
    max_frames: int = MAX_FRAMES,
    frames: FrameProgress | None = None,
) -> Report:
    """Edit what :func:`plan_files` planned, as :func:`edit_files` does.

    Args:
        op: as in :func:`edit_files`; a plan of masks wants one that makes masks, any other one that makes images.
        plan: what is read from where and written where.
        batch_size: as in :func:`edit_files`.
        progress: as in :func:`edit_files`.
        steady: as in :func:`edit_files`.
        max_frames: as in :func:`edit_files`.
        frames: called for each frame of videos and animations.
    """
    device = next((parameter.device for parameter in op.parameters()), torch.device("cpu"))
    editor = Editor(op, device, any(job.mask is not None for job in plan.todo), batch_size)
    if batch_size is None and device.type == "cpu":
        editor.batch_size = 1  # in a batch, the last digits of a result depend on how many share it
    finished = count(1)

    def advance() -> None:
        if progress is not None:
            progress(next(finished), len(plan.todo))

    pictures = tuple(job for job in plan.todo if not job.clip)
    with limited(replace(current_limits(), editing=editor.bytes_per_pixel)):
        report = Runner(editor.edit_files, editor.batch_size, advance).run(replace(plan, todo=pictures))
    with limited(replace(current_limits(), editing=editor.bytes_in_tensors)):
        written, failed = edit_clips(op, plan, advance, steady, max_frames, frames)
    return replace(report, written=(*report.written, *written), failed=(*report.failed, *failed))
