"""What a run computes with: one device or many processes, in whatever precision. Accelerate does the work."""

from __future__ import annotations

from collections.abc import Iterable
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


class Backend:
    """The device, and how gradients come about on it.

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

    def seed_of_process(self, seed: int) -> int:
        """Return the seed of this process: every one draws its own images and its own randomness."""
        return int(seed * self._accelerator.num_processes + self._accelerator.process_index)

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
        if self._accelerator.num_processes > 1:
            # by hand, since the groups share one forward pass, which the usual wrapper cannot follow
            for parameter in learnt:
                if parameter.grad is not None:
                    parameter.grad.copy_(self._accelerator.reduce(parameter.grad, "mean"))
        self._accelerator.clip_grad_norm_(learnt, clip)
        for settings in optimiser.param_groups:
            settings["lr"] = rate
        optimiser.step()
        torch.clear_autocast_cache()  # the next losses need the weights of now
