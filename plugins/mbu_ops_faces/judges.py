"""The judges of faces: whether a face shows glasses, a smile, facial hair or hair. Trained on people of two halves."""

from __future__ import annotations

from importlib import resources
from typing import Literal

from mbu_ops.evaluation.judge import Judge


def packaged(role: Literal["report", "choose"]) -> Judge:
    """Return a packaged judge.

    Args:
        role: ``"report"`` for the one that grades edits, ``"choose"`` for the one that may choose weights.

    Raises:
        WeightsError: if its file is missing or damaged.

    Example:
        >>> packaged("report").contents[:2]
        ('glasses', 'smile')
    """
    with resources.as_file(resources.files("mbu_ops_checkpoints").joinpath(f"faces/judge-{role}.safetensors")) as file:
        return Judge.load(file)
