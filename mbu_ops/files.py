"""Files: written whole or not at all, and read without waiting for what is none."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mbu_ops.hidden import hidden_path, hold, sweep

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def open_regular(path: Path, limit: int | None = None) -> BinaryIO:
    """Open a file that may come from anywhere: nothing but a regular file, so that no read waits or never ends.

    Pipes and devices are looked at before they are opened, since opening alone may wait for one, or wind back another.
    What takes the file's name between that look and the opening is looked at again. The file ends where its length says
    as it is opened: what grows meanwhile, or is made up by the system as it is read, is not followed.

    Args:
        path: the file.
        limit: most bytes that it may have; None for any number.

    Returns:
        The open file; ``os.fstat`` of it says how long it is.

    Raises:
        IsADirectoryError: if it is a folder.
        OSError: if it is missing, no regular file, longer than the limit, or cannot be opened.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "note.txt"
        >>> _ = path.write_text("whole")
        >>> with open_regular(path) as file:
        ...     file.read()
        b'whole'
    """
    _check_regular(path.stat(), path, limit)
    raw = _AsLongAsItSays(path, opener=_without_waiting)
    try:
        status = os.fstat(raw.fileno())
        _check_regular(status, path, limit)
    except OSError:
        raw.close()
        raise
    raw.length = status.st_size
    return io.BufferedReader(raw)


def read_regular(path: Path, limit: int) -> bytes:
    """Return what a file holds that may come from anywhere, as :func:`open_regular` opens it.

    Args:
        path: the file.
        limit: most bytes that it may have.

    Raises:
        OSError: as :func:`open_regular`; then nothing is read.
    """
    with open_regular(path, limit) as file:
        return file.read(os.fstat(file.fileno()).st_size)  # at once: of unknown length it is read twice over


def read_text(path: Path, limit: int = 256 << 20) -> str:
    """Return the UTF-8 text of a file that may come from anywhere, as :func:`read_regular` reads it.

    Raises:
        OSError: as :func:`read_regular`.
        UnicodeDecodeError: if it is no text.
    """
    text = read_regular(path, limit).decode("utf-8")
    return text.replace("\r\n", "\n")


def sha256_of(path: Path) -> str:
    """Return the digest of a regular file, 64 hex digits, a piece at a time.

    Raises:
        OSError: as :func:`open_regular`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "note.txt"
        >>> _ = path.write_text("whole")
        >>> sha256_of(path)[:8]
        '5d5766cf'
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


class _AsLongAsItSays(io.FileIO):
    """A file that ends at its length."""

    length = 0

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return super().readinto(memoryview(buffer).cast("B")[: max(self.length - self.tell(), 0)]) or 0

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(self.length - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left)) or b""

    def readall(self) -> bytes:
        parts = []
        while part := self.read(1 << 24):
            parts.append(part)
        return b"".join(parts)


class Rationed:
    """An open file of which no more is read than so many bytes in all, wherever they lie.

    Args:
        file: the file.
        most: bytes.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left = file, most
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            OSError: if these are too many.
        """
        if not 0 <= size <= self._left:
            raise OSError(errno.EFBIG, "its header goes on and on")
        self._left -= size
        return self._file.read(size)


def _check_regular(status: os.stat_result, path: Path, limit: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, and no regular file", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    if limit is not None and status.st_size > limit:
        raise OSError(errno.EFBIG, f"expected at most {limit} bytes, got {status.st_size}", str(path))


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def atomic_path(path: Path, mode: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on a clean exit it takes that name, otherwise it is removed.

    The data reaches the disk before the name does, so neither a crash nor a full disk leaves half a file under the
    final name, and the file that had the name before stays until the new one is whole. What a process that was killed
    left behind, the next one that writes into the folder sweeps.

    Args:
        path: the final name.
        mode: permission bits of the new file; None for the usual ones. Those of a file that has the name already count
            more, those that the umask forbids are left out, and its owner may always read and write it.

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
    sweep(path.parent)
    temporary = hidden_path(path.parent)  # in the same folder, so that the rename is atomic
    descriptor = hold(temporary, _mode_of(path, mode), new=True)
    try:
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            if sys.platform != "win32":  # where open files cannot be renamed
                temporary.replace(path)
        finally:
            os.close(descriptor)
        if sys.platform == "win32":
            temporary.replace(path)
    finally:  # Ctrl-C too
        temporary.unlink(missing_ok=True)


def permissions(path: object) -> int | None:
    """Return the permission bits of a file; None for what is no path, or of no file."""
    if isinstance(path, str | os.PathLike):
        with suppress(OSError):
            return stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116 - bytes are no path here
    return None


def _mode_of(path: Path, mode: int | None) -> int:
    known = permissions(path)
    mode = mode if known is None else known
    return 0o666 if mode is None else mode & 0o666 | stat.S_IRUSR | stat.S_IWUSR
