"""The videos and animations among the files of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from torch import nn

from mbu_ops.batch.job import Failure, Job
from mbu_ops.batch.plan import FilePlan
from mbu_ops.batch.report import Written
from mbu_ops.video.door import edit_clip

FrameProgress: TypeAlias = Callable[[Job, str, int, int], object]
"""Is told of which clip, at which stage, how many frames are done and how many there are."""

_log = logging.getLogger(__name__)


def edit_clips(
    op: nn.Module,
    plan: FilePlan,
    advance: Callable[[], object],
    steady: bool,
    max_frames: int,
    frames: FrameProgress | None = None,
) -> tuple[list[Written], list[Failure]]:
    """Edit the videos and animations of a plan, one after another; one that fails is noted and the rest go on.

    Args:
        op: see :func:`mbu_ops.batch.edit_files`.
        plan: what is read from where and written where.
        advance: called after each of them.
        steady: see :func:`mbu_ops.video.edit`.
        max_frames: see :func:`mbu_ops.video.edit`.
        frames: called for each frame.

    Returns:
        What was written, and what failed.
    """
    written, failed = [], []
    for job in plan.todo:
        if not job.clip or job.source is None or job.target is None:
            continue
        try:
            report = edit_clip(
                op,
                job.source,
                job.target,
                quality=plan.quality,
                steady=steady,
                max_frames=max_frames,
                overwrite=plan.overwrite,
                strip=plan.strip,
                progress=None if frames is None else partial(frames, job),
            )
        except Exception as error:  # one clip's trouble, whatever it is, must not cost the others
            failed.append(Failure.of(job, error))
        else:
            kept = report.keeps_metadata, report.keeps_place
            written.append(Written(job, report.idle, *kept, frames=report.frames, resumed=report.resumed))
            _log.debug("%s -> %s", job, job.target)
        advance()
    return written, failed
