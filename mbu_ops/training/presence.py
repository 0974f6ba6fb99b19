"""Train the small network that says whether there is something to do, and choose how sure it must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mbu_ops.data.domains import Domains
from mbu_ops.data.variation import jittered
from mbu_ops.methods.presence import Presence

_EACH = 32
"""Pictures of each kind in a batch."""


def train_presence(
    domains: Domains, steps: int = 1500, seed: int = 0, report: Callable[[int, float], None] | None = None
) -> Presence:
    """Train on batches of 32 pictures with the content and 32 without, moved as found faces are, and recoloured.

    Batch norm (Ioffe and Szegedy, ICML 2015) is used while it learns, and then folded into the convolutions.

    Args:
        domains: the training pictures, in the frame of the weights.
        steps: how long to train.
        seed: of weights and batches.
        report: called with step and loss every 100 steps.

    Returns:
        The network in eval mode, with thresholds of 0.5: see :func:`thresholds`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        presence = Presence()
        network: Any = _normalised(presence.layers)
        network.to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, steps)
        truth = torch.cat([torch.zeros(_EACH), torch.ones(_EACH)])
        for step in range(steps):
            pictures = jittered(torch.cat(domains.batch(_EACH, seed, step)[:2])[:, :3])
            logits = network(presence.fitted(pictures).contiguous(memory_format=torch.channels_last))
            loss = F.binary_cross_entropy_with_logits(logits.squeeze(1), truth)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            if report and step % 100 == 0:
                report(step, loss.item())
    presence.layers.load_state_dict(_folded(network.eval()).state_dict())
    return presence.eval().requires_grad_(False)


@torch.no_grad()
def probabilities(presence: Presence, pixels: Tensor) -> Tensor:
    """Return the probability that each picture shows the content, ``(N,)``.

    Args:
        presence: the network.
        pixels: ``(N, 3, H, W)`` uint8 RGB.
    """
    return torch.cat([presence(chunk.float() / 255) for chunk in torch.split(pixels, 64)])


def thresholds(with_: Tensor, without: Tensor, missed: float = 0.02) -> Mapping[str, float]:
    """Return how sure the network must be for no more than a share of pictures to be missed.

    Args:
        with_: ``(N,)`` probabilities of pictures that show the content, which training has not seen.
        without: ``(M,)`` the same of pictures that do not.
        missed: largest share of them that is wrongly left alone.

    Returns:
        For ``"remove"`` and ``"add"``, see :class:`mbu_ops.methods.presence.Presence`.

    Example:
        >>> thresholds(torch.tensor([0.5, 0.875, 1.0]), torch.tensor([0.0, 0.25]), missed=0.4)
        {'remove': 0.875, 'add': 0.75}
    """

    def least(sure: Tensor) -> float:
        ordered = sure.double().sort().values
        # rounded down, so that the picture that sets the threshold is not missed
        return int(float(ordered[int(missed * len(ordered))]) * 1e6) / 1e6

    return {"remove": least(with_), "add": least(1 - without)}


def _normalised(layers: nn.Sequential) -> nn.Sequential:
    """Return new layers of these sizes with batch norm after each convolution, and dropout before the last layer."""
    normalised: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            plain = deepcopy(layer)
            plain.register_parameter("bias", None)  # batch norm has its own
            normalised += [plain, nn.BatchNorm2d(layer.out_channels)]
        elif isinstance(layer, nn.Linear):
            normalised += [nn.Dropout(0.3), nn.Linear(layer.in_features, layer.out_features)]
        else:
            normalised.append(layer)
    return nn.Sequential(*normalised)


def _folded(network: nn.Sequential) -> nn.Sequential:
    """Return the layers with batch norm as it is in evaluation folded into the convolutions."""
    folded: list[Any] = []
    for layer, following in pairwise((*network, nn.Identity())):
        if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
            folded.append(fuse_conv_bn_eval(layer, following))
        elif not isinstance(layer, nn.BatchNorm2d | nn.Dropout):
            folded.append(layer)
    return nn.Sequential(*folded)
