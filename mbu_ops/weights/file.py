"""Weights files: one safetensors file per model, with its description as metadata and its default guide codes.

A file may come from anywhere. Nothing in it is executed, and nothing in it is believed: names, shapes, types, sizes
and numbers are all compared with what the method's network has.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mbu_ops.errors import ConfigurationError, MBUOpsError, WeightsError
from mbu_ops.families.frames import FrameSpec
from mbu_ops.families.registry import frame_of
from mbu_ops.files import open_regular
from mbu_ops.foreign import first_line, one_line
from mbu_ops.weights.header import Header, TensorEntry, read_header
from mbu_ops.weights.info import METADATA_KEY, WeightsInfo
from mbu_ops.weights.tensors import write_tensors

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mbu_ops.methods.base import Networks
    from mbu_ops.methods.presence import Detector

__all__ = ["Pretrained", "WeightsInfo", "load", "read_info", "save"]

_log = logging.getLogger(__name__)

TRAINED = "weights.safetensors"
"""Name of the weights in a folder, such as the one that training writes."""

GUIDES = "guides"
"""Name of the default guide codes in the file."""

PRESENCE = "presence."
"""What the names of the tensors that say whether there is something to do begin with."""

_COUNTER = "num_batches_tracked"  # batch norm's bookkeeping: no part of what the network computes
_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Pretrained(NamedTuple):
    """A network with trained weights.

    Attributes:
        model: in eval mode, and frozen unless it was loaded to be trained.
        info: what the file says of itself.
        guides: ``(N, *guide code shape)`` default guide codes, or None.
        presence: says whether there is something to do; None where the file holds no such network.
        card: what is told to people about it, as Markdown; empty where no card lies beside the file.
        metrics: measured figures that its family lists, as ``(name, value)``.
        sha256: the file's digest, 64 hex digits; empty for weights that come from no file.
    """

    model: nn.Module
    info: WeightsInfo
    guides: Tensor | None
    presence: Detector | None = None
    card: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    sha256: str = ""

    @property
    def frame(self) -> FrameSpec:
        """Which frame of a place in a photo the network sees."""
        return frame_of(self.info.family, self.info.frame)

    def in_form(self, model: nn.Module) -> Pretrained:
        """Return the same with the network in another form, which also says whether there is something to do."""
        from mbu_ops.methods.presence import OwnPresence

        presence = self.presence
        if isinstance(presence, OwnPresence):
            presence = OwnPresence(model, presence.thresholds).eval()
        return self._replace(model=model, presence=presence)

    def for_content(self, content: str | None, path: object) -> Pretrained:
        """Return what edits one of the contents, with its guides; all of it if the network edits one only.

        Args:
            content: its name among ``info.attributes``; only needed where there are several.
            path: of the weights, for messages.

        Raises:
            WeightsError: if the network edits several and this is not one of them.
        """
        model: Any = self.model
        if model.contents == 1:
            return self
        names = self.info.attributes
        if content not in names:
            got = "none was named" if content is None else f"got {content!r}"
            raise WeightsError(f"{path}: these weights edit {' and '.join(names)}; name one of them as content, {got}")
        index = names.index(content)
        guides = None if self.guides is None else model.guides_for(self.guides, index)
        return Pretrained(model.for_content(index), self.info, guides, sha256=self.sha256)


def save(
    path: str | os.PathLike[str],
    model: Networks,
    info: WeightsInfo,
    guides: Tensor | None = None,
    dtype: torch.dtype | None = None,
    presence: Detector | None = None,
) -> None:
    """Write a model's weights, whole or not at all.

    Args:
        path: where to; an existing file is replaced.
        model: the networks.
        info: their description; ``guides``, ``dtype`` and ``presence`` in it are filled in.
        guides: ``(N, *guide code shape)`` default guide codes.
        dtype: to store; float16 by default.
        presence: says whether there is something to do, for networks of one content.

    Raises:
        WeightsError: if the description does not fit the model, or a number is not finite (in that dtype).
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> from mbu_ops.testing import tiny_mbu
        >>> model, path = tiny_mbu(), Path(tempfile.mkdtemp()) / "tiny.safetensors"
        >>> config = model.config_to_dict(model.config)
        >>> save(path, model, WeightsInfo("mbu", config, model.config.resolution))
        >>> load(path).info.dtype
        'float16'
    """
    import torch

    path, dtype = Path(path), dtype or torch.float16
    tensors = {name: value for name, value in model.state_dict().items() if not name.endswith(_COUNTER)}
    if guides is not None:
        tensors[GUIDES] = guides
    if presence is not None:
        tensors |= {PRESENCE + name: value for name, value in presence.state_dict().items()}
    stored = {name: value.detach().to("cpu", dtype).contiguous() for name, value in tensors.items()}
    info = replace(
        info,
        guides=0 if guides is None else len(guides),
        dtype=str(dtype).removeprefix("torch."),
        presence=None if presence is None else dict(presence.thresholds),
    )
    entries = {name: TensorEntry(_code(info.dtype), tuple(value.shape)) for name, value in stored.items()}
    _check_fit(path, info, entries)
    if model.info.name != info.method:
        raise WeightsError(f"{path}: expected a description of {model.info.name}, got {info.method!r}")
    _check_finite(path, stored)
    write_tensors(path, stored, {"format": "pt", METADATA_KEY: info.to_json()})


def read_info(path: str | os.PathLike[str]) -> WeightsInfo:
    """Return what a weights file says of itself; reads the header only, and imports no torch.

    Raises:
        WeightsError: if the file is missing or is no sound weights file.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            header = read_header(file, os.fstat(file.fileno()).st_size, path)
    except OSError as error:
        raise _unreadable(path, error) from error
    return _info(path, header)


