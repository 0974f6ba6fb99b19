"""Convert published MBU checkpoints, which are pickles, into weights files. The only place that opens a pickle.

The published code saves a dictionary of state dictionaries: ``e1 e2 d_a d_b`` (older: ``e1 e2 decoder mustacher``),
with layers ``full.N`` in the encoders and ``main.N`` in the decoders, numbered as ours are.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.files import open_regular, sha256_of
from mbu_ops.foreign import one_line
from mbu_ops.methods.mbu import MBU, MBUConfig
from mbu_ops.weights.file import save
from mbu_ops.weights.info import WeightsInfo
from mbu_ops.weights.pickles import PickleError, check_pickle

_NAMINGS = (
    {"e1": "common_encoder", "e2": "separate_encoder", "d_a": "without_decoder", "d_b": "with_decoder"},
    {"e1": "common_encoder", "e2": "separate_encoder", "decoder": "without_decoder", "mustacher": "with_decoder"},
)
_PREFIXES = {
    "common_encoder": "full.",
    "separate_encoder": "full.",
    "without_decoder": "main.",
    "with_decoder": "main.",
}
_USUAL_RESOLUTION = 128

LARGEST_CHECKPOINT = 4 << 30
"""Bytes; the published ones, with their optimisers, take less than a tenth of that."""

_ZIP = b"PK\x03\x04"
_LEGACY_PICKLES = 5
"""How many pickles begin a file that is no archive: what it is, twice, where it comes from, the states, their names."""

State = dict[str, Tensor]


def convert(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    *,
    dtype: torch.dtype = torch.float32,
    family: str | None = None,
    attribute: str | None = None,
    licence: str = "unknown; see where the checkpoint was published",
) -> WeightsInfo:
    """Read a published checkpoint and write a weights file; no code in the checkpoint is run.

    The sizes are read off the tensors. The resolution is told by the checkpoint's discriminator; where that is
    missing it is taken to be 128, the published one. Optimiser states and anything else in the checkpoint are left out.

    Args:
        src: the checkpoint, written by ``torch.save``.
        dst: the weights file to write; an existing one is replaced.
        dtype: to store.
        family: name of the family to note in the file.
        attribute: name of the attribute to note in the file.
        licence: terms to note in the file.

    Returns:
        The description in the new file.

    Raises:
        WeightsError: if it is no such checkpoint, holds anything but plain data, or a number that is not finite.
        OSError: if the weights file cannot be written.

    Example:
        >>> import tempfile
        >>> from mbu_ops.testing import tiny_mbu
        >>> model, folder = tiny_mbu(), Path(tempfile.mkdtemp())
        >>> networks = {
        ...     "e1": ("full", model.common_encoder), "e2": ("full", model.separate_encoder),
        ...     "d_a": ("main", model.without_decoder), "d_b": ("main", model.with_decoder),
        ... }
        >>> torch.save({
        ...     key: {f"{prefix}.{name}": value for name, value in network.state_dict().items()}
        ...     for key, (prefix, network) in networks.items()
        ... }, folder / "published.pt")
        >>> convert(folder / "published.pt", folder / "new.safetensors", attribute="glasses").attributes
        ('glasses',)
    """
    src, dst = Path(src), Path(dst)
    if dst.exists() and src.exists() and dst.samefile(src):
        raise WeightsError(f"{dst}: expected another file than the checkpoint itself, which would be lost")
    networks, discriminator_inputs = _read(src)
    try:
        config = _config(networks, discriminator_inputs)
    except (ConfigurationError, IndexError, ZeroDivisionError) as error:
        raise WeightsError(f"{src}: its layers are not those of an MBU network: {one_line(error)}") from error
    info = WeightsInfo(
        method=MBU.info.name,
        config=MBU.config_to_dict(config),
        resolution=config.resolution,
        family=family,
        attributes=(attribute,) if attribute else (),
        licence=licence,
        training={"converted_from": src.name, "sha256": sha256_of(src)},
    )
    try:
        save(dst, _model(src, config, networks), info, dtype=dtype)
    except OSError as error:
        raise WeightsError(f"{dst}: cannot be written ({error.strerror or error}); choose another -o") from error
    return info


def _read(src: Path) -> tuple[dict[str, State], int | None]:
    """Return the four networks' states by our names, and how many numbers the discriminator, if any, reads."""
    loaded = _unpickle(src)
    keys = set(loaded) if isinstance(loaded, dict) else set()
    naming = next((names for names in _NAMINGS if keys >= set(names)), None)
    if naming is None:
        wanted = " or ".join(" ".join(names) for names in _NAMINGS)
        got = " ".join(sorted(map(str, keys))) or type(loaded).__name__
        raise WeightsError(f"{src}: expected a published MBU checkpoint with {wanted}; got {got:.200}")
    networks = {ours: _state(src, theirs, loaded[theirs], _PREFIXES[ours]) for theirs, ours in naming.items()}
    discriminator = _state(src, "disc", loaded["disc"], "classify.") if "disc" in keys else {}
    # its first layer reads the flattened common code
    inputs = next((value.shape[1] for value in discriminator.values() if value.ndim == 2), None)
    return networks, inputs


