"""A live line on a terminal: how far, how fast, what the losses are."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class ProgressReporter:
    """Show a run's progress, losses, mask size and remaining time on stderr; use as a context manager.

    Args:
        steps: steps of the whole run.
        quiet: show notes only.
    """

    def __init__(self, steps: int, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[losses]}"),
            console=Console(stderr=True),
            disable=quiet,
            transient=False,
        )
        self._going = False
        self._task = self._progress.add_task("train", total=steps, losses="")

    def __enter__(self) -> ProgressReporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, step: int, values: dict[str, float]) -> None:
        """Show the losses of a step."""
        if not self._going:  # speed and remaining time count from here, also of a run that goes on
            self._progress.start()
            self._progress.reset(self._task, completed=step)
            self._going = True
        losses = "  ".join(f"{name} {value:.3g}" for name, value in values.items())
        self._progress.update(self._task, completed=step, losses=losses)

    def note(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
