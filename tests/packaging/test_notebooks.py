"""Notebooks hold no results, which the site makes anew, and nothing of who wrote them; the site's build runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mbu_ops

NOTEBOOKS = sorted((Path(mbu_ops.__file__).parents[1] / "docs").glob("**/*.ipynb"))


def test_there_is_one() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_results(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert not cell.get("outputs"), "clear all outputs before you save it"
        assert cell.get("execution_count") is None
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
