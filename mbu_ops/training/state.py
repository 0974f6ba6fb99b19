"""Training states on disk: one safetensors file, replaced as a whole or not at all, and the log that goes with it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from mbu_ops.errors import TrainingStateError
from mbu_ops.files import atomic_path, open_regular
from mbu_ops.weights.tensors import write_tensors


def write_state(
    path: Path, parts: dict[str, nn.Module], optimisers: dict[str, Optimizer], facts: dict[str, Any]
) -> None:
    """Write modules and optimisers, and JSON facts beside them, so that no crash leaves half a state.

    Raises:
        TrainingStateError: if it cannot be written; the state that was there before is untouched.
    """
    tensors = {f"{name}/{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    for name, optimiser in optimisers.items():
        for index, entry in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser:{name}/{index}/{key}": value for key, value in entry.items()}
    # safetensors refuses tensors that share memory or are not contiguous: a copy is neither
    copies = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}
    try:
        write_tensors(path, copies, {"facts": json.dumps(facts)})
    except OSError as error:
        raise TrainingStateError(
            f"could not write the training state {str(path)!r}: {error}; what was saved before is intact: make room, "
            "then go on with --resume"
        ) from error


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_state` wrote.

    Raises:
        TrainingStateError: if there is no state, or it is damaged.
    """
    with _opened(path) as (file, facts):
        return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118 - not a dict


def read_facts(path: Path) -> dict[str, Any]:
    """Read the facts of a state, and none of its tensors.

    Raises:
        TrainingStateError: if there is no state, or it is damaged.
    """
    with _opened(path) as (_, facts):
        return facts


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        open_regular(path).close()  # safetensors would wait for a pipe
        with safe_open(str(path), framework="pt") as file:
            yield file, json.loads((file.metadata() or {})["facts"])
    except FileNotFoundError:
        raise TrainingStateError(
            f"expected a training state at {str(path)!r}, there is none; start without --resume"
        ) from None
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise TrainingStateError(f"{str(path)!r} is not a training state: {type(error).__name__}: {error}") from error


def restore(tensors: dict[str, Tensor], parts: dict[str, nn.Module], optimisers: dict[str, Optimizer]) -> None:
    """Put the tensors of a state back into modules and optimisers of the same shapes.

    Raises:
        TrainingStateError: if they do not fit.
    """
    try:
        for name, part in parts.items():
            part.load_state_dict(_below(tensors, f"{name}/"))
        for name, optimiser in optimisers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, f"optimiser:{name}/").items():
                index, entry = key.split("/")
                state.setdefault(int(index), {})[entry] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    except (RuntimeError, ValueError) as error:
        raise TrainingStateError(f"the training state does not fit these networks: {error}") from error


def diverged(step: int, what: str) -> TrainingStateError:
    """Return the error for a run whose losses or weights are no numbers any more."""
    return TrainingStateError(
        f"{what} stopped being finite by step {step}; the last saved state is intact: lower the learning rate and "
        "start again, or go on from it with --resume"
    )


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def truncate_log(log: Path, step: int) -> None:
    """Drop the lines of steps that were lost with an interrupted run, so that no step is there twice."""
    if not log.exists():
        return
    kept = [line for line in log.read_text("utf-8", "replace").splitlines() if _step_of(line) <= step]
    with atomic_path(log) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept), "utf-8")


def _step_of(line: str) -> float:
    """Return the step of a log line; a line that was cut off by a crash belongs to no step that is kept."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
