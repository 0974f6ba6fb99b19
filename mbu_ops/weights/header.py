"""The header of a safetensors file, read with suspicion and without torch.

The format (8 bytes of header length, a JSON header, the bytes of the tensors) can run no code, but its readers take
duplicate names and any size of header. This one takes neither, and the file must be exactly as long as its header says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from mbu_ops.errors import WeightsError
from mbu_ops.foreign import one_line, parse_object

LONGEST_HEADER = 1_000_000
"""Bytes; ours hold a few dozen tensors and take about ten thousand."""

ITEM_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Bytes per number of the types that weights may have."""


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """What the header says of one tensor.

    Attributes:
        dtype: a key of :data:`ITEM_SIZES`.
        shape: its shape.
    """

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """A safetensors header that its file agrees with.

    Attributes:
        metadata: the file's ``__metadata__``.
        tensors: entry of each tensor, by name.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorEntry]


def read_header(file: BinaryIO, size: int, path: object) -> Header:
    """Read the header at the start of a file; nothing behind it is read.

    Args:
        file: positioned at its first byte.
        size: bytes of the whole file.
        path: for messages.

    Raises:
        WeightsError: if it is no safetensors file, or header and file disagree.
    """
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= min(LONGEST_HEADER, size - 8):
        raise WeightsError(
            f"{path}: expected a safetensors file with a header of 2 to {LONGEST_HEADER} bytes, got a file of {size} "
            "bytes without one; it is another kind of file, or cut short"
        )
    try:
        raw = parse_object(file.read(length))
        metadata = raw.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("__metadata__ must hold text only")
        spans = {name: _span(name, entry) for name, entry in raw.items()}
    except ValueError as error:
        raise WeightsError(
            f"{path}: its safetensors header is damaged: {one_line(error)}; get the file again"
        ) from error
    end = 0
    for begin, stop in sorted((begin, stop) for _, begin, stop in spans.values()):
        if begin != end:
            raise WeightsError(f"{path}: its tensors overlap or leave a gap at byte {end}; get the file again")
        end = stop
    if 8 + length + end != size:
        raise WeightsError(f"{path}: expected {8 + length + end} bytes, got {size}; it is cut short or extended")
    return Header(metadata, {name: entry for name, (entry, _, _) in spans.items()})


def _span(name: str, entry: object) -> tuple[TensorEntry, int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} needs dtype, shape and data_offsets, got {entry!r:.200}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
        raise ValueError(f"tensor {name!r}: expected a dtype of {', '.join(ITEM_SIZES)}, got {dtype!r:.50}")
    if not _counts(shape) or len(shape) > 8:
        raise ValueError(f"tensor {name!r}: expected a shape, got {shape!r:.200}")
    if not _counts(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name!r}: expected two data_offsets, got {offsets!r:.200}")
    begin, stop = offsets
    if stop - begin != math.prod(shape) * ITEM_SIZES[dtype]:
        raise ValueError(f"tensor {name!r}: {dtype} of shape {shape} does not fill bytes {begin} to {stop}")
    return TensorEntry(dtype, tuple(shape)), begin, stop


def _counts(values: object) -> bool:
    # type() and not isinstance(): True is an int, and no size
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)
