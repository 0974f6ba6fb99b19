"""What a weights file says of itself: its header, read and checked without torch.

A safetensors file is 8 bytes of header length, a JSON header, and the tensors' bytes one after another. Our own facts
are strings in the header's ``__metadata__``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbu_ops.errors import WeightsError

SCHEMA = 1
"""Version of the facts in the header; a file of another version is refused."""

MAX_HEADER = 1 << 20
"""Largest header that is read, in bytes; real ones take a few thousand."""

ITEM_BYTES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
"""Bytes of an element of each dtype that weights may be stored in."""

_DTYPE_NAMES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
GUIDES = "guides"
"""Name of the tensor of default guide codes."""


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """What a weights file says of itself.

    Attributes:
        method: name of the method whose networks these are.
        config: the method's configuration, as JSON holds it.
        family: name of the family, if the weights belong to one.
        attributes: what the weights add and remove.
        resolution: side of the square model frame, in pixels.
        licence: what the weights may be used for.
        training: facts of the training run, as JSON holds them.
        guides: how many default guide codes there are.
        dtype: what the numbers are stored in.
        schema: version of these facts.
    """

    method: str
    config: dict[str, Any]
    family: str | None
    attributes: tuple[str, ...]
    resolution: int
    licence: str
    training: dict[str, Any] = field(default_factory=dict)
    guides: int = 0
    dtype: str = "float16"
    schema: int = SCHEMA

    def to_metadata(self) -> dict[str, str]:
        """Return the facts as a safetensors header holds them."""
        facts = {
            "schema": str(self.schema),
            "method": self.method,
            "config": json.dumps(self.config),
            "attributes": json.dumps(self.attributes),
            "resolution": str(self.resolution),
            "licence": self.licence,
            "training": json.dumps(self.training),
        }
        return facts if self.family is None else facts | {"family": self.family}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where one tensor of a file lies.

    Attributes:
        dtype: as safetensors writes it, such as ``"F16"``.
        shape: its shape.
        begin: offset of its first byte, after the header.
        end: offset past its last byte.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_info(path: str | Path) -> WeightsInfo:
    """Read what a weights file says of itself; its numbers are not looked at.

    Args:
        path: the file.

    Raises:
        WeightsError: if the file is missing, truncated, or not one of ours.
    """
    return read_header(Path(path))[0]


def read_header(path: Path) -> tuple[WeightsInfo, dict[str, TensorEntry]]:
    """Read a file's facts and where its tensors lie, trusting nothing.

    Raises:
        WeightsError: if the file is missing, truncated, or not one of ours.
    """
    try:
        with path.open("rb") as file:
            prefix = file.read(8)
            length = int.from_bytes(prefix, "little")
            if len(prefix) < 8 or not 2 <= length <= MAX_HEADER:
                raise _bad(path, f"a safetensors header of at most {MAX_HEADER} bytes", f"a length of {length} bytes")
            text = file.read(length)
            size = file.seek(0, 2) - 8 - length
    except FileNotFoundError:
        raise WeightsError(f"expected a weights file at {str(path)!r}, there is none; check the path") from None
    except OSError as error:
        raise WeightsError(f"could not read {str(path)!r}: {error}; check the path and its permissions") from error
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _bad(path, "a JSON header", str(error) or type(error).__name__) from error
    if not isinstance(header, dict):
        raise _bad(path, "a JSON object as header", type(header).__name__)
    metadata = header.pop("__metadata__", None)
    entries = _entries(path, header, size)
    return _info(path, metadata, entries), entries


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} twice")
    return dict(pairs)


def _entries(path: Path, header: dict[str, Any], size: int) -> dict[str, TensorEntry]:
    """Return the tensors, after checking that they fill the file exactly, without overlap."""
    entries: dict[str, TensorEntry] = {}
    for name, value in header.items():
        try:
            dtype, shape, (begin, end) = value["dtype"], tuple(value["shape"]), value["data_offsets"]
            whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
            fits = whole and end - begin == math.prod(shape) * ITEM_BYTES[dtype]
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(path, f"dtype, shape and place of {name!r}", f"{value!r}") from error
        if not fits:
            raise _bad(path, f"{name!r} to take as many bytes as its shape {shape} says", f"{begin} to {end}")
        entries[name] = TensorEntry(dtype, shape, begin, end)
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise _bad(path, f"{name!r} to begin at byte {position}", f"byte {entry.begin}")
        position = entry.end
    if position != size:
        raise _bad(path, f"{position} bytes of tensors", f"{size} (truncated, or with something behind them)")
    return entries


def _info(path: Path, metadata: Any, entries: dict[str, TensorEntry]) -> WeightsInfo:
    if not isinstance(metadata, dict) or "schema" not in metadata or "method" not in metadata:
        raise _bad(path, "metadata of mbu-ops weights (schema, method, config ...)", "a file without them")
    if metadata["schema"] != str(SCHEMA):
        raise _bad(path, f"schema {SCHEMA}", f"{metadata['schema']!r}, which another version of mbu-ops wrote")
    try:
        config, training = json.loads(metadata["config"]), json.loads(metadata["training"])
        attributes = tuple(json.loads(metadata["attributes"]))
        resolution = int(metadata["resolution"])
        texts = [metadata["method"], metadata["licence"], *attributes, metadata.get("family", "")]
        if not (isinstance(config, dict) and isinstance(training, dict) and all(isinstance(one, str) for one in texts)):
            raise ValueError("facts of the wrong type")
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _bad(path, "metadata of mbu-ops weights", f"{type(error).__name__}: {error}") from error
    guides = entries.get(GUIDES)
    stored = {entry.dtype for entry in entries.values()}
    if len(stored) != 1:
        raise _bad(path, "tensors of one dtype", ", ".join(sorted(stored)) or "no tensor at all")
    return WeightsInfo(
        method=metadata["method"],
        config=config,
        family=metadata.get("family"),
        attributes=attributes,
        resolution=resolution,
        licence=metadata["licence"],
        training=training,
        guides=guides.shape[0] if guides and guides.shape else 0,
        dtype=_DTYPE_NAMES[stored.pop()],
    )


def _bad(path: Path, expected: str, got: str) -> WeightsError:
    return WeightsError(
        f"{str(path)!r} is not a sound weights file: expected {expected}, got {got[:200]}; get the file again, or "
        "convert a published checkpoint with 'mbu-ops weights convert'"
    )
