"""What pictures may cost a command: the options, and that they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbu_ops.limits import Limits, current_limits
from mbu_ops_cli.app import run

from ..pictures import draw


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--max-pixels", "100"], "expected at most 0.0001 million pixels, got 24 x 20"),
        (["--max-memory", "20k"], "need about 0.0 GB; shrink it, or raise max_memory"),
        (["--timeout", "0.1", "--isolate"], "expected to be decoded within 0.1 s, and was not"),
    ],
)
def test_limits_hold(
    options: list[str], reason: str, hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = draw(tmp_path / "a.png")
    if "--isolate" in options:  # no process starts within a tenth of a second and decodes this
        photo = draw(tmp_path / "a.png", (3000, 3000), compress_level=1)
    command = ["chain", f"remove:{hats}", "--no-align", "-i", str(photo), "-o", str(tmp_path / "out.png"), *options]
    assert run(command) == 1
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
    assert current_limits() == Limits()


def test_pictures_are_edited_apart(hats: str, tmp_path: Path) -> None:
    photo = draw(tmp_path / "a.png")
    for name, options in (("here.png", []), ("there.png", ["--isolate"])):
        command = ["chain", f"remove:{hats}", "--no-align", "-i", str(photo), "-o", str(tmp_path / name)]
        assert run([*command, *options]) == 0
    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()


@pytest.mark.parametrize("wrong", ["0", "-1", "4T", "1e9", "many", ""])
def test_amounts_are_numbers(wrong: str, hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = draw(tmp_path / "a.png")
    command = ["chain", f"remove:{hats}", "-i", str(photo), "-o", str(tmp_path / "b.png")]
    assert run([*command, "--max-pixels", wrong]) == 2
    assert "expected a number such as 50000000, 50M or 4G" in capsys.readouterr().err


def test_the_defaults_are_those_that_help_names() -> None:
    assert (Limits().max_pixels, Limits().max_memory) == (100_000_000, 6_000_000_000)
