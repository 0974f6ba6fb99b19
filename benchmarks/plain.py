"""The published networks, edits and training step written down plainly, to time ours against.

Contiguous tensors, eager calls, nothing folded; each edit encodes its image and its guide; the training step decodes a
layer once for each term that needs it, and encodes again for the discriminator. Written from the paper's formulas;
shares no code with the library, and takes the state of an :class:`mbu_ops.methods.mbu.MBU`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOSSES = {
    "reconstruction_without": 5.0,
    "reconstruction_with": 7.0,
    "self_blend_without": 0.7,
    "self_blend_with": 0.7,
    "cycle_separate": 1e-3,
    "confusion": 0.005,
}
"""The published weights of the losses for glasses."""


def encoder(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def decoder(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-2])


class Plain(nn.Module):
    """The networks with the sizes of one of our configurations; images are (B, 3, R, R) in [0, 1]."""

    def __init__(self, common: Sequence[int], separate: Sequence[int], separate_channels: int, patch: int = 1) -> None:
        super().__init__()
        pixels, width = 3 * patch**2, common[-1]
        shared = [one - separate_channels if one == width else one for one in common]
        drawn = [width, *common[-2::-1]]
        self.patch = patch
        self.common_encoder = encoder([pixels, *shared])
        self.separate_encoder = encoder([pixels, *separate, separate_channels])
        self.without_decoder = decoder([*drawn, 3 * patch**2])
        self.with_decoder = decoder([*drawn, 4 * patch**2])

    def encode(self, network: nn.Module, signed: Tensor) -> Tensor:
        if self.patch > 1:
            signed = F.pixel_unshuffle(signed, self.patch)
        return network(signed)

    def decode(self, network: nn.Module, common: Tensor, separate: Tensor) -> Tensor:
        drawn = network(torch.cat([common, separate], 1))
        return F.pixel_shuffle(drawn, self.patch) if self.patch > 1 else drawn

    def layer(self, common: Tensor, separate: Tensor) -> tuple[Tensor, Tensor]:
        drawn = self.decode(self.with_decoder, common, separate)
        return torch.tanh(drawn[:, 1:]), torch.sigmoid(drawn[:, :1])

    def transfer(self, image: Tensor, guide: Tensor) -> Tensor:
        """Blend the guide's content onto the images, with the soft mask as it is."""
        signed = image * 2 - 1
        common = self.encode(self.common_encoder, signed)
        separate = self.encode(self.separate_encoder, guide * 2 - 1)
        raw, mask = self.layer(common, separate.expand(len(image), -1, -1, -1))
        return (mask * raw + (1 - mask) * signed + 1) / 2


class Discriminator(nn.Module):
    """Tells the domains apart by their common codes."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.classify = nn.Sequential(nn.Flatten(), nn.Linear(values, 512), nn.LeakyReLU(0.2), nn.Linear(512, 1))

    def forward(self, common: Tensor) -> Tensor:
        return self.classify(common)[:, 0]


class PlainTraining:
    """The published training step."""

    def __init__(self, networks: Plain, discriminator: Discriminator) -> None:
        self.networks, self.discriminator = networks, discriminator
        self.of_networks = torch.optim.Adam(networks.parameters(), 2e-4, (0.5, 0.999))
        self.of_discriminator = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))

    def losses(self, without: Tensor, with_: Tensor) -> dict[str, Tensor]:
        """Compute the weighted losses of the networks; images in [-1, 1]."""
        net = self.networks
        common_without = net.encode(net.common_encoder, without)
        common_with = net.encode(net.common_encoder, with_)
        separate = net.encode(net.separate_encoder, with_)
        none = torch.zeros_like(separate)
        # reconstruction 1
        drawn = torch.tanh(net.decode(net.without_decoder, common_without, none))
        background = torch.tanh(net.decode(net.without_decoder, common_with, none))
        raw, mask = net.layer(common_with, separate)
        whole = mask * raw + (1 - mask) * background
        # reconstruction 2
        raw, mask = net.layer(common_with, separate)
        with_again = mask * raw + (1 - mask) * with_
        raw, mask = net.layer(common_without, none)
        without_again = mask * raw + (1 - mask) * without
        # cycle
        raw, mask = net.layer(common_without, separate)
        moved = mask * raw + (1 - mask) * without
        # confusion
        guesses = self.discriminator(common_without), self.discriminator(common_with)
        values = {
            "reconstruction_without": F.l1_loss(drawn, without),
            "reconstruction_with": F.l1_loss(whole, with_),
            "self_blend_without": F.l1_loss(without_again, without),
            "self_blend_with": F.l1_loss(with_again, with_),
            "cycle_separate": F.mse_loss(net.encode(net.separate_encoder, moved), separate),
            "confusion": sum(F.binary_cross_entropy_with_logits(one, torch.zeros_like(one)) for one in guesses),
        }
        return {name: LOSSES[name] * value for name, value in values.items()}

    def step(self, without: Tensor, with_: Tensor) -> dict[str, Tensor]:
        """Update networks and discriminator on images in [0, 1]; return the losses of the networks."""
        net, judge = self.networks, self.discriminator
        without, with_ = without * 2 - 1, with_ * 2 - 1
        losses = self.losses(without, with_)
        self.of_networks.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        self.of_networks.step()
        with torch.no_grad():
            common_without = net.encode(net.common_encoder, without)
            common_with = net.encode(net.common_encoder, with_)
        on_without, on_with = judge(common_without), judge(common_with)
        loss = F.binary_cross_entropy_with_logits(on_with, torch.ones_like(on_with))
        loss = loss + F.binary_cross_entropy_with_logits(on_without, torch.zeros_like(on_without))
        self.of_discriminator.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(judge.parameters(), 5)
        self.of_discriminator.step()
        return {name: value.detach() for name, value in losses.items()}


def plain_copy(model: nn.Module) -> Plain:
    """Return the plain networks with the weights and sizes of an :class:`mbu_ops.methods.mbu.MBU`."""
    sizes = model.config
    plain = Plain(sizes.common_widths, sizes.separate_widths, sizes.separate_channels, sizes.patch)
    state = {name: value for name, value in model.state_dict().items() if "content_" not in name}
    plain.load_state_dict(state)
    return plain
