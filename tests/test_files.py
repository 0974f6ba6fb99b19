"""Whole files or none, and no waiting for what is no file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mbu_ops.files import atomic_path, open_regular


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


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "missing")


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
@pytest.mark.parametrize("renamed", [False, True])
def test_a_pipe_is_never_waited_for_even_if_it_takes_a_file_s_name_meanwhile(
    renamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    if renamed:
        (tmp_path / "file").touch()
        status = (tmp_path / "file").stat()
        monkeypatch.setattr(type(tmp_path), "stat", lambda path: status)
    opened, opener = [], os.open

    def remember(path: str, flags: int) -> int:
        opened.append(opener(path, flags))
        return opened[-1]

    monkeypatch.setattr(os, "open", remember)
    with pytest.raises(OSError, match="it is no regular file"):
        open_regular(tmp_path / "pipe")
    assert len(opened) == renamed
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
