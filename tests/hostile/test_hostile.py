"""A few of the hostile cases, and that what breaks is noticed; ``make hostile`` tries them by the hundred."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from . import cases, kills, pictures, plugins, weights
from .cases import BROKE, READ, Case, Group, Outcome, try_all

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")


def test_a_few_of_each_kind_break_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.forget_peak()  # they run in copies of this process, which has run other tests and holds what those left
    monkeypatch.setattr(cases, "MOST_MEGABYTES", cases.MOST_MEGABYTES + cases.peak_megabytes())
    assert not Group("", [*try_all([*pictures.cases(12, 1, tmp_path)])]).broken
    assert not Group("", [*try_all([*weights.cases(12, 1, tmp_path)])]).broken
    assert not Group("", [*try_all([*plugins.cases(3, 1, tmp_path)], each_apart=True)]).broken
    assert not Group("", [*kills.kills(2, 1, tmp_path)]).broken


def end(_: Path) -> str:
    os._exit(3)


def sleep(_: Path) -> str:
    time.sleep(60)
    return READ


def fail(_: Path) -> str:
    raise ValueError("unforeseen")


def read(_: Path) -> str:
    return READ


def tried(*attempts: Callable[[Path], str], seconds: float = 60, making: float = 60) -> list[Outcome]:
    return list(
        try_all([Case(attempt.__name__, Path.exists, attempt) for attempt in attempts], seconds=seconds, making=making)
    )


def test_what_breaks_is_told_and_the_next_one_is_tried() -> None:
    ended, failed, whole = tried(end, fail, read)
    assert (ended.verdict, failed.verdict, whole.verdict) == (BROKE, BROKE, READ)
    assert "ended" in ended.why
    assert "ValueError: unforeseen (test_hostile.py:" in failed.why


def test_what_takes_too_long_or_too_much_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (late,) = tried(sleep, seconds=0.2, making=0.2)
    assert (late.verdict, late.why) == (BROKE, "no answer within 0.2 s")
    monkeypatch.setattr(cases, "MOST_MEGABYTES", 1)
    (large,) = tried(read)
    assert (large.verdict, large.why) == (BROKE, "took too much")
    assert 1 < large.megabytes < 10_000


def test_the_same_seed_gives_the_same_cases(tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        for case in pictures.cases(6, 3, tmp_path):
            case.make(folder)
        made.append({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    assert made[0] == made[1]
    assert len(made[0]) > 3


def test_a_group_is_a_row() -> None:
    group = Group("pictures", [Outcome("a", READ, "", 1.25, 1200), Outcome("b", BROKE, "why", 0.5, 90)])
    assert str(group) == "| pictures | 2 | 0 | 1 | 1 | 1.2 | 1,200 |"
