"""Draw glasses on photos of eyes, so that networks can learn to take them off: the photo itself is the answer.

Everything is drawn with smooth functions of each pixel's place, for all pictures at once and at any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mbu_ops.data.donors import Drawn
from mbu_ops.errors import ShapeError
from mbu_ops.functional.check import check_image
from mbu_ops_faces.pen_places import Outline, Place, band, blurred, compressed, ramp, softened
from mbu_ops_faces.pen_styles import Style

CLEAR = 0.2
"""How much of the mask a clear lens is: all of the glasses should be found, though there is little to see of it."""

SMALLEST = 16
"""Fewest pixels of a picture's side: glasses are not seen on smaller ones."""


def draw(attribute: str, images: Tensor, frame: str) -> Drawn | None:
    """Draw what an attribute names on photos that do not show it; None for what it cannot draw.

    Args:
        attribute: ``"glasses"``.
        images: ``(B, 3, H, W)`` RGB in [0, 1].
        frame: which of the family's frames they show.

    Raises:
        ConfigurationError: if the frame does not show the eyes.

    Example:
        >>> draw("smile", torch.rand(1, 3, 24, 56), "eyes") is None
        True
    """
    return glasses(images, frame) if attribute == "glasses" else None


@torch.no_grad()
def glasses(images: Tensor, frame: str) -> Drawn:
    """Draw a pair of glasses on each photo: any shape, any material, clear or dark.

    Args:
        images: ``(B, 3, H, W)`` RGB in [0, 1], on any device.
        frame: which of the family's frames they show: ``"eyes"``, or one around it such as ``"face"``.

    Returns:
        Pictures and masks. Chance comes from torch's global generator: seeds repeat.

    Raises:
        DTypeError: if they are not floating point.
        ShapeError: if they have another shape, or are too small to draw on.
        FamilyError: if there is no such frame.
        ConfigurationError: if the frame does not show the eyes.

    Example:
        >>> photos = torch.rand(2, 3, 48, 112)
        >>> pictures, masks = glasses(photos, "eyes")
        >>> pictures.shape, masks.shape
        (torch.Size([2, 3, 48, 112]), torch.Size([2, 1, 48, 112]))
    """
    check_image(images)
    if min(images.shape[-2:]) < SMALLEST:
        raise ShapeError(
            f"expected images of at least {SMALLEST}x{SMALLEST} pixels, got {tuple(images.shape)}: enlarge them"
        )
    photo, place = images.float(), Place.of(images, frame)
    style, patches = Style.by_chance(_turned(photo, place)), _patches(len(photo), photo.device)
    spots = place.sample(patches, place.x / 1.5, place.y / 0.7)
    outline, light = Outline.of(style, place), _Light.of(photo, place)
    solid, reflex = _frame(style, outline), _glare(style, outline)
    alpha = solid.alpha * _hair(photo, style, outline, place)
    colour = _lit(style, light, spots, solid, outline)
    sigma = _softness(photo) + 0.35 * style.blur.view(-1)
    soft = softened(torch.cat([alpha, colour * alpha, outline.lens, reflex], 1), sigma)
    alpha, colour, lens, reflex = soft[:, :1], soft[:, 1:4], soft[:, 4:5], soft[:, 5:]
    out = _refracted(photo, style, outline, place)
    out, tint = _through_lenses(out, style, outline, light, lens, spots, alpha, place)
    out = out.lerp(style.glare_colour * light.white, reflex)
    # transparent plastic lets its edges be seen more than its middle
    clear = (1 - style.opacity) * (1 - 0.6 * solid.height.abs() ** 3)
    out = torch.addcmul(colour * (1 - clear), out, 1 - alpha * (1 - clear))
    seen = torch.maximum(alpha, lens * tint)
    mask = torch.maximum(torch.maximum(seen, lens * (CLEAR + (1 - CLEAR) * tint)), reflex)
    out = _worn(out + _grain(photo, style) * seen, seen, style, place)
    return Drawn(out.clamp(0, 1).to(images), mask.clamp(0, 1).to(images))


class _Frame(NamedTuple):
    """What is solid of glasses; each ``(B, 1, H, W)``.

    Attributes:
        alpha: how much of a pixel it covers.
        height: from -1 to 1 across a rim or a bar, from its inner to its outer side.
        across: x of the direction in which that is measured.
        along: y of it.
        thin: 1 where a brow line's thin part is.
    """

    alpha: Tensor
    height: Tensor
    across: Tensor
    along: Tensor
    thin: Tensor


