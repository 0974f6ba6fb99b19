"""The judges of faces: whether a face shows glasses, a smile, facial hair or hair. Trained on people of two halves."""

from __future__ import annotations

from importlib import resources
from typing import Literal

from mbu_ops.evaluation.judge import Judge
from mbu_ops.evaluation.networks import measuring_file


def packaged(role: Literal["report", "choose"]) -> Judge:
    """Return a packaged judge.

    Args:
        role: ``"report"`` for the one that grades edits, ``"choose"`` for the one that may choose weights.

    Raises:
        MissingPackageError: if the package that holds its file is not installed.
        WeightsError: if its file is missing or damaged.

    Example:
        >>> packaged("report").contents[:2]
        ('glasses', 'smile')
    """
    source = measuring_file(f"faces/judge-{role}.safetensors", "grading edits of faces")
    with resources.as_file(source.installed()) as file:
        return Judge.load(file)
