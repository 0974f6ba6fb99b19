"""The changes that docs/extending.md shows can be made to the code as it is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
DIFFS = sorted((ROOT / "docs" / "extending").glob("*.diff"))


@pytest.mark.parametrize("diff", DIFFS, ids=lambda diff: diff.stem)
def test_a_change_applies(diff: Path, tmp_path: Path) -> None:
    """To the files that it names, copied to where git finds no repository."""
    for name in re.findall(r"^--- a/(.+)$", diff.read_text(encoding="utf-8"), re.MULTILINE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(["git", "apply", "--check", str(diff)], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_page_counts_right() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [diff.name for diff in DIFFS] == ["frame.diff", "verb.diff"]
    for diff in DIFFS:
        changed = diff.read_text(encoding="utf-8")
        files, lines = changed.count("diff --git"), len(re.findall(r"^\+(?!\+\+)", changed, re.MULTILINE))
        assert f"{files} files" in text
        assert diff.stem != "frame" or f"{files} files, {lines} lines" in text