def _frame(style: Style, outline: Outline) -> _Frame:
    """Return rims, bridge, temples and nose pads."""
    pixel = outline.pixel
    above = ramp(-(outline.v + 0.12 * style.half_height) / 0.12)
    thickness = style.thickness * (style.below + (1 - style.below) * above)
    # seen from the front, an edge of a lens without a rim is a faint line
    bare = (style.bare + (style.below == 0).float() * (1 - above)).clamp(max=1)
    thickness = torch.maximum(thickness, 0.014 * bare)
    # where the two sides meet there is no slope to tell a distance by, and no rim
    apart = ramp((outline.u + style.apart - 0.035) * 50)
    rim = band(outline.distance, thickness, pixel) * (1 - 0.5 * bare) * apart
    # bars end where a lens begins: the bridge on its inner side, the temple on its outer side
    outer = (outline.u > 0).float()
    share = outline.u / style.apart + 1  # from the middle of the pair to the middle of a lens
    bridge_v = outline.v - style.bridge_y - style.bridge_arch * (share**2 - 0.2)
    bridge_thick = style.bar * (1 + style.bridge_flare * share**2)
    # the hinge is thicker than what lies behind it
    beyond = outline.u - style.half_width
    temple_v = outline.v - style.temple_y - style.temple_slope * beyond
    start = ((outline.u / style.half_width - 0.5) * 2.5).clamp(0.1, 1)
    temple_thick = style.temple * (1.25 - (4 * beyond).clamp(0, 0.45)) * start
    end = style.temple_end.mean(1, keepdim=True) + outline.side * style.temple_end.diff(dim=1) / 2
    offset, thick = bridge_v.lerp(temple_v, outer), bridge_thick.lerp(temple_thick, outer)
    bars = band(offset, thick, pixel) * ramp((end - beyond) / (4 * style.temple_fade))
    second = band(outline.v + style.half_height * 0.88, style.bar, pixel) * style.second_bar * (1 - outer)
    bars = torch.maximum(bars, second) * (outline.distance / pixel + 0.5).clamp(0, 1)
    pad_u, pad_v = (beyond + 2 * style.half_width + 0.02) / 0.02, (outline.v - 0.25 * style.half_height) / 0.055
    bars = torch.maximum(bars, (1.2 - 0.5 * (pad_u**2 + pad_v**2)).clamp(0, 1) * style.pads * 0.5)
    is_bar = (bars > rim).float()
    height = (2 * outline.distance / thickness.clamp(min=pixel)).lerp(2 * offset / thick, is_bar).clamp(-1, 1)
    return _Frame(
        torch.maximum(rim, bars),
        height,
        outline.out_x * (1 - is_bar),
        outline.out_y.lerp(torch.ones_like(is_bar), is_bar),
        style.brow * (1 - above) * (1 - is_bar),
    )


@dataclass(frozen=True, slots=True)
class _Light:
    """What a photo's own light is.

    Attributes:
        here: how bright each place is, as a share of the whole; ``(B, 1, H, W)``.
        mean: brightness near the eyes; ``(B, 1, 1, 1)``.
        cast: colour of the light, bright; ``(B, 3, 1, 1)``.
        black: the darkest of the photo; black plastic is no darker.
        white: the brightest of it.
    """

    here: Tensor
    mean: Tensor
    cast: Tensor
    black: Tensor
    white: Tensor

    @classmethod
    def of(cls, photo: Tensor, place: Place) -> _Light:
        near = place.near
        colour = (photo * near).sum((2, 3), keepdim=True) / near.sum()
        mean = colour.mean(1, keepdim=True).clamp(min=0.02)
        coarse = place.shrunk(photo, 16)
        # skin is redder than the light on it
        cast = (colour / mean).clamp(0.4, 1.6) * torch.tensor([0.8, 1.03, 1.22], device=photo.device).view(1, 3, 1, 1)
        broad = place.shrunk(photo.mean(1, keepdim=True), 2)
        here = F.interpolate(broad, photo.shape[-2:], mode="bilinear", align_corners=False) / mean
        black = coarse.amin((2, 3), keepdim=True).clamp(max=0.15)
        white = coarse.amax((1, 2, 3), keepdim=True).clamp(min=0.5)
        return cls(here.clamp(0.55, 1.5), mean, cast.lerp(torch.ones_like(cast), 0.5).clamp(0.7, 1.3), black, white)


