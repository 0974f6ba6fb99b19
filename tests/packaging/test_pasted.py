"""README.md and the quick start, pasted from top to bottom in an empty folder."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/quickstart.md")
WORKERS = {"dev", "docs"}
"""Extras for those who work on the library."""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_pasted(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pasting = runpy.run_path(str(ROOT / "tools" / "paste.py"))
    names: dict[str, object] = {}
    for language, text in pasting["BLOCK"].findall((ROOT / page).read_text(encoding="utf-8")):
        pasting["paste"](language, text, names)


def test_the_readme_names_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    install = (ROOT / "README.md").read_text(encoding="utf-8").split("## Install")[1].split("\n## ")[0]
    assert [extra for extra in extras if extra not in WORKERS and f"`{extra}`" not in install] == []
