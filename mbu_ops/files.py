"""Files: written whole or not at all, and read without waiting for what is none."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a file that may come from anywhere: nothing but a regular file, so that no read waits or never ends.

    Pipes and devices are looked at before they are opened, since opening alone may wait for one, or wind back another.
    What takes the file's name between that look and the opening is looked at again.

    Args:
        path: the file.

    Returns:
        The open file; ``os.fstat`` of it says how long it is.

    Raises:
        IsADirectoryError: if it is a folder.
        OSError: if it is missing, no regular file, or cannot be opened.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "note.txt"
        >>> _ = path.write_text("whole")
        >>> with open_regular(path) as file:
        ...     file.read()
        b'whole'
    """
    _check_regular(path.stat(), path)
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - it is the caller's to close
    try:
        _check_regular(os.fstat(file.fileno()), path)
    except OSError:
        file.close()
        raise
    return file


def _check_regular(status: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, and no regular file", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on a clean exit it takes that name, otherwise it is removed.

    The data reaches the disk before the name does, so neither a crash nor a full disk leaves half a file under the
    final name, and the file that had the name before stays until the new one is whole.

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_path(folder / "note.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['note.txt']
    """
    # same folder, so that the rename is atomic; hidden, so that nobody takes it for a result; short, for long names
    temporary = path.parent / f".mbu-ops-{secrets.token_hex(8)}.tmp"
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:  # Ctrl-C too
        temporary.unlink(missing_ok=True)
