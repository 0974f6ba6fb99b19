"""Writing files whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
