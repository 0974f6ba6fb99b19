"""What shells complete: asked as the shells' functions ask."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mbu_ops.families import FamilySpec
from mbu_ops_cli.app import VARIABLE, run

Captured = pytest.CaptureFixture[str]
Completed = Callable[[str], list[str]]


@pytest.fixture
def completed(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Completed:
    """Return what bash is given for a line with the cursor at its end."""
    monkeypatch.setenv(VARIABLE, "bash_complete")
    monkeypatch.setenv("COMP_BREAKS", " \t\n\"'@><=;|&(:")

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("COMP_LINE", f"mbu-ops {line}")
        with pytest.raises(SystemExit):
            run([])
        return [text.removeprefix("plain,") for text in capsys.readouterr().out.split("\n") if text]

    return complete


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ch", ["chain"]),
        ("chain remove:smile --dev", ["--device"]),
        ("chain remove:hair_", ["hair_women", "hair_men"]),
        ("chain rem", [f"remove:{name}" for name in ("glasses", "smile", "facial_hair", "hair_women", "hair_men")]),
        ("chain add:no", []),
        ("chain remove:smile add:handbags/", ["handbags/handle"]),
        ("chain --family handbags remove:", ["handle"]),
        ("chain --family no_such remove:", []),
        ("chain adjust:smile,strength=0.5,s", ["0.5,softness="]),
        ("chain no_such:smile,s", []),
        ("chain remove:smile --method native_g", ["native_guided"]),
        ("chain remove:smile -i ", ["file,"]),
        ("weights info handbags/handle/m", ["handbags/handle/mbu-lite"]),
        ("families show hand", ["handbags"]),
        ("train --attribute handbags/h", ["handbags/handle"]),
    ],
)
def test_bash_completes(line: str, expected: list[str], completed: Completed) -> None:
    assert completed(line) == expected


def test_guides_are_completed_as_files(completed: Completed, tmp_path: Path) -> None:
    (tmp_path / "guide.png").touch()
    (tmp_path / "guides").mkdir()
    assert completed(f"chain add:glasses@{tmp_path}/gui") == [f"{tmp_path}/guide.png", f"{tmp_path}/guides/"]


def test_attributes_of_plugins_are_completed(completed: Completed, pets: FamilySpec) -> None:
    assert completed("chain remove:pets/") == ["pets/hat"]


def test_completing_imports_no_torch() -> None:
    code = "import sys; from mbu_ops_cli.app import run\ntry: run([])\nexcept SystemExit: print('torch' in sys.modules)"
    environment = {VARIABLE: "bash_complete", "COMP_LINE": "mbu-ops chain remove:", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "plain,remove:smile" in done.stdout.splitlines(), "without breaks, all of the word"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_the_command(shell: str, capsys: Captured) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"{VARIABLE}={shell}_complete" in script
    assert "mbu-ops" in script
    if (found := shutil.which(shell)) is not None:
        subprocess.run([found, "-n"], input=script, text=True, check=True)


def test_an_unknown_shell_is_refused(capsys: Captured) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err
