"""How far a command is: a bar on stderr, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mbu_ops_cli.messages import is_quiet


@contextmanager
def progress(total: int, doing: str) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr where that is a terminal; yields what to call after each part of the work."""
    if is_quiet() or not sys.stderr.isatty() or total < 2:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def progress_with_frames(
    clips: Sequence[bool], doing: str
) -> Iterator[tuple[Callable[[], None], Callable[[object, str, int, int], None]]]:
    """Show progress through files, and through the frames of those that are clips.

    Args:
        clips: for each file whether it is a video or an animation.
        doing: what is done.

    Yields:
        What to call after each file; and for each frame, with its clip, the stage, how many frames are done and how
        many there are, 0 where nobody knows.
    """
    if is_quiet() or not sys.stderr.isatty() or not (any(clips) or len(clips) > 1):
        yield (lambda: None), (lambda *_: None)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        files = bar.add_task(doing, total=len(clips), visible=len(clips) > 1)
        frames = bar.add_task("frames", visible=False)
        shown: tuple[str, str] | None = None

        def on_frame(clip: object, stage: str, done: int, total: int) -> None:
            nonlocal shown
            if shown != (now := (str(clip), stage)):
                shown = now
                bar.reset(frames, total=total or None, description=escape(f"{clip}: {stage}"), visible=True)
            bar.update(frames, completed=done)

        yield (lambda: bar.advance(files)), on_frame
