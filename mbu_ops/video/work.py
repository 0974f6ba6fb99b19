"""The work folder of a clip: what a run that was stopped leaves, so that the next goes on from there.

It lies beside the result, hidden, and holds: ``lock``, held while a run is at work; ``run.json``, what the work belongs
to; ``found.jsonl``, a line for each frame that was searched; ``decisions.json``; ``NNNNNNNN.npz``, the pixels that
changed in the frames of one chunk; and ``steady.safetensors``, what the next chunk must know of the last. Every file
but ``found.jsonl`` appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mbu_ops.errors import VideoFileError
from mbu_ops.files import atomic_path
from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame
from mbu_ops.video.clip import Pixels


class Patch(NamedTuple):
    """The part of a frame that changed.

    Attributes:
        top: its first row.
        left: its first column.
        pixels: ``(h, w, 3)``; none where nothing changed.
    """

    top: int
    left: int
    pixels: Pixels

    @classmethod
    def between(cls, before: Pixels, after: Pixels) -> Patch:
        """Return what changed from one frame to another of the same size.

        Example:
            >>> before = np.zeros((4, 5, 3), np.uint8)
            >>> after = before.copy()
            >>> after[1:3, 2] = 9
            >>> patch = Patch.between(before, after)
            >>> patch.top, patch.left, patch.pixels.shape, bool((patch.on(before) == after).all())
            (1, 2, (2, 1, 3), True)
        """
        changed = (before != after).any(2)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if not len(rows):
            return cls(0, 0, after[:0, :0])
        top, left = int(rows[0]), int(columns[0])
        return cls(top, left, after[top : rows[-1] + 1, left : columns[-1] + 1].copy())

    def on(self, pixels: Pixels) -> Pixels:
        """Return a frame with the patch."""
        if not self.pixels.size:
            return pixels
        result = pixels.copy()
        height, width = self.pixels.shape[:2]
        result[self.top : self.top + height, self.left : self.left + width] = self.pixels
        return result


@contextlib.contextmanager
def work_folder(target: Path, identity: str) -> Iterator[WorkFolder]:
    """Open the work folder of a result, and hold it for this run.

    Args:
        target: the result.
        identity: what the work is made of and how; work of another identity is thrown away.

    Raises:
        VideoFileError: if another run holds it, it is a link or somebody else's, or it cannot be written.
    """
    name = hashlib.sha256(target.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    path = target.parent / f".mbu-ops-{name}.work"
    with contextlib.ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)  # frames lie in it
            _check_own(path)
            lock = stack.enter_context((path / "lock").open("ab"))
            if not _hold(lock.fileno(), path / "lock"):
                raise VideoFileError(
                    f"{str(target)!r}: another run is at work on it; let it end, or choose another output"
                )
            folder = WorkFolder(path, identity)
        except VideoFileError:
            raise
        except OSError as error:
            raise VideoFileError(f"{str(path)!r}: cannot be written ({error.strerror or error})") from error
        yield folder


class WorkFolder:
    """The files of a run; see this module.

    Args:
        path: the folder.
        identity: see :func:`work_folder`.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        if self.read("run.json") != {"identity": identity}:
            for file in path.iterdir():
                if file.name != "lock":
                    file.unlink()
            self.write("run.json", {"identity": identity})

    def read(self, name: str) -> Any:
        """Return what a JSON file holds; None if it is not there or damaged."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file."""
        self._write(name, json.dumps(content).encode())

    def found(self) -> list[dict[str, Any]]:
        """Return the whole lines of what was found."""
        try:
            lines = (self.path / "found.jsonl").read_bytes().split(b"\n")[:-1]
            return [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return []

    @contextlib.contextmanager
    def finding(self, kept: int) -> Iterator[FoundFile]:
        """Open what was found, to go on after its first lines."""
        lines = [json.dumps(line) + "\n" for line in self.found()[:kept]]
        self._write("found.jsonl", "".join(lines).encode())
        with (self.path / "found.jsonl").open("ab", buffering=0) as file:
            yield FoundFile(file)

    def keep(self, patches: Mapping[int, Patch]) -> None:
        """Write the patches of a chunk of frames.

        Args:
            patches: by the numbers of the frames, in their order.
        """
        arrays: dict[str, Any] = {}
        for number, (top, left, pixels) in patches.items():
            arrays |= {f"{number}": pixels, f"{number}.at": np.array([top, left])}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        self._write(_chunk_name(next(iter(patches))), buffer.getvalue())

    def patches(self, first: int) -> dict[int, Patch]:
        """Return the patches of a chunk.

        Args:
            first: number of its first frame.

        Raises:
            VideoFileError: if it is not there or damaged.
        """
        path = self.path / _chunk_name(first)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                names = [name for name in arrays.files if not name.endswith(".at")]
                places = {name: arrays[f"{name}.at"].tolist() for name in names}
                return {int(name): Patch(top, left, arrays[name]) for name, (top, left) in places.items()}
        except Exception as error:  # a damaged archive makes NumPy raise nearly anything
            raise VideoFileError(
                f"{str(path)!r}: expected frames that were edited, got a damaged file or none ({error}); remove the "
                "folder that it lies in, and run the same again"
            ) from error

    def keep_state(self, following: int, tensors: Mapping[str, Tensor]) -> None:
        """Write what the chunk that begins with a frame must know of the one before."""
        copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        self._write("steady.safetensors", safetensors.torch.save(copies, {"following": str(following)}))

    def state(self, chunk: int) -> tuple[int, dict[str, Tensor]]:
        """Return the first frame that is to be edited, and the state of before; 0 and nothing if there is none.

        Args:
            chunk: frames in each chunk.
        """
        try:
            with safe_open(self.path / "steady.safetensors", framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
                following = int(file.metadata()["following"])
        except (OSError, SafetensorError, ValueError):  # not there, or damaged: begin again
            return 0, {}
        if not all((self.path / _chunk_name(first)).exists() for first in range(0, following, chunk)):
            return 0, {}
        return following, tensors

    @property
    def has_frames(self) -> bool:
        """Whether frames are edited already."""
        return any(self.path.glob("*.npz"))

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write(self, name: str, data: bytes) -> None:
        with _writing(self.path / name), atomic_path(self.path / name) as temporary:
            temporary.write_bytes(data)


class FoundFile:
    """Takes a line for each frame that was searched.

    Args:
        file: where to; not buffered, so that what does not fit is not tried again as it closes.
    """

    def __init__(self, file: io.FileIO) -> None:
        self.file = file

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line.

        Raises:
            VideoFileError: if it cannot be written; half a line is passed over as it is read.
        """
        text = (json.dumps(line) + "\n").encode()
        with _writing(self.file.name):
            if self.file.write(text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def _writing(path: object) -> Iterator[None]:
    """Name the file in what becomes of a full disk."""
    try:
        yield
    except OSError as error:
        raise VideoFileError(
            f"{str(path)!r}: cannot be written ({error.strerror or error}); make room and run the same again: it goes "
            "on from there"
        ) from error


def _chunk_name(first: int) -> str:
    return f"{first:08}.npz"


def place_to_json(place: Frame | Box) -> dict[str, Any]:
    """Return a place as JSON takes it."""
    return {"kind": type(place).__name__, **asdict(place)}


def place_from_json(fields: Mapping[str, Any]) -> Frame | Box:
    """Return the place of :func:`place_to_json`."""
    rest = {name: value for name, value in fields.items() if name != "kind"}
    return Box(**rest) if fields["kind"] == "Box" else Frame(**rest)


def _check_own(path: Path) -> None:
    """Make sure that a work folder is one, and this user's: what lies in it is believed, and thrown away.

    Raises:
        VideoFileError: if it is a link, no folder, or belongs to somebody else.
    """
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise VideoFileError(
            f"{str(path)!r}: expected a work folder of your own under this name, got a link, a file or a folder of "
            "somebody else; remove it, or choose another output"
        )


def _hold(descriptor: int, path: Path) -> bool:
    """Lock an open file until it is closed, or its process ends, however it does.

    Returns:
        False if another process holds it, or held it and has removed it meanwhile.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
