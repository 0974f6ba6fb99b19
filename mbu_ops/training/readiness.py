"""What must be there before a run begins: asked before a picture is read, or a network is built."""

from __future__ import annotations

import os
from pathlib import Path

from mbu_ops.data.source import LabelledSource, Source
from mbu_ops.errors import ConfigurationError, DataError, TrainingStateError
from mbu_ops.training.backend import load_accelerator
from mbu_ops.training.config import TrainingConfig
from mbu_ops.training.folder import STATE
from mbu_ops.training.state import read_facts
from mbu_ops.weights import resolve


def check_ready(
    source: Source | LabelledSource, config: TrainingConfig, out: Path, resume: bool, start: str | Path | None
) -> int:
    """Make sure that a run can begin, as far as can be told without reading pictures or building networks.

    Args:
        source: where the pictures are.
        config: the settings.
        out: folder of the run.
        resume: whether it is to go on from the state there.
        start: weights to begin with.

    Returns:
        The step that it goes on from, 0 for a new run.

    Raises:
        ConfigurationError: if Accelerate is not installed, or ``out`` holds another run.
        DataError: naming every folder of pictures that is not there.
        TrainingStateError: if ``out`` cannot hold a run, there is no state to go on from, or that is of another run.
        WeightsError: if the weights to begin with are not there.
    """
    load_accelerator()
    if resume and start is not None:
        raise ConfigurationError("--from begins a run and --resume goes on with one; leave one of them out")
    if (out / STATE).is_file() and not resume:
        raise ConfigurationError(
            f"{str(out)!r} holds a training run; add --resume to go on with it, or use another --out"
        )
    _check_place(out)
    expected, folders = _folders(source)
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise DataError(f"expected {expected}, found no folder at {', '.join(missing)}: check the paths")
    if start is not None:
        resolve(start)
    if not resume:
        return 0
    facts = read_facts(out / STATE)
    config.check_resumable(facts["config"])
    if (step := int(facts["step"])) > config.steps:
        raise TrainingStateError(f"the run in {str(out)!r} is at step {step} already, got --steps {config.steps}")
    return step


def _folders(source: Source | LabelledSource) -> tuple[str, tuple[Path, ...]]:
    """Return what a source's folders are to hold, and the folders."""
    if isinstance(source, LabelledSource):
        return "a folder with images/ and masks/", source.folders
    if source.data:
        return "a folder in CelebA's layout, with list_attr_celeba.txt", source.data
    return "folders of images", (*source.with_, *source.without, *source.neither)


def _check_place(out: Path) -> None:
    """Make sure that a folder is there, or can be made.

    Raises:
        TrainingStateError: if not.
    """
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        reason = "may not be written to" if there.is_dir() else "is a file"
        raise TrainingStateError(f"could not make the run's folder {str(out)!r}: {str(there)!r} {reason}")
