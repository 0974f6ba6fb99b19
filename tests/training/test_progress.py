"""How a run goes: a bar that fits a narrow terminal, and lines where there is none."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from mbu_ops.training.chart import draw_losses
from mbu_ops.training.progress import ProgressReporter

LOSSES = {f"a_long_name_of_a_loss_{number}": number / 7 for number in range(10)}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal of 80 columns; not in a fixture, since pytest sets stderr anew for the test itself."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return found


def test_eighty_columns_hold_the_bar_the_count_and_all_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with ProgressReporter(9000) as reporter:
        reporter.step(50, LOSSES)
        reporter.step(100, LOSSES)
    shown = terminal.getvalue()
    assert "100/9000" in shown
    assert "left" in shown
    assert "…" not in shown
    assert all(name in shown for name in LOSSES)


def test_notes_stand_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with ProgressReporter(9000) as reporter:
        reporter.step(50, LOSSES)
        reporter.note("going on [from] step 50")
    assert "going on [from] step 50" in terminal.getvalue()


def test_a_pipe_gets_a_line_every_so_often(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReporter(200, every=1e9) as reporter:
        for step in (1, 50, 100, 200):
            reporter.step(step, {"mask": 0.25})
    first, last = capsys.readouterr().err.splitlines()
    assert first == "step 1 of 200 (0%): mask 0.25"
    assert last.startswith("step 200 of 200 (100%, 0:00:00 left): mask 0.25")
    with ProgressReporter(200, every=0) as reporter:
        for step in (1, 50, 100):
            reporter.step(step, {"mask": 0.25})
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_quiet_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with ProgressReporter(9000, quiet=True) as reporter:
        reporter.note("a note")
        reporter.step(50, LOSSES)
    assert terminal.getvalue() == ""


def test_the_chart_shows_what_was_logged_and_is_replaced(tmp_path: Path) -> None:
    log, chart = tmp_path / "log.jsonl", tmp_path / "losses.png"
    lines = [json.dumps({"step": step, "mask": 1 / step, "seconds": 1}) for step in (1, 50, 100)]
    log.write_text(lines[0])
    draw_losses(log, chart)
    assert not chart.exists(), "one point is no chart"
    log.write_text("\n".join(lines[:2]))
    draw_losses(log, chart)
    before = chart.read_bytes()
    assert before.startswith(b"\x89PNG")
    log.write_text("\n".join(lines))
    draw_losses(log, chart)
    assert chart.read_bytes() != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "losses.png"]
