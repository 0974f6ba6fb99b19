from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mbu_ops.batch import Failure, Job, Report, Written
from mbu_ops.ops.chain import ChainSpec
from mbu_ops_cli.messages import messages
from mbu_ops_cli.progress import progress
from mbu_ops_cli.report import SHOWN, show_report

SPEC = ChainSpec.parse("remove:smile")
FAILED = tuple(Failure(Job(Path(f"{index}.jpg"), Path("out")), f"reason {index}") for index in range(SHOWN + 5))


def test_a_long_list_of_failures_is_cut_in_words_and_whole_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(SPEC, Report(failed=FAILED), 1.0, as_json=False)
    captured = capsys.readouterr()
    assert captured.err.count("failed: ") == SHOWN
    assert "and 5 more failed" in captured.err
    assert "failed: 3.jpg: reason 3" in captured.err
    assert not captured.out
    show_report(SPEC, Report(failed=FAILED), 1.0, as_json=True)
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["failed"]) == SHOWN + 5
    assert not captured.err


def test_steps_that_had_nothing_to_do_get_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [failure.job for failure in FAILED[:3]]
    report = Report((*(Written(job, ("remove:smile",)) for job in jobs[:2]), Written(jobs[2])))
    show_report(SPEC, report, 1.0, as_json=False)
    assert (
        "remove:smile: nothing to do in 2 pictures, left unchanged (presence=0 edits all)\n" in capsys.readouterr().err
    )
    show_report(SPEC, report, 1.0, as_json=True)
    said = json.loads(capsys.readouterr().out)["unchanged"]
    assert said == [{"input": f"{index}.jpg", "step": "remove:smile"} for index in range(2)]


def test_clips_with_nothing_to_do_are_counted_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = Job(Path("a.jpg"), Path("out")), *(Job(Path(name), Path("out"), clip=True) for name in ("a.mp4", "b.gif"))
    show_report(SPEC, Report(tuple(Written(job, ("remove:smile",)) for job in jobs)), 1.0, as_json=False)
    assert "remove:smile: nothing to do in 1 picture and 2 clips, left unchanged" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _messages() -> Iterator[None]:
    with messages():
        yield


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_on_stderr_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress(3, "editing") as advance:
        for _ in range(3):
            advance()
    assert "3/3" in terminal.getvalue()
    assert not capsys.readouterr().out


def test_no_progress_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(3, "editing") as advance:
        advance()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