def _lit(style: Style, light: _Light, spots: Tensor, frame: _Frame, outline: Outline) -> Tensor:
    """Return the colour of what is solid: its material under the photo's light, with highlights, ``(B, 3, H, W)``."""
    mottles = ramp((spots[:, :1] - 0.1) * 2.5) * style.mottled
    colour = torch.addcmul(style.colour, mottles, style.other_colour - style.colour)
    # brow lines are plastic above and metal below; rivets are metal
    rivet = (
        1.5 - ((outline.u - style.half_width - 0.01) / 0.02) ** 2 - ((outline.v - style.temple_y) / 0.012) ** 2
    ).clamp(0, 1)
    metal = torch.maximum(style.metal, frame.thin)
    colour = colour.lerp(torch.full_like(style.colour, 0.65), torch.maximum(frame.thin, rivet * style.rivet))
    # wires are round, plastic is flat with rounded edges
    tilt = frame.height * (metal + (1 - metal) * frame.height**2)
    facing_light = tilt * (frame.across * style.light_x + frame.along * style.light_y)
    upright = (1 - tilt**2).clamp(min=0).sqrt()
    diffuse = 0.55 * upright + facing_light + 0.25 * metal
    # metal mirrors what is around it, light here and dark there; so does gloss, where it faces the light
    around = ramp(spots[:, 1:2] + 0.5 * facing_light - 0.1)
    bright = (0.6 + 0.6 * diffuse) * light.here * (0.35 + light.mean).clamp(max=1) * (1 + metal * (1.3 * around - 0.6))
    shine = around * (1.8 * facing_light.clamp(min=0) + 0.9 * around**4)
    # temples get darker on their way back
    back = (outline.u / style.half_width - 1.1).clamp(0, 1) * 0.5
    colour = torch.addcmul(shine * (1 - back) * (style.gloss * light.white), colour * light.cast, bright * (1 - back))
    return torch.addcmul(light.black * 0.8, colour.clamp(0, 1), 1 - light.black * 0.8)


def _patches(count: int, device: torch.device) -> Tensor:
    """Return random patches around 0: tortoise shell, broken highlights and what lenses mirror; ``(N, 3, 28, 60)``."""
    fine, coarse = torch.randn(count, 1, 28, 60, device=device), torch.randn(count, 3, 7, 12, device=device)
    coarse = F.interpolate(coarse, (28, 60), mode="bilinear")
    return torch.cat([blurred(fine) * 1.6 + coarse[:, :1] * 0.5, coarse[:, 1:] * 0.7], 1)


def _glare(style: Style, outline: Outline) -> Tensor:
    """Return how much of each place a reflection in the lenses hides, ``(B, 1, H, W)``."""
    u, v = outline.u * outline.side / style.half_width, outline.v / style.half_height
    x, y, size = style.glare_x, style.glare_y, style.glare_size
    # not the same in both lenses
    u = u + 0.15 * outline.side * style.light_x
    # a window, with a cross in it or without
    across, down = (u - x[:, :1]) / size[:, :1], (v - y[:, :1]) / size[:, :1]
    across, down = across + 0.3 * down, down - 0.1 * across
    across, down = across.abs(), down.abs()
    pane = ((1 - torch.maximum(across, down)) * 4).clamp(0, 1) * (
        (torch.minimum(across, down) - style.glare_bars) * 8
    ).clamp(0, 1)
    # a lamp or a flash
    lamp = (1 - ((u - x[:, 1:2]) / size[:, 1:2]) ** 2 - ((v - y[:, 1:2]) / (1.3 * size[:, 1:2])) ** 2).clamp(min=0)
    # a streak across the lens
    streak = ((1 - ((u + v * y[:, 2:] - x[:, 2:]) / (1.5 * size[:, 2:])).abs()) * 2).clamp(0, 0.7)
    strong = style.glare
    bright = torch.maximum(torch.maximum(pane * strong[:, :1], lamp * strong[:, 1:2]), streak * strong[:, 2:])
    return bright * outline.lens


def _refracted(photo: Tensor, style: Style, outline: Outline, place: Place) -> Tensor:
    """Return the photo with what strong lenses show a little smaller or larger."""
    by = style.power * outline.lens
    return place.moved(photo, by * outline.u * outline.side, by * outline.v)


def _shadowed(photo: Tensor, style: Style, place: Place, alpha: Tensor) -> Tensor:
    """Return the photo with the shadow of something on it, which is redder than the skin."""
    sharp = place.shrunk(alpha, 40)
    shadow = sharp + (blurred(blurred(sharp)) - sharp) * style.shadow_soft
    shadow = place.moved(shadow, -style.shadow_x, -style.shadow_y)
    red = torch.tensor([0.8, 1.05, 1.1], device=photo.device).view(1, 3, 1, 1)
    return torch.addcmul(photo, photo * shadow, -style.shadow * red)


