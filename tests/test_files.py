"""Whole files or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from mbu_ops.files import atomic_path


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: Any) -> None:
    path = tmp_path / "note.txt"
    path.write_text("before")

    def fail() -> NoReturn:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]


def test_names_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "missing" / "note.txt") as temporary:
        temporary.write_text("whole")
