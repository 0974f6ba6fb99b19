"""What is said on stderr, and how -q and -v choose how much of it; what a mistyped command was meant to be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mbu_ops import __version__
from mbu_ops_cli.app import run

Captured = pytest.CaptureFixture[str]


def test_the_version_has_a_short_option(capsys: Captured) -> None:
    assert run(["-V"]) == 0
    assert capsys.readouterr().out == f"mbu-ops, version {__version__}\n"


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["chian"], "No such command 'chian'. Did you mean 'chain'?"),
        (["weights", "inof"], "No such command 'inof'. Did you mean 'info'?"),
        (
            ["families", "teapot"],
            "No such command 'teapot'. There is: check, draw, guides, list, new, parts, samples, show.",
        ),
    ],
)
def test_a_mistyped_command_is_told_what_was_meant(args: list[str], hint: str, capsys: Captured) -> None:
    assert run(args) == 2
    assert hint in " ".join(capsys.readouterr().err.split())


def edited(hats: str, photos: Path, out: Path, *options: str) -> int:
    return run(["chain", f"remove:{hats}", "-i", str(photos), "-o", str(out), "--batch-size", "2", *options])


def test_quiet_says_nothing_where_all_goes_well(hats: str, photos: Path, tmp_path: Path, capsys: Captured) -> None:
    assert edited(hats, photos, tmp_path / "loud") == 0
    assert "5 pictures written" in capsys.readouterr().err
    assert edited(hats, photos, tmp_path / "quiet", "-q") == 0
    assert capsys.readouterr() == ("", "")


def test_quiet_still_says_what_failed(hats: str, photos: Path, tmp_path: Path, capsys: Captured) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    assert edited(hats, photos, tmp_path / "out", "--quiet") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mbu-ops: failed: ")
    assert "broken.png" in line


@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_says_what_is_read_and_written(
    place: str, hats: str, photos: Path, tmp_path: Path, capsys: Captured
) -> None:
    args = ["chain", f"remove:{hats}", "-i", str(photos / "0.png"), "-o", str(tmp_path / "out.png")]
    assert run(["-v", *args] if place == "before" else [*args, "-v"]) == 0
    said = capsys.readouterr().err
    assert f"loading {Path(hats, 'weights.safetensors')}" in said
    assert f"{photos / '0.png'} -> {tmp_path / 'out.png'}" in said


def test_verbose_shows_where_an_error_arises(capsys: Captured) -> None:
    assert run(["chain", "remove:teapot", "--dry-run"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert run(["chain", "remove:teapot", "--dry-run", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_run_leaves_logging_as_it_was() -> None:
    before = logging.getLogger("mbu_ops").level, list(logging.getLogger("mbu_ops").handlers)
    run(["-v", "weights", "list"])
    assert (logging.getLogger("mbu_ops").level, logging.getLogger("mbu_ops").handlers) == before


def test_a_verb_that_no_weights_know_is_answered_in_the_words_of_the_grammar(capsys: Captured) -> None:
    assert run(["chain", "add:nose", "--dry-run"]) == 3
    assert (
        "no weights for faces/nose that can add; they can segment, as in segment:faces/nose" in capsys.readouterr().err
    )
