"""Write tensors and what is said of them: the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mbu_ops.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, whole or not at all; its metadata is in the order of names.

    The library itself writes metadata in another order each time, which would give one network many digests.

    Args:
        path: where to.
        tensors: on the CPU, contiguous, none of which shares memory with another.
        metadata: text of the header.

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "a.safetensors"
        >>> write_tensors(path, {"a": torch.ones(2)}, {"z": "1", "b": "2"})
        >>> path.read_bytes()[8:43]
        b'{"__metadata__":{"b":"2","z":"1"},"'
    """
    from safetensors.torch import save

    # as bytes, and not by safetensors itself, whose error for a full disk is no OSError
    data = memoryview(save(dict(tensors), dict(metadata)))
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8:end]))
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        file.write(data[end:])
