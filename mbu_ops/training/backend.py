"""What a run computes with: one device or many processes, in whatever precision. Accelerate does the work."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mbu_ops.errors import ConfigurationError


def load_accelerator() -> Any:
    """Import Accelerate's class; an extra, which only training needs.

    Raises:
        ConfigurationError: if Accelerate is not installed.
    """
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise ConfigurationError(f"training needs Accelerate: pip install 'mbu-ops[train]' ({error})") from error
    return Accelerator


def is_first_process() -> bool:
    """Tell whether this process is the one that speaks and writes, by what ``torchrun`` and ``accelerate`` set."""
    return os.environ.get("RANK", "0") == "0"


class Backend:
    """The device, and how gradients come about on it; of several processes, each sees its share of every batch.

    Args:
        mixed_precision: ``"no"``, ``"bf16"`` or ``"fp16"``; see Accelerate.

    Raises:
        ConfigurationError: if Accelerate is not installed.
    """

    def __init__(self, mixed_precision: str = "no") -> None:
        self._accelerator: Any = load_accelerator()(mixed_precision=mixed_precision)
        self._optimisers: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """Where tensors go."""
        device: torch.device = self._accelerator.device
        return device

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self._accelerator.is_main_process)

    @property
    def processes(self) -> int:
        """How many there are."""
        return int(self._accelerator.num_processes)

    @property
    def index(self) -> int:
        """Which of them this one is, from 0."""
        return int(self._accelerator.process_index)

    def share(self, batch: Tensor) -> Tensor:
        """Return this process' part of a batch, which all of them have drawn."""
        return batch[self.index :: self.processes]

    def means(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the means of numbers over the processes."""
        if self.processes == 1:
            return dict(values)
        together = self._accelerator.reduce(torch.stack([value.float() for value in values.values()]), "mean")
        return dict(zip(values, together, strict=True))

    def any(self, flag: bool) -> bool:
        """Tell whether a flag is set in any of the processes: they stop together, or would wait for ever."""
        if self.processes == 1:
            return flag
        return bool(self._accelerator.reduce(torch.tensor(float(flag), device=self.device)) > 0)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which losses are computed."""
        context: AbstractContextManager[Any] = self._accelerator.autocast()
        return context

    @property
    def optimisers(self) -> dict[str, Optimizer]:
        """The optimisers themselves, as a state holds them."""
        return {name: one.optimizer for name, one in self._optimisers.items()}

    def take(self, optimisers: dict[str, Optimizer]) -> None:
        """Use these optimisers from now on, one for each group of parameters."""
        self._optimisers = {name: self._accelerator.prepare(one) for name, one in optimisers.items()}

    def update(self, group: str, loss: Tensor, parameters: Iterable[nn.Parameter], rate: float, clip: float) -> None:
        """Take one step with one group of parameters.

        Args:
            group: which optimiser.
            loss: what to make smaller.
            parameters: the group's.
            rate: the learning rate of this step.
            clip: largest norm of the gradient.
        """
        optimiser, learnt = self._optimisers[group], list(parameters)
        optimiser.zero_grad()
        self._accelerator.backward(loss)
        if self.processes > 1:
            self._average(learnt)
        self._accelerator.clip_grad_norm_(learnt, clip)
        for settings in optimiser.param_groups:
            settings["lr"] = rate
        optimiser.step()
        torch.clear_autocast_cache()  # the next losses need the weights of now

    def _average(self, learnt: Sequence[nn.Parameter]) -> None:
        """Give every process the means of the gradients; what took part in no process stays without one.

        By hand, since the groups share one forward pass, which the usual wrapper cannot follow; all at once. What this
        process left out counts as 0: if processes sent different numbers, they would wait for each other for ever.
        """
        slopes = [torch.zeros_like(one) if one.grad is None else one.grad for one in learnt]
        there = slopes[0].new_tensor([one.grad is not None for one in learnt])
        mean = self._accelerator.reduce(torch.cat([there, *(slope.flatten() for slope in slopes)]), "mean")
        took_part, *parts = mean.split([len(learnt), *(slope.numel() for slope in slopes)])
        for one, slope, part, share in zip(learnt, slopes, parts, took_part, strict=True):
            if one.grad is not None or share > 0:  # in this order: looking at a share would hold up a GPU
                one.grad = slope.copy_(part.view_as(slope))
