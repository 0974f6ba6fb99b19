"""Medians of interleaved repeats, so that a busy moment of the machine falls on all that are compared."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping

import torch


def medians(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return each call's median milliseconds, after one call of each that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            taken[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}


def machine() -> str:
    """Say on what was measured, and how busy it was."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"torch {torch.__version__}, CPU, {torch.get_num_threads()} threads, load before {load:.1f}"
