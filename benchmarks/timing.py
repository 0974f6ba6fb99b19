"""Medians of interleaved repeats, so that a busy moment of the machine falls on all that are compared."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping

import torch

DEVICE = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
"""Where to measure: an accelerator where there is one."""


def medians(
    calls: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return each call's median milliseconds, after one call of each that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            started = clock()
            call()
            if DEVICE.type != "cpu":
                torch.accelerator.synchronize()
            taken[name].append((clock() - started) * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}


def machine() -> str:
    """Say on what was measured, and how busy it was."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    where = f"CPU, {torch.get_num_threads()} threads"
    if DEVICE.type == "cuda":
        where = torch.cuda.get_device_name(DEVICE)
    return f"torch {torch.__version__}, {where}, load before {load:.1f}"
