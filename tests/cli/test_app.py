from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from mbu_ops import __version__
from mbu_ops.errors import ChainSyntaxError, ConfigurationError, FamilyError, ImageFileError, WeightsError
from mbu_ops_cli import app

from .conftest import Command


def test_every_command_in_the_table_is_there_under_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    for name in app.COMMANDS:
        assert app.run([name, "--help"]) == 0
        assert f"mbu-ops {name}" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in app.COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"mbu-ops, version {__version__}\n"


@pytest.mark.parametrize("args", [["no-such-command"], ["chain"], ["chain", "remove:smile", "--no-such-option"]])
def test_wrong_usage_exits_with_2_and_says_so_on_stderr(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(args) == 2
    captured = capsys.readouterr()
    assert captured.err
    assert not captured.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ChainSyntaxError("x"), 2),
        (ConfigurationError("x"), 2),
        (FamilyError("x"), 2),
        (ImageFileError("x"), 2),
        (WeightsError("x"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_exit_codes(
    error: Exception | KeyboardInterrupt, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_options: object) -> NoReturn:
        raise error

    monkeypatch.setattr("mbu_ops_cli.commands.chain.ChainSpec.parse", fail)
    assert app.run(["chain", "remove:smile"]) == code
    assert capsys.readouterr().err.startswith("mbu-ops: ") or code == 130


PROBE = """
import json, sys
from mbu_ops_cli.app import run
code = run(sys.argv[1:])
print(json.dumps([code, [name for name in ("torch", "kornia", "numpy", "PIL", "rich") if name in sys.modules]]))
"""


@pytest.mark.parametrize(
    ("args", "allowed"),
    [
        (["--help"], set()),
        (["--version"], set()),
        (["chain", "--help"], set()),
        (["train", "--help"], {"numpy", "PIL"}),
        (["weights", "--help"], set()),
        (["families", "list", "--json"], set()),
        (["weights", "list"], set()),
        (["chain", "ad:glasses"], set()),
        (["chain", "remove:HATS", "--dry-run", "-i", "PHOTOS", "-o", "out"], {"numpy", "PIL"}),
        (["chain", "add:HATS@PHOTOS/0.png", "--dry-run", "-i", "PHOTOS", "-o", "out"], {"numpy", "PIL"}),
    ],
)
def test_what_needs_no_torch_does_not_import_it(
    args: list[str], allowed: set[str], hats: str, photos: Path, mbu_ops: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    args = [arg.replace("HATS", hats).replace("PHOTOS", str(photos)) for arg in args]
    done = subprocess.run([sys.executable, "-c", PROBE, *args], capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert code == (2 if args[1:] == ["ad:glasses"] else 0)
    assert set(loaded) <= allowed


def test_python_dash_m_is_the_command(mbu_ops: Command) -> None:
    done = mbu_ops("--version")
    assert done.returncode == 0
    assert done.stdout.decode() == f"mbu-ops, version {__version__}\n"