def load(
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    trainable: bool = False,
) -> Pretrained:
    """Read a weights file and build its network.

    Args:
        path: the file.
        sha256: digest that the file must have, 64 lower-case hex digits.
        device: where to put the network; the CPU by default.
        dtype: of its weights; float32 by default, whatever the file's.
        trainable: let gradients reach the weights, and training mode the running statistics. Otherwise the network is
            frozen (:meth:`mbu_ops.methods.base.Networks.freeze`).

    Returns:
        The network in eval mode, the file's description, its default guide codes, and what says whether there is
        something to do.

    Raises:
        WeightsError: if the file is missing, damaged, foreign, or not exactly what its description and ``sha256`` say.
    """
    import torch
    from safetensors.torch import load as load_tensors

    from mbu_ops.methods.presence import OwnPresence, Presence

    path = Path(path)
    _log.debug("loading %s", path)
    try:
        with open_regular(path) as file:
            # first, because it says how long the file may be, and what must be in it: others must not fill the memory
            size = os.fstat(file.fileno()).st_size
            header = read_header(file, size, path)
            info = _info(path, header)
            _check_fit(path, info, header.tensors)
            file.seek(0)
            content = file.read(size)
    except OSError as error:
        raise _unreadable(path, error) from error
    got = hashlib.sha256(content).hexdigest()
    if sha256 is not None and got != sha256:
        raise WeightsError(f"{path}: expected sha256 {sha256}, got {got}; the file was changed: get it again")
    stored = load_tensors(content)
    _check_finite(path, stored)
    guides = stored.pop(GUIDES, None)
    detecting = {name: stored.pop(name) for name in list(stored) if info.presence and name.startswith(PRESENCE)}
    dtype, device = dtype or torch.float32, device or "cpu"
    # the random numbers of a network's first weights are thrown away here: the caller's generator must not notice
    with torch.random.fork_rng(devices=[]):
        model = _network(path, info)
        presence: Detector | None = None
        if info.presence:
            presence = Presence(info.presence) if detecting else OwnPresence(model, info.presence)
    counters = {name: value for name, value in model.state_dict().items() if name.endswith(_COUNTER)}
    model.load_state_dict({**stored, **counters})
    model = model.to(device=device, dtype=dtype).eval()
    if not trainable:
        model.freeze()
    if presence is not None:
        presence.load_state_dict({name.removeprefix(PRESENCE): value for name, value in detecting.items()})
        presence = presence.to(device).eval().requires_grad_(False)  # small: its numbers need not be coarse
    guides = None if guides is None else guides.to(device=device, dtype=dtype)
    return Pretrained(model, info, guides, presence, sha256=got)