def _through_lenses(
    photo: Tensor,
    style: Style,
    outline: Outline,
    light: _Light,
    lens: Tensor,
    spots: Tensor,
    alpha: Tensor,
    place: Place,
) -> tuple[Tensor, Tensor]:
    """Return what is seen through lenses and of their surfaces, and how much of each place that hides."""
    down = (outline.v / style.half_height * 0.5 + 0.5).clamp(0, 1)
    through = torch.addcmul(style.through_top, down, style.through_bottom - style.through_top)
    tint = 1 - through.mean(1, keepdim=True)
    photo = _shadowed(photo, style, place, torch.maximum(alpha, lens * tint * 0.7))
    # the surroundings: another photo on its side, far too soft to be taken for eyes, and a sky above a skyline
    other = blurred(place.shrunk(photo.roll(1, 0), 22))
    across, along = outline.v * (0.35 / style.half_height), outline.u * outline.side * (-0.8 / style.half_width)
    seen = place.sample(other, across, along)
    sky = ramp(spots[:, 2:3] * 0.9 - outline.v * (1.3 / style.half_height)) * light.white
    mirrored = torch.add(sky * 0.7 - 0.35, seen, alpha=0.9) * (style.mirror * style.mirror_colour)
    lamps = ramp((spots[:, :1] - 1.3) * 1.5) * style.lamps
    surface = torch.addcmul((mirrored + lamps).clamp(min=0), style.veil * light.white, 1.2 - 0.6 * down)
    glass = torch.addcmul(surface, photo, through * (1 - 0.6 * style.mirror))
    glass = (glass + light.black * 0.25 * tint).clamp(0, 1)
    return photo.lerp(glass, lens), torch.maximum(tint, style.mirror)


def _hair(photo: Tensor, style: Style, outline: Outline, place: Place) -> Tensor:
    """Return 0 where something that is not skin, such as hair, hides temples; ``(B, 1, H, W)``."""
    skin = ((place.x.abs() < 0.8) & (place.y > 0.1) & (place.y < 0.5)).float()
    colour = (photo * skin).sum((2, 3), keepdim=True) / skin.sum().clamp(min=1)
    unlike = (photo - colour).abs().mean(1, keepdim=True)
    hidden = ramp((unlike - 0.16) * 8) * ramp((outline.u / style.half_width - 1.25) * 5)
    return 1 - hidden * style.behind_hair


def _turned(photo: Tensor, place: Place) -> Tensor:
    """Return how far heads seem turned to the right, ``(B, 1, 1, 1)``: more skin is seen on the nearer side."""
    coarse = place.shrunk(photo, 8)
    x = F.interpolate(place.x, (1, coarse.shape[3]), mode="area")
    y = F.interpolate(place.y, (coarse.shape[2], 1), mode="area")
    nose = ((x.abs() < 0.3) & (y.abs() < 0.5)).float()
    skin = (coarse * nose).sum((2, 3), keepdim=True) / nose.sum().clamp(min=1)
    like = torch.exp(-(((coarse - skin) / 0.14) ** 2).sum(1, keepdim=True)) * ((x.abs() < 1.3) & (y.abs() < 0.5))
    return -(like * x).sum((2, 3), keepdim=True) / (like.sum((2, 3), keepdim=True) + 1)


def _worn(out: Tensor, seen: Tensor, style: Style, place: Place) -> Tensor:
    """Return pictures compressed in and around what was drawn: the photo has such rings around its own edges."""
    grey = out.mean(1, keepdim=True)
    around = (place.shrunk(seen, 14) * 4).clamp(0, 1)
    around = F.interpolate(around, out.shape[-2:], mode="bilinear", align_corners=False)
    return out + (compressed(grey, style.step) - grey) * around


def _softness(photo: Tensor) -> Tensor:
    """Return how soft photos are, as pixels of a Gaussian's standard deviation, ``(B,)``.

    Many were enlarged or compressed. In sharp ones pixels differ from their neighbours almost as much as from the ones
    after those; in soft ones half as much.
    """
    grey = photo.mean(1)
    fine = (grey[..., 1:] - grey[..., :-1]).abs().mean((1, 2))
    coarse = (grey[..., 2:] - grey[..., :-2]).abs().mean((1, 2))
    return (0.25 + (0.565 - fine / coarse.clamp(min=1e-4)) * 16).clamp(0.25, 1.2)


def _grain(photo: Tensor, style: Style) -> Tensor:
    """Return noise as strong as the photo's finest detail, ``(B, 1, H, W)``: what is opaque hides the photo's own."""
    grey = photo.mean(1, keepdim=True)
    detail = grey[..., 1:-1] * 2 - grey[..., 2:] - grey[..., :-2]
    strength = detail.abs().mean((1, 2, 3), keepdim=True).clamp(max=0.03) * 0.2
    return torch.randn_like(grey) * strength * style.grain
