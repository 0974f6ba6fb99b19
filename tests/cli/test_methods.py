"""`mbu-ops methods`: the list, and a plugin for a new one that works from the first minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mbu_ops_cli.app import run
from mbu_ops_cli.scaffold import write_method

from ..conftest import Install


def test_the_list_says_what_each_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["methods", "list", "--json"]) == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"mbu", "native", "didd"} <= set(rows)
    assert "remove" in rows["native"]["verbs"]
    assert "eyes" in rows["native"]["configurations"]
    assert run(["methods", "list"]) == 0
    assert "--config lite, full, eyes" in capsys.readouterr().out


def test_a_broken_method_costs_only_itself(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("broken", "[mbu_ops.methods]\npaper = no_such_module:Paper\n")
    assert run(["methods", "list", "--json"]) == 0
    said = capsys.readouterr()
    assert "paper" not in {row["method"] for row in json.loads(said.out)}
    assert "method 'paper': plugin 'paper' of distribution 'broken' cannot be used: ModuleNotFoundError" in said.err


def test_a_new_method_passes_its_own_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["methods", "new", "paper_cuts"]) == 0
    folder, package = tmp_path / "mbu-ops-paper-cuts", "mbu_ops_paper_cuts"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"pyproject.toml", "README.md", "tests/test_method.py", f"{package}/__init__.py"}
    assert "mbu-ops train --method paper_cuts --help" in capsys.readouterr().err
    assert "$" not in "".join(path.read_text() for path in folder.rglob("*.*") if path.is_file())
    found = install("mbu-ops-paper-cuts", f"[mbu_ops.methods]\npaper_cuts = {package}:PaperCuts\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(found.parent)])}
    # all but what takes long: compiling, exporting and kornia are the same for every method
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    command += ["-k", "not (compile or export or kornia)"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "message"), [("Paper", "the method's name in lower-case"), ("mbu", "there is a method")]
)
def test_names_that_are_none(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["methods", "new", name]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Exception, match="holds something"):
        write_method("cuts", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