def _info(path: Path, header: Header) -> WeightsInfo:
    if METADATA_KEY not in header.metadata:
        raise WeightsError(
            f"{path}: expected weights that mbu-ops wrote, got another safetensors file; to use a published (pickled) "
            "checkpoint, run mbu-ops weights convert on it"
        )
    try:
        return WeightsInfo.from_json(header.metadata[METADATA_KEY])
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _network(path: Path, info: WeightsInfo) -> Any:
    from mbu_ops.methods import get_method

    try:
        method = get_method(info.method)
        config = method.config_from_dict(info.config)
        if config.resolution != info.resolution:
            raise ConfigurationError(f"expected config of resolution {info.resolution}, got {config.resolution}")
        return method(config)
    except MBUOpsError as error:
        raise WeightsError(f"{path}: {one_line(error)}") from error
    except Exception as error:  # sizes from a stranger can fail in any layer of any method
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise WeightsError(f"{path}: its {info.method!r} network cannot be built ({reason})") from error


def _check_fit(path: Path, info: WeightsInfo, tensors: Mapping[str, TensorEntry]) -> None:
    """Compare names, shapes and types with the network's, before any memory is spent on what a file claims."""
    import torch

    from mbu_ops.methods.presence import Presence, detects_itself

    with torch.device("meta"):
        model, presence = _network(path, info), Presence()
    expected = {n: tuple(v.shape) for n, v in model.state_dict().items() if not n.endswith(_COUNTER)}
    count = model.contents
    if info.presence is not None:
        if count != 1:
            raise WeightsError(f"{path}: expected no presence beside {info.method!r}, which edits {count} contents")
        # a method that can tell may still have a network beside it that tells better
        if not detects_itself(model) or any(name.startswith(PRESENCE) for name in tensors):
            expected |= {PRESENCE + name: tuple(value.shape) for name, value in presence.state_dict().items()}
    if count > 1 and len(info.attributes) != count:
        raise WeightsError(
            f"{path}: expected the names of the {count} contents that {info.method!r} edits, got {info.attributes}"
        )
    if info.guides:
        expected[GUIDES] = (info.guides, *model.guide_shape)
    missing, foreign = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    if missing or foreign:
        raise WeightsError(
            f"{path}: expected the {len(expected)} tensors of its {info.method!r} network; missing: {_some(missing)}; "
            f"unexpected: {_some(foreign)}; it was made by another version, or is damaged"
        )
    for name, shape in expected.items():
        entry = tensors[name]
        if entry.shape != shape or entry.dtype != _code(info.dtype):
            raise WeightsError(
                f"{path}: expected {name} to be {info.dtype} of shape {shape}, got {_TYPES[entry.dtype]} of shape "
                f"{entry.shape}; the file does not hold what it describes: get it again"
            )


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    broken = [name for name, value in tensors.items() if not value.isfinite().all()]
    if broken:
        raise WeightsError(
            f"{path}: expected finite numbers, got NaN or infinity in {_some(broken)}; the training diverged, or the "
            "numbers do not fit the dtype"
        )


def _code(dtype: str) -> str:
    return next(code for code, name in _TYPES.items() if name == dtype)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"


def _unreadable(path: Path, error: OSError) -> WeightsError:
    if isinstance(error, FileNotFoundError):
        return WeightsError(f"{path}: there is no such file; expected a weights file (*.safetensors)")
    return WeightsError(
        f"{path}: the file cannot be read ({error.strerror or error}); expected a weights file (*.safetensors)"
    )
