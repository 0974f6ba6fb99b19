"""README.md and the quick start, pasted from top to bottom in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mbu_ops_cli.app import run

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/quickstart.md")
INSTALLING = ("pip ", "make ")
"""How lines begin that set up what the tests run in already."""

WORKERS = {"dev", "docs"}
"""Extras for those who work on the library."""

COMMAND = 'mbu-ops() { "$PYTHON" -m mbu_ops_cli "$@"; }'
"""So that shells run the code under test."""


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the language and the text of what can be pasted, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```(sh|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def paste(line: str) -> int:
    """Run a line of a shell: our own commands here, which loads torch once, and all else in a shell."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["mbu-ops"] and not {"|", ">"} & set(words):
        return run(words[1:])
    script, environment = f"{COMMAND}\n{line}", os.environ | {"PYTHON": sys.executable}
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, check=False).returncode


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_pasted(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, page, "exec"), names)
            continue
        for line in text.splitlines():
            if not line.startswith(INSTALLING):
                assert paste(line) == 0, line


def test_the_readme_names_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    install = (ROOT / "README.md").read_text(encoding="utf-8").split("## Install")[1].split("\n## ")[0]
    assert [extra for extra in extras if extra not in WORKERS and f"`{extra}`" not in install] == []
