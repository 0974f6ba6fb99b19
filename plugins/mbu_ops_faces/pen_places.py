"""Where pixels lie on a face and on a pair of glasses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.frames import find_frame
from mbu_ops_faces import family
from mbu_ops_faces.pen_styles import Style

PUPILS_APART, PUPILS_Y = 40 / 170, 75 / 170
"""How far apart the pupils are and how low they lie, in sides of the face."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where pixels lie: from the middle between the pupils, in distances between them, to the right and downwards.

    Attributes:
        x: ``(1, 1, 1, W)``.
        y: ``(1, 1, H, 1)``.
        across: pixels from pupil to pupil.
        down: the same distance in rows; frames may be stretched.
    """

    x: Tensor
    y: Tensor
    across: float
    down: float

    @classmethod
    def of(cls, images: Tensor, frame: str) -> Place:
        """Return where the pixels of pictures of one of the family's frames lie.

        Raises:
            FamilyError: if there is no such frame.
            ConfigurationError: if it does not show the eyes.
        """
        spec = find_frame(family.frames, frame)
        height, width = images.shape[-2:]
        middle_x = 0.5 + (0.5 - spec.x) / spec.width
        middle_y = 0.5 + (PUPILS_Y - spec.y) / spec.height
        if not (0 < middle_y < 1 and 0 < middle_x < 1):
            raise ConfigurationError(f"expected a frame that shows the eyes, got {frame!r}: draw glasses on 'eyes'")
        across, down = width * PUPILS_APART / spec.width, height * PUPILS_APART / spec.height
        x = (torch.arange(width, device=images.device) + 0.5 - middle_x * width) / across
        y = (torch.arange(height, device=images.device) + 0.5 - middle_y * height) / down
        return cls(x.view(1, 1, 1, -1), y.view(1, 1, -1, 1), across, down)

    def sample(self, field: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return a field of any size at places from -1 to 1 of it; beyond them its border goes on."""
        rows, columns = max(x.shape[2], y.shape[2]), max(x.shape[3], y.shape[3])
        grid = torch.stack([axis[:, 0].expand(len(field), rows, columns) for axis in (x, y)], -1)
        return F.grid_sample(field, grid, padding_mode="border", align_corners=False)

    def moved(self, field: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return a field that covers the picture, fetched from so far to the right and so far down."""
        height, width = self.y.shape[2], self.x.shape[3]
        columns = (torch.arange(width, device=x.device).view(1, 1, 1, -1) + 0.5) * (2 / width) - 1
        rows = (torch.arange(height, device=x.device).view(1, 1, -1, 1) + 0.5) * (2 / height) - 1
        return self.sample(field, columns + x * (2 * self.across / width), rows + y * (2 * self.down / height))

    def shrunk(self, field: Tensor, cells: float) -> Tensor:
        """Return a field with so many cells from pupil to pupil."""
        height, width = field.shape[-2:]
        size = (max(1, round(cells * height / self.down)), max(1, round(cells * width / self.across)))
        return F.interpolate(field, size, mode="area")

    @property
    def near(self) -> Tensor:
        """Which pixels lie near the eyes, ``(1, 1, H, W)`` of 0 and 1."""
        return ((self.x.abs() < 1.0) & (self.y.abs() < 0.55)).float()


@dataclass(frozen=True, slots=True)
class Outline:
    """Where pixels lie as seen from the lens on their side of the nose; each ``(B, 1, H, W)``.

    Attributes:
        side: -1 for the left one, 1 for the right one.
        u: outwards from the lens's middle.
        v: downwards from it.
        distance: to the lens's edge, below 0 inside it.
        out_x: x of the direction away from the lens.
        out_y: y of it.
        lens: 1 inside.
        pixel: how large a pixel is.
    """

    side: Tensor
    u: Tensor
    v: Tensor
    distance: Tensor
    out_x: Tensor
    out_y: Tensor
    lens: Tensor
    pixel: float

    @classmethod
    def of(cls, style: Style, place: Place) -> Outline:
        """Return where pixels lie as seen from lenses of a style."""
        x, y = place.x - style.x, place.y - style.y
        x, y = x * style.roll.cos() + y * style.roll.sin(), y * style.roll.cos() - x * style.roll.sin()
        side = (x >= 0).float() * 2 - 1
        u = x.abs() / (1 - side * style.yaw) - style.apart
        v = y / (1 - 0.4 * side * style.yaw) - style.droop * (u + style.apart)
        wide, tall = style.half_width, style.half_height
        v_bent = v + style.lift * tall * (u / wide).clamp(0, 1.5) ** 2
        u_bent = (u - style.lean * v_bent) / (1 - style.taper * (v_bent / tall).clamp(-2, 2))
        lower = (v_bent > 0).float()
        exponent = style.upper + lower * (style.lower - style.upper)
        tall = tall * (1 + lower * style.drop)
        ratio = (u_bent / wide).abs().clamp(min=1e-3) ** exponent + (v_bent / tall).abs().clamp(min=1e-3) ** exponent
        scale = ratio ** (1 / exponent)
        # the distance in the plane, whatever the outline: how far the scale is from 1 by how fast it grows
        out_x, out_y = slope(scale, 3) * place.across, slope(scale, 2) * place.down
        steepness = (out_x**2 + out_y**2).sqrt().clamp(min=1e-6)
        smaller = torch.minimum(wide, style.half_height)
        distance = (scale - 1) / steepness.clamp(min=0.3 / smaller, max=1.7 / smaller)
        pixel = 1 / place.across
        return cls(
            side, u, v, distance, out_x / steepness, out_y / steepness, (0.5 - distance / pixel).clamp(0, 1), pixel
        )


def band(offset: Tensor, thickness: Tensor, pixel: float) -> Tensor:
    """Return how much of each pixel a line covers, whose middle lies so far away; lines may be thinner than a pixel."""
    return torch.minimum(thickness * (0.5 / pixel) + 0.5 - offset.abs() / pixel, thickness / pixel).clamp(0, 1)


def ramp(field: Tensor) -> Tensor:
    """Return 0 below -0.5, 1 above 0.5 and a straight line between; cheaper than a sigmoid and never denormal."""
    return (field + 0.5).clamp(0, 1)


def slope(field: Tensor, dim: int) -> Tensor:
    """Return how much a field grows from pixel to pixel."""
    length = field.shape[dim]
    grown = field.narrow(dim, min(2, length - 1), max(length - 2, 0)) - field.narrow(dim, 0, max(length - 2, 0))
    ends = grown.narrow(dim, 0, 1), grown.narrow(dim, length - 3, 1)
    return torch.cat([ends[0], grown, ends[1]], dim) / 2


def blurred(field: Tensor) -> Tensor:
    """Return a field in which each pixel is mixed with its neighbours."""
    field = F.pad(field, (1, 1, 1, 1), mode="replicate")
    field = field[..., 1:-1] * 2 + field[..., 2:] + field[..., :-2]
    return (field[..., 1:-1, :] * 2 + field[..., 2:, :] + field[..., :-2, :]) / 16


def compressed(field: Tensor, step: Tensor) -> Tensor:
    """Return a field as JPEG keeps it, in blocks of 8 pixels: edges get rings, faint texture is lost.

    Args:
        field: ``(B, C, H, W)``.
        step: by which the lowest frequency is rounded, ``(B, 1, 1, 1)``; above 0.
    """
    height, width = field.shape[-2:]
    padded = F.pad(field, (0, -width % 8, 0, -height % 8), mode="replicate")
    count, channels, rows, columns = padded.shape
    order = torch.arange(8, device=field.device)
    waves = torch.cos(torch.pi / 8 * order[:, None] * (order + 0.5)) / torch.where(order == 0, 8**0.5, 2.0)[:, None]
    steps = step[..., None, None] * (1 + 0.35 * (order[:, None] + order))
    blocks = padded.view(count, channels, rows // 8, 8, columns // 8, 8).transpose(3, 4)
    blocks = waves.T @ ((waves @ blocks @ waves.T / steps).round() * steps) @ waves
    return blocks.transpose(3, 4).reshape(padded.shape)[..., :height, :width]


def softened(field: Tensor, sigma: Tensor) -> Tensor:
    """Return a field blurred by a Gaussian of a standard deviation for each picture, up to 2 pixels."""
    count, channels, height, width = field.shape
    steps = torch.arange(-3, 4, device=field.device).view(1, -1)
    kernel = torch.exp(-0.5 * (steps / sigma.view(-1, 1).clamp(min=0.05)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    # one group for each plane: a kernel for each picture in one call
    planes = F.pad(field.reshape(1, count * channels, height, width), (3, 3, 3, 3), mode="replicate")
    planes = F.conv2d(planes, kernel[..., None], groups=count * channels)
    return F.conv2d(planes, kernel[:, :, None], groups=count * channels).view_as(field)
