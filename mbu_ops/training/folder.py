"""The folder of a training run: what lies in it, written as a whole or not at all."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from mbu_ops import images
from mbu_ops.errors import MBUOpsError, TrainingStateError
from mbu_ops.methods.presence import OwnPresence, detects_itself
from mbu_ops.training.chart import can_draw, draw_losses
from mbu_ops.training.state import read_state, truncate_log, write_state
from mbu_ops.weights import WeightsInfo, save

_log = logging.getLogger(__name__)

STATE, WEIGHTS, LOG, SAMPLES = "state.safetensors", "weights.safetensors", "log.jsonl", "samples"
CHART = "losses.png"


class RunFolder:
    """Where a run keeps everything: its state, the weights to use, a log, sample sheets and a chart.

    Args:
        path: the folder; made if missing.

    Raises:
        TrainingStateError: if it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            (path / SAMPLES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingStateError(f"could not make the run's folder {str(path)!r}: {error}") from error

    @property
    def weights(self) -> Path:
        """The weights file."""
        return self.path / WEIGHTS

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and facts of the state.

        Raises:
            TrainingStateError: if there is none, or it is damaged.
        """
        return read_state(self.path / STATE)

    def write(self, parts: dict[str, nn.Module], optimisers: dict[str, Optimizer], facts: dict[str, Any]) -> None:
        """Write the state.

        Raises:
            TrainingStateError: if it cannot be written; what was saved before stays.
        """
        write_state(self.path / STATE, parts, optimisers, facts)
        _log.debug("saved %s", self.path / STATE)

    def rewind(self, step: int) -> None:
        """Drop from the log what came after a step, so that no step is there twice."""
        truncate_log(self.path / LOG, step)

    def log(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Add a line to the log.

        Raises:
            TrainingStateError: if it cannot be written.
        """
        line = {"step": step, **values, "seconds": round(seconds, 4)}
        try:
            with (self.path / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
        except OSError as error:
            raise TrainingStateError(f"could not write the log: {error}; the last saved state is intact") from error

    def sheet(self, step: int, picture: Tensor) -> None:
        """Write a sample sheet, ``(3, height, width)``.

        Raises:
            TrainingStateError: if it cannot be written.
        """
        try:
            images.write(self.path / SAMPLES / f"step_{step:06d}.png", picture.cpu(), overwrite=True)
        except (OSError, MBUOpsError) as error:
            raise TrainingStateError(
                f"could not write the sample sheet: {error}; the last saved state is intact"
            ) from error

    def chart(self) -> None:
        """Draw the log's losses, where there is one and matplotlib is installed.

        Raises:
            TrainingStateError: if the chart cannot be written.
        """
        if not ((self.path / LOG).is_file() and can_draw()):
            return
        try:
            draw_losses(self.path / LOG, self.path / CHART)
        except OSError as error:
            raise TrainingStateError(f"could not draw the losses: {error}; the last saved state is intact") from error

    def export(self, model: Any, info: WeightsInfo, guides: Tensor | None) -> None:
        """Write weights to use.

        Raises:
            TrainingStateError: if they cannot be written.
        """
        try:
            presence = OwnPresence(model) if detects_itself(model) else None
            save(self.weights, model, info, guides=guides, presence=presence)
        except OSError as error:
            raise TrainingStateError(
                f"could not write {str(self.weights)!r}: {error}; the state is intact: use --resume"
            ) from error
