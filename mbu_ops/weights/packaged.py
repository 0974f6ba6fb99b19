"""Packaged weights of helping networks (measuring, aligning): safetensors, in half precision, in a package."""

from __future__ import annotations

from importlib import resources

from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from mbu_ops.errors import WeightsError

PACKAGE = "mbu_ops_checkpoints"


def load_packaged(network: nn.Module, file: str) -> None:
    """Fill a network with packaged weights and make it ready for use: evaluation mode, no gradients.

    Args:
        network: the network, in single precision.
        file: name of the safetensors file in the checkpoints package.

    Raises:
        WeightsError: if the file is missing, damaged, or does not fit.
    """
    try:
        content = resources.files(PACKAGE).joinpath(file).read_bytes()
        network.load_state_dict({name: tensor.float() for name, tensor in load(content).items()})
    except (OSError, ModuleNotFoundError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"expected the packaged network {file!r} in {PACKAGE}: {reason}; reinstall mbu-ops"
        ) from error
    if not all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values()):
        raise WeightsError(f"the packaged network {file!r} holds numbers that are not finite; reinstall mbu-ops")
    network.eval().requires_grad_(False)
