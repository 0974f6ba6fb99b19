"""Hidden files beside results: a lock says that somebody is at work on one, and those of nobody are swept.

The system takes a lock away with the process that held it, however that ended. Where there are no such locks (Windows,
some network file systems) nothing is swept, and runs do not know of each other.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import sys
from pathlib import Path

_PREFIX, _SUFFIX = ".mbu-ops-", ".tmp"
_CAN_LOCK = sys.platform != "win32"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_swept: set[str] = set()


def hidden_path(folder: Path, name: str | None = None) -> Path:
    """Return the path of a hidden file: nobody takes it for a result, and it is short, for file systems' sake.

    Args:
        folder: where it lies.
        name: what it stands for; None for a file that nobody else has.

    Example:
        >>> hidden_path(Path("out"), "a.png") == hidden_path(Path("out"), "a.png")
        True
    """
    token = secrets.token_hex(8) if name is None else hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return folder / f"{_PREFIX}{token}{_SUFFIX}"


def hold(path: Path, mode: int = 0o666, *, new: bool = False) -> int:
    """Open a hidden file and keep it until the descriptor is closed, or the process ends in whatever way.

    Args:
        path: the file; it is made where it is missing.
        mode: permission bits of a file that is made, as far as the umask allows.
        new: whether it must not be there yet.

    Returns:
        A descriptor that can be written to.

    Raises:
        BlockingIOError: if somebody else holds it.
        OSError: if it cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | (os.O_EXCL if new else 0) | getattr(os, "O_NOFOLLOW", 0)
    while True:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), mode)
        try:
            _lock(descriptor, wait=new)  # of a new file nobody knows, but who sweeps it in this very moment
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the hidden files in a folder that nobody holds: those of processes that were killed, or lost power.

    A process looks through a folder once.

    Args:
        folder: where to look; subfolders are left alone.
    """
    key = os.path.realpath(folder)
    if not _CAN_LOCK or key in _swept:
        return
    _swept.add(key)
    try:
        with os.scandir(folder) as entries:
            found = [
                Path(entry) for entry in entries if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)
            ]
    except OSError:  # whoever wants to write there will say so
        return
    for path in found:
        _remove_if_free(path)


def _remove_if_free(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:  # of another user, or gone
        return
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and _lock(descriptor) and _is_at(descriptor, path):
            path.unlink()
    except OSError:  # held
        return
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file; return whether there are locks here.

    Raises:
        BlockingIOError: if somebody else holds it.
    """
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
