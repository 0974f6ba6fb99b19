"""The batches of a run, one a step; in a worker process, the next ones are made while the networks learn."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mbu_ops.data.pictures import Pictures
from mbu_ops.training.config import TrainingConfig


class _Steps(Dataset[tuple[Tensor, ...]]):
    """What each step learns from, from a first one on; the same whoever makes it."""

    def __init__(self, pictures: Pictures, config: TrainingConfig, first: int) -> None:
        self._pictures, self._config, self._first = pictures, config, first

    def __len__(self) -> int:
        return max(0, self._config.steps - self._first)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        config = self._config
        return self._pictures.batch(config.batch_size, config.seed, self._first + index, config.flip)


def batches(pictures: Pictures, config: TrainingConfig, first: int, workers: int = 0) -> Iterator[tuple[Tensor, ...]]:
    """Yield the batch of every step.

    Args:
        pictures: what to learn from.
        config: size, seed and number of the batches.
        first: the first step.
        workers: processes that make them ahead; 0 makes each when it is asked for.
    """
    loader = DataLoader(
        _Steps(pictures, config, first),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_leave_interrupts if workers else None,
        generator=torch.Generator(),  # else it would draw a number from the run's own
    )
    yield from map(tuple, loader)


def _leave_interrupts(_worker: int) -> None:
    """Let the run itself decide what Ctrl-C does: a worker lasts as long as that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
