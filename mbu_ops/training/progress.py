"""How a run goes, on stderr: a bar on a terminal, and elsewhere a line every so often."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text


class _Bar(Progress):
    """A bar with a text below it, which may take several lines."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.below:
            yield Text(self.below, style="dim")


class ProgressReporter:
    """Show a run's progress, remaining time and losses on stderr; use as a context manager.

    Args:
        steps: steps of the whole run.
        quiet: show nothing.
        every: seconds between two lines, where stderr is no terminal.

    Example:
        >>> with ProgressReporter(9000, quiet=True) as reporter:
        ...     reporter.step(50, {"mask": 0.25})
    """

    def __init__(self, steps: int, quiet: bool = False, every: float = 30.0) -> None:
        self.steps, self.quiet, self.every = steps, quiet, every
        self._bar = _Bar(
            TextColumn("training"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=Console(stderr=True),
            disable=quiet,
            expand=True,
        )
        self._task = self._bar.add_task("train", total=steps)
        self._first: tuple[int, float] | None = None
        self._said = 0.0

    def __enter__(self) -> ProgressReporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar.live.is_started:  # else it would print an empty line
            self._bar.stop()

    def step(self, step: int, values: dict[str, float]) -> None:
        """Show the losses of a step."""
        losses = "  ".join(f"{name} {value:.3g}" for name, value in values.items())
        terminal = self._bar.console.is_terminal
        if self._first is None:  # speed and remaining time count from here, also of a run that goes on
            self._first = step, time.monotonic()
            if terminal:
                self._bar.start()
                self._bar.reset(self._task, completed=step)
        self._bar.below = losses
        self._bar.update(self._task, completed=step)
        if not terminal:
            self._line(step, losses)

    def note(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if not self.quiet:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, step: int, losses: str) -> None:
        now = time.monotonic()
        if self._said and now - self._said < self.every and step < self.steps:
            return
        self._said = now
        first, started = self._first or (step, now)
        left = (now - started) / (step - first) * (self.steps - step) if step > first else None
        remaining = "" if left is None else f", {_duration(left)} left"
        self.note(f"step {step} of {self.steps} ({step / self.steps:.0%}{remaining}): {losses}")


def _duration(seconds: float) -> str:
    """Return a time as hours, minutes and seconds.

    Example:
        >>> _duration(3725.4)
        '1:02:05'
    """
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
