"""A chart of a run's losses, drawn from its log."""

from __future__ import annotations

import json
import math
from pathlib import Path

from mbu_ops.files import atomic_path

COLUMNS = 3


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def draw_losses(log: Path, chart: Path) -> None:
    r"""Draw every loss and measurement of a run over its steps, each on axes of its own; of one step there is nothing.

    Args:
        log: the run's ``log.jsonl``: a line of JSON for each logged step.
        chart: PNG file to write, or to replace.

    Raises:
        ImportError: if matplotlib is not installed, see :func:`can_draw`.
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> lines = '{"step": 1, "mask": 0.5, "seconds": 1}', '{"step": 50, "mask": 0.2, "seconds": 1}'
        >>> _ = (folder / "log.jsonl").write_text("\n".join(lines))
        >>> draw_losses(folder / "log.jsonl", folder / "losses.png")
        >>> (folder / "losses.png").read_bytes()[1:4]
        b'PNG'
    """
    from matplotlib.figure import Figure  # an extra; a figure without pyplot has no window and no global state

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    if len(lines) < 2:
        return
    names = [name for name in dict.fromkeys(name for line in lines for name in line) if name not in ("step", "seconds")]
    rows = math.ceil(len(names) / COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.4 * rows))
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.3 / rows, top=1 - 0.2 / rows, hspace=0.5)
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, COLUMNS, place)
        points = [(line["step"], line[name]) for line in lines if name in line]
        axes.plot(*zip(*points, strict=True), linewidth=1)
        axes.set_title(name, fontsize="medium")
        axes.grid(alpha=0.3)
    with atomic_path(chart) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
