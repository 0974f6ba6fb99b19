"""The sub-networks of a portrait network, and how components are cut out of pictures and pasted into maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.methods.blocks import ResidualBlock, activation
from mbu_ops.methods.portrait.config import SCALE


def enlarging(in_channels: int, out_channels: int) -> list[nn.Module]:
    """Return layers that double the sides of ``(B, in_channels, H, W)``."""
    return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(in_channels, out_channels, 3, 1, 1), activation()]


class ComponentAutoEncoder(nn.Module):
    """Describe one component's crop by a code, and draw from the code its pixels, and its features for the generator.

    Source: Gu et al., section 3.1, local embedding sub-network.

    Args:
        height: of the crop, in pixels.
        width: of the crop.
        widths: channels of the encoder's blocks.
        code_channels: numbers in the code.
        feature_channels: channels of the features.
        patch: side of the pixel block that is read as one position.
    """

    def __init__(
        self, height: int, width: int, widths: Sequence[int], code_channels: int, feature_channels: int, patch: int
    ) -> None:
        super().__init__()
        self.patch = patch
        channels, sides = 3 * patch**2, (height // patch, width // patch)
        halvings = 0
        # to a side of 4 or 5, and in any case to the size of the features
        while sides[0] > height // SCALE or (min(sides) // 2 >= 4 and sides[0] % 2 == sides[1] % 2 == 0):
            sides, halvings = (sides[0] // 2, sides[1] // 2), halvings + 1
        used = [widths[min(index, len(widths) - 1)] for index in range(max(halvings, 1))]
        down: list[nn.Module] = []
        for index, after in enumerate(used):
            kernel, stride = (4, 2) if index < halvings else (3, 1)
            down += [nn.Conv2d(channels, after, kernel, stride, 1), activation()]
            channels = after
        self.bottom = (channels, *sides)
        self.encode = nn.Sequential(*down, nn.Flatten(), nn.Linear(channels * sides[0] * sides[1], code_channels))
        self.decode = nn.Sequential(nn.Linear(code_channels, channels * sides[0] * sides[1]), activation())
        grow: list[nn.Module] = []
        side, depth = sides[0], len(used) - 1
        while side < height // SCALE:
            after = used[max(depth - 1, 0)]
            grow += enlarging(channels, after)
            channels, side, depth = after, side * 2, depth - 1
        self.grow = nn.Sequential(*grow, nn.Conv2d(channels, feature_channels, 3, 1, 1), activation())
        paint: list[nn.Module] = []
        channels = feature_channels
        while side < height // patch:
            paint += enlarging(channels, max(used[0], 16))
            channels, side = max(used[0], 16), side * 2
        self.paint = nn.Sequential(*paint, nn.Conv2d(channels, 3 * patch**2, 3, 1, 1))

    def code(self, crop: Tensor) -> Tensor:
        """Return the code ``(B, code_channels)`` of a crop ``(B, 3, height, width)`` in [-1, 1]."""
        code: Tensor = self.encode(F.pixel_unshuffle(crop, self.patch))
        return code

    def features(self, code: Tensor) -> Tensor:
        """Return the features ``(B, feature_channels, height / 4, width / 4)`` that a code stands for."""
        features: Tensor = self.grow(self.decode(code).unflatten(1, self.bottom))
        return features

    def pixels(self, features: Tensor) -> Tensor:
        """Return the crop ``(B, 3, height, width)`` in [-1, 1] that features show."""
        return torch.tanh(F.pixel_shuffle(self.paint(features), self.patch))


class Generator(nn.Module):
    """Draw the foreground from the components' features and the target's mask, and fuse it with the background.

    Source: Gu et al., section 3.1, mask-guided generative and background fusing sub-networks.

    Args:
        components: how many there are.
        parts: how many parts masks tell apart.
        feature_channels: channels of each component's features.
        mask_channels: channels that describe the mask.
        channels: channels of the residual blocks.
        blocks: how many residual blocks.
        background_channels: channels that describe the background.
        patch: side of the pixel block that the last layer writes as one position.
        fuses: whether the background is drawn too.
    """

    def __init__(
        self,
        components: int,
        parts: int,
        feature_channels: int,
        mask_channels: int,
        channels: int,
        blocks: int,
        background_channels: int,
        patch: int,
        fuses: bool,
    ) -> None:
        super().__init__()
        self.patch, self.fuses = patch, fuses
        self.read_mask = nn.Sequential(
            nn.Conv2d(parts * SCALE**2, mask_channels, 1),
            activation(),
            nn.Conv2d(mask_channels, mask_channels, 3, 1, 1),
            activation(),
        )
        self.join = nn.Sequential(nn.Conv2d(components * feature_channels + mask_channels, channels, 1), activation())
        self.blocks = nn.Sequential(*(ResidualBlock(channels, channels, 3) for _ in range(blocks)))
        grow: list[nn.Module] = []
        scale = SCALE
        while scale > patch:
            grow += enlarging(channels, max(channels // 2, 32))
            channels, scale = max(channels // 2, 32), scale // 2
        self.grow = nn.Sequential(*grow)
        if fuses:
            self.read_background = nn.Sequential(
                nn.Conv2d(4 * patch**2, background_channels, 3, 1, 1),
                activation(),
                nn.Conv2d(background_channels, background_channels, 3, 1, 1),
                activation(),
            )
            self.fuse = nn.Sequential(nn.Conv2d(channels + background_channels, channels, 3, 1, 1), activation())
        self.paint = nn.Conv2d(channels, 3 * patch**2, 3, 1, 1)

    def forward(self, features: Tensor, mask: Tensor, pixels: Tensor, known: Tensor) -> Tensor:
        """Return pictures in [-1, 1].

        Args:
            features: ``(B, components * feature_channels, R / 4, R / 4)``, each component's where it belongs.
            mask: ``(B, parts, R, R)``, 1 in each pixel for its part.
            pixels: ``(B, 3, R, R)`` in [-1, 1], whose background to keep.
            known: ``(B, 1, R, R)``, 1 where the pixels show the background; elsewhere they are not looked at.
        """
        shape = self.read_mask(F.pixel_unshuffle(mask, SCALE))
        drawn = self.grow(self.blocks(self.join(torch.cat([features, shape], 1))))
        behind = pixels * known
        if self.fuses:
            seen = F.pixel_unshuffle(torch.cat([behind, known], 1), self.patch)
            drawn = self.fuse(torch.cat([drawn, self.read_background(seen)], 1))
        with torch.autocast(drawn.device.type, enabled=False):  # half precision has fewer shades than a picture
            picture = torch.tanh(F.pixel_shuffle(self.paint(drawn.to(self.paint.weight.dtype)), self.patch))
        return picture if self.fuses else picture * (1 - known) + behind


def centres(masks: Tensor) -> Tensor:
    """Return where masks lie: the mean row and column of their pixels, in pixels from the upper left corner.

    Args:
        masks: ``(B, C, H, W)``, 1 inside.

    Returns:
        ``(B, C, 2)``; the middle of the picture where a mask is empty.

    Example:
        >>> mask = torch.zeros(1, 1, 4, 6)
        >>> mask[..., 1, 4] = 1
        >>> centres(mask).flatten().tolist()
        [1.5, 4.5]
    """
    height, width = masks.shape[-2:]
    masks = masks.float()  # half precision cannot count so many pixels
    total = masks.sum((2, 3))
    rows = torch.arange(height, device=masks.device) + 0.5
    columns = torch.arange(width, device=masks.device) + 0.5
    found = torch.stack([(masks.sum(3) * rows).sum(2), (masks.sum(2) * columns).sum(2)], 2)
    middle = found.new_tensor([height / 2, width / 2])
    return torch.where(total[..., None] > 0, found / total.clamp(min=1)[..., None], middle)


def cut(pixels: Tensor, centre: Tensor, height: int, width: int) -> Tensor:
    """Return crops around centres, 0 beyond the border; a crop as large as the picture is the picture.

    Args:
        pixels: ``(B, C, H, W)``.
        centre: ``(B, 2)`` row and column, in pixels.
        height: of the crops.
        width: of the crops.

    Returns:
        ``(B, C, height, width)``.

    Example:
        >>> picture = torch.arange(16.0).view(1, 1, 4, 4)
        >>> cut(picture, torch.tensor([[2.0, 3.0]]), 2, 2).flatten().tolist()
        [6.0, 7.0, 10.0, 11.0]
    """
    return _moved(pixels, _corner(centre, height, width), height, width)


def extended(crops: Tensor, regions: Tensor) -> Tensor:
    """Return crops whose colours go on beyond a region: as they are nearby, and farther out as they are on average.

    Args:
        crops: ``(B, C, h, w)``.
        regions: ``(B, 1, h, w)``, 1 inside.

    Returns:
        ``(B, C, h, w)``; zeros where a region is empty.

    Example:
        >>> region = torch.zeros(1, 1, 16, 16)
        >>> region[..., 4:8, 4:8] = 1
        >>> extended(torch.full((1, 3, 16, 16), 0.25), region).unique()
        tensor([0.2500])
    """
    height, width = crops.shape[-2:]
    both = torch.cat([crops * regions, regions], 1).to(torch.promote_types(crops.dtype, torch.float32))
    near = F.adaptive_avg_pool2d(both, (max(1, height // 8), max(1, width // 8)))
    near = F.avg_pool2d(F.avg_pool2d(near, 5, 1, 2), 5, 1, 2)
    near = F.interpolate(near, (height, width), mode="bilinear")
    around = near + 0.01 * both.mean((2, 3), keepdim=True)
    colours = around[:, :-1] / around[:, -1:].clamp(min=1e-8)
    return torch.lerp(colours.to(crops.dtype), crops, regions)


def paste(features: Tensor, centre: Tensor, side: int) -> Tensor:
    """Return maps of zeros with features pasted around centres; the inverse of :func:`cut`.

    Args:
        features: ``(B, C, h, w)``.
        centre: ``(B, 2)`` row and column in the map.
        side: of the square map.

    Returns:
        ``(B, C, side, side)``.

    Example:
        >>> paste(torch.ones(1, 1, 2, 2), torch.tensor([[1.0, 3.0]]), 4)[0, 0, 0].tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    height, width = features.shape[-2:]
    return _moved(features, -_corner(centre, height, width), side, side)


def _corner(centre: Tensor, height: int, width: int) -> Tensor:
    """Return the first row and column of a crop, whole: what is cut out sharp stays sharp."""
    return (centre.float() - centre.new_tensor([height / 2, width / 2]).float()).round()


def _moved(pixels: Tensor, corner: Tensor, height: int, width: int) -> Tensor:
    """Return what lies from a corner on, 0 beyond the border; all of it as it is if that is asked for."""
    if pixels.shape[-2:] == (height, width):
        return pixels
    y = corner[:, :1] + torch.arange(height, device=pixels.device) + 0.5
    x = corner[:, 1:] + torch.arange(width, device=pixels.device) + 0.5
    y, x = y * 2 / pixels.shape[-2] - 1, x * 2 / pixels.shape[-1] - 1
    grid = torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], 3)
    # places need more digits than half precision has
    wide = torch.promote_types(pixels.dtype, torch.float32)
    moved = F.grid_sample(pixels.to(wide), grid.to(wide), padding_mode="zeros", align_corners=False)
    return moved.to(pixels.dtype)