def _unpickle(src: Path) -> Any:
    try:
        file = open_regular(src, LARGEST_CHECKPOINT)
    except OSError as error:
        raise WeightsError(f"{src}: the checkpoint cannot be read: {error.strerror or error}") from error
    try:
        with file:
            _check(src, file)
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except PickleError as error:
        raise WeightsError(f"{src}: refused: expected plain tensors alone, and {one_line(error)}") from error
    except Exception as error:  # a hostile pickle may make the reader fail in any way at all
        # not in the reader's words: torch's advise to read it without a check
        raise WeightsError(
            f"{src}: refused: it is damaged, or holds something other than plain tensors, which could run code"
        ) from error


def _check(src: Path, file: BinaryIO) -> None:
    """Look through the pickles in a file as the reader would find them, and read none."""
    if file.read(len(_ZIP)) == _ZIP:
        file.seek(0)
        if _is_compressed(file):
            raise WeightsError(f"{src}: expected a file written by torch.save, got a compressed archive")
        file.seek(0)
        check_pickle(BytesIO(torch._C.PyTorchFileReader(file).get_record("data.pkl")))
        return
    file.seek(0)
    for _ in range(_LEGACY_PICKLES):
        check_pickle(file)


def _is_compressed(file: BinaryIO) -> bool:
    # torch.save stores; a compressed entry can be a few kilobytes that unfold into all of the memory
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())


def _state(src: Path, name: str, state: object, prefix: str) -> State:
    if not isinstance(state, Mapping):
        raise WeightsError(f"{src}: expected {name} to be a state dictionary, got {type(state).__name__}")
    found: State = {}
    for key, value in state.items():
        if not isinstance(key, str) or not key.startswith(prefix):
            raise WeightsError(f"{src}: expected layers {prefix}N in {name}, got {key!r:.100}")
        if key.endswith("num_batches_tracked"):
            continue
        plain = isinstance(value, Tensor) and value.layout is torch.strided and value.device.type == "cpu"
        if not plain or not value.is_floating_point():
            raise WeightsError(f"{src}: expected {name}[{key!r}] to be a plain tensor of real numbers")
        # a view can claim a shape far larger than the numbers behind it
        if value.untyped_storage().nbytes() < value.numel() * value.element_size():
            raise WeightsError(
                f"{src}: {name}[{key!r}] claims shape {tuple(value.shape)} without the numbers to fill it"
            )
        found[key.removeprefix(prefix)] = value
    return found


def _config(networks: Mapping[str, State], discriminator_inputs: int | None) -> MBUConfig:
    common, separate = _widths(networks["common_encoder"]), _widths(networks["separate_encoder"])
    side = math.isqrt(discriminator_inputs // common[-1]) if discriminator_inputs else None
    code_width = common[-1] + separate[-1]
    # from a dictionary, because that way checks what may be a stranger's numbers
    config: MBUConfig = MBU.config_from_dict(
        {
            "resolution": 2 ** len(common) * side if side else _USUAL_RESOLUTION,
            "common_widths": [code_width if width == common[-1] else width for width in common],
            "separate_widths": separate[:-1],
            "separate_channels": separate[-1],
        }
    )
    return config


def _widths(state: State) -> list[int]:
    """Return the output channels of an encoder's convolutions, which are layers 0, 3, 6 ..."""
    widths: list[int] = []
    while (weight := state.get(f"{3 * len(widths)}.weight")) is not None:
        widths.append(weight.shape[0])
    return widths


def _model(src: Path, config: MBUConfig, networks: Mapping[str, State]) -> MBU:
    with torch.device("meta"):
        model = MBU(config)
    state = {f"{network}.{key}": value for network, layers in networks.items() for key, value in layers.items()}
    # published networks know one set of statistics, for every kind of image
    state |= {key.replace("running_", "content_"): value.clone() for key, value in state.items() if ".running_" in key}
    expected = {
        key: value.shape for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")
    }
    wrong = [key for key in {**expected, **state} if key not in state or expected.get(key) != state[key].shape]
    if wrong:
        raise WeightsError(
            f"{src}: expected the layers of the published MBU network of {config.code_width} code channels; "
            f"{len(wrong)} are missing, unexpected or of another shape, such as {min(wrong)}"
        )
    model.load_state_dict(state, strict=False, assign=True)
    return model
