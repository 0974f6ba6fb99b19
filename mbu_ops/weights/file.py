"""Weights files: written whole, and read only if every tensor is what the file's own facts promise."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.files import atomic_path
from mbu_ops.methods import get_method
from mbu_ops.weights.header import GUIDES, TensorEntry, WeightsInfo, read_header
from mbu_ops.weights.store import resolve

_COUNTERS = "num_batches_tracked"
"""Batch norm's step counters: training keeps them, weights do not need them."""


class Pretrained(NamedTuple):
    """Trained networks and what their file says.

    Attributes:
        model: the networks, in eval mode.
        info: the file's facts.
        guides: default guide codes ``(N, C, S, S)``, or None.
    """

    model: Any
    info: WeightsInfo
    guides: Tensor | None


def save(
    path: str | Path,
    model: nn.Module,
    info: WeightsInfo,
    guides: Tensor | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write networks and their facts to a safetensors file, whole or not at all.

    Args:
        path: where to; an existing file is replaced. Its folder must exist.
        model: the networks.
        info: the facts; ``guides`` and ``dtype`` are filled in.
        guides: default guide codes ``(N, C, S, S)``.
        dtype: what to store the numbers in.

    Raises:
        WeightsError: if a number is not finite, or too large for the dtype; nothing is written then.
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> from mbu_ops.testing import tiny_mbu
        >>> model = tiny_mbu()
        >>> info = WeightsInfo("mbu", model.config_to_dict(model.config), None, ("hat",), 16, "public domain")
        >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
        >>> save(path, model, info)
        >>> load(path).info.attributes
        ('hat',)
    """
    tensors = {name: value for name, value in model.state_dict().items() if not name.endswith(_COUNTERS)}
    if guides is not None:
        tensors[GUIDES] = guides
    stored: dict[str, Tensor] = {}
    for name, value in tensors.items():
        # a copy is contiguous and shares no memory, as the format asks
        stored[name] = value.detach().to("cpu", dtype, copy=True).contiguous()
        if not stored[name].isfinite().all():
            raise WeightsError(
                f"expected finite numbers that fit {dtype}, got others in {name!r}; nothing was written: train again "
                "with a lower learning rate, or store a wider dtype"
            )
    facts = replace(info, guides=0 if guides is None else len(guides), dtype=str(dtype).removeprefix("torch."))
    with atomic_path(Path(path)) as temporary:
        safetensors.torch.save_file(stored, temporary, metadata=facts.to_metadata())


def load(
    path: str | Path,
    *,
    sha256: str | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Pretrained:
    """Read networks from a weights file, in eval mode.

    The network is built from the file's own configuration; each tensor must be there, of the shape it has in that
    network, and finite. Nothing in the file is ever executed.

    Args:
        path: the file.
        sha256: digest that the file must have.
        device: where to put the networks; the CPU by default.
        dtype: of the networks; float32 by default.

    Raises:
        WeightsError: if the file is missing or not exactly what it should be.
    """
    path = Path(path)
    info, entries = read_header(path)
    if sha256 is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            raise WeightsError(
                f"{str(path)!r} is not the file its family promises: expected sha256 {sha256}, got {digest}; install "
                "the package again"
            )
    model = _empty_network(path, info)
    _check_entries(path, model, entries)
    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"could not read {str(path)!r}: {error}; get the file again") from error
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise WeightsError(f"{str(path)!r}: expected finite numbers, got others in {name!r}; get the file again")
    target = {"device": device or "cpu", "dtype": dtype or torch.float32}
    state = {name: value.to(**target) for name, value in tensors.items()}
    guides = state.pop(GUIDES, None)
    state |= {
        name: torch.zeros_like(value, device=target["device"])
        for name, value in model.state_dict().items()
        if name.endswith(_COUNTERS)
    }
    model.load_state_dict(state, assign=True)
    return Pretrained(model.eval().requires_grad_(True), info, guides)


def _empty_network(path: Path, info: WeightsInfo) -> nn.Module:
    """Build the network the file describes, without memory for its numbers: a hostile size costs nothing."""
    try:
        method = get_method(info.method)
        config = method.config_from_dict(info.config)
        with torch.device("meta"):
            model: nn.Module = method(config)
    except (ConfigurationError, RuntimeError, OverflowError) as error:
        raise WeightsError(f"{str(path)!r} describes a network that cannot be built: {error}") from error
    if config.resolution != info.resolution:
        raise WeightsError(
            f"{str(path)!r} contradicts itself: resolution {info.resolution}, configuration {config.resolution}"
        )
    return model


def _check_entries(path: Path, model: Any, entries: dict[str, TensorEntry]) -> None:
    expected = {
        name: tuple(value.shape) for name, value in model.state_dict().items() if not name.endswith(_COUNTERS)
    }
    got = {name: entry.shape for name, entry in entries.items() if name != GUIDES}
    missing, unknown = sorted(expected.keys() - got.keys()), sorted(got.keys() - expected.keys())
    if missing or unknown:
        raise WeightsError(
            f"{str(path)!r} does not hold the tensors of its network: missing {missing[:3]}, unknown {unknown[:3]} "
            f"({len(missing)} and {len(unknown)} in all); get the file again"
        )
    for name, shape in expected.items():
        if got[name] != shape:
            raise WeightsError(f"{str(path)!r}: expected {name!r} of shape {shape}, got {got[name]}; get the file again")
    guides = entries.get(GUIDES)
    if guides is not None and (len(guides.shape) != 4 or guides.shape[1:] != model.config.separate_code_shape):
        raise WeightsError(
            f"{str(path)!r}: expected guide codes of shape (N, {', '.join(map(str, model.config.separate_code_shape))}), "
            f"got {guides.shape}; get the file again"
        )


def load_pretrained(
    name_or_path: str | Path,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    method: str | None = None,
) -> Pretrained:
    """Find weights by name or path and load them; see :func:`mbu_ops.weights.resolve` and :func:`load`.

    Args:
        name_or_path: ``"family/attribute"``, ``"family/attribute/id"``, a weights file, or a training run's folder.
        device: where to put the networks; the CPU by default.
        dtype: of the networks; float32 by default.
        method: the method wanted, where a family has weights of several.

    Raises:
        FamilyError: for an unknown family or attribute.
        WeightsError: if there are no such weights, or the file is not exactly what it should be.
    """
    path, spec = resolve(name_or_path, method=method)
    return load(path, sha256=spec.sha256 if spec else None, device=device, dtype=dtype)


def verify(name_or_path: str | Path) -> WeightsInfo:
    """Check weights completely (form, digest, shapes, every number) and return what they say of themselves.

    Raises:
        FamilyError: for an unknown family or attribute.
        WeightsError: naming the first thing that is wrong.
    """
    return load_pretrained(name_or_path).info
