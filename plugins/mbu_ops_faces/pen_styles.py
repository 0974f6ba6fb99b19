"""What glasses look like: outlines, materials and lenses of real ones, and one pair for each picture by chance.

Lengths are in distances between the pupils, colours in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Range = tuple[float, float]

# weight; half width, height by width, exponent of the upper and the lower half (2: ellipse, large: rectangle), how much
# narrower it gets downwards, how far it leans outwards downwards, how much taller the lower half is, how far the outer
# end is raised
_OUTLINES: tuple[tuple[float, tuple[Range, ...]], ...] = (
    # round
    (2.0, ((0.27, 0.38), (0.93, 1.03), (1.9, 2.2), (1.9, 2.2), (-0.03, 0.03), (0, 0), (0, 0.05), (0, 0))),
    # oval
    (1.7, ((0.3, 0.42), (0.55, 0.76), (2, 2.5), (2, 2.5), (-0.03, 0.06), (-0.05, 0.1), (0, 0.1), (0, 0.08))),
    # panto
    (1.8, ((0.3, 0.4), (0.78, 0.95), (2.4, 3.4), (1.9, 2.3), (0.05, 0.18), (0, 0.08), (0.05, 0.2), (0, 0.05))),
    # wayfarer
    (2.5, ((0.36, 0.45), (0.62, 0.8), (3, 5), (2.3, 3.5), (0.06, 0.2), (0, 0.1), (0, 0.1), (0, 0.12))),
    # rectangle
    (2.5, ((0.34, 0.45), (0.42, 0.62), (3.5, 7), (3, 6), (0, 0.12), (-0.05, 0.08), (0, 0.1), (0, 0.06))),
    # large square
    (1.3, ((0.42, 0.5), (0.74, 0.92), (2.6, 4.5), (2.4, 3.5), (0, 0.15), (0, 0.1), (0, 0.15), (0, 0.05))),
    # cat eye
    (1.2, ((0.36, 0.45), (0.5, 0.74), (2.6, 4), (2.1, 3), (0.1, 0.25), (0, 0.1), (0, 0.1), (0.12, 0.35))),
    # aviator
    (2.2, ((0.38, 0.46), (0.66, 0.84), (2.8, 3.6), (1.9, 2.4), (0.06, 0.2), (0.1, 0.28), (0.1, 0.3), (0, 0.05))),
    # sports
    (0.6, ((0.42, 0.5), (0.45, 0.6), (2.2, 3), (2, 2.6), (0.05, 0.2), (0, 0.1), (0, 0.1), (0, 0.2))),
)

# weight; red, green, blue, how freely they vary, thickness, opacity, metal or not, mottled or not, gloss
_MATERIALS: tuple[tuple[float, tuple[Range, ...]], ...] = (
    # black plastic
    (3.8, ((0, 0.08), (0, 0.08), (0, 0.09), (0.02, 0.02), (0.02, 0.09), (1, 1), (0, 0), (0, 0), (0.05, 0.6))),
    # bold black plastic
    (1.7, ((0, 0.06), (0, 0.06), (0, 0.07), (0.01, 0.01), (0.06, 0.12), (1, 1), (0, 0), (0, 0), (0.1, 0.9))),
    # brown and grey plastic
    (1.1, ((0.1, 0.42), (0.08, 0.32), (0.06, 0.28), (0.05, 0.05), (0.02, 0.09), (1, 1), (0, 0), (0, 0.3), (0.05, 0.6))),
    # tortoise shell
    (
        1.6,
        ((0.35, 0.8), (0.18, 0.5), (0.05, 0.22), (0.03, 0.03), (0.025, 0.09), (0.8, 1), (0, 0), (0.7, 1), (0.1, 0.6)),
    ),
    # coloured plastic
    (1.0, ((0.1, 0.7), (0.1, 0.6), (0.1, 0.7), (0.3, 0.3), (0.02, 0.1), (0.85, 1), (0, 0), (0, 0.3), (0.1, 0.6))),
    # white and pastel plastic
    (1.0, ((0.72, 1), (0.68, 0.98), (0.64, 0.96), (0.06, 0.06), (0.02, 0.085), (0.9, 1), (0, 0), (0, 0), (0.1, 0.5))),
    # clear plastic
    (1.5, ((0.7, 1), (0.68, 0.98), (0.62, 0.96), (0.05, 0.05), (0.025, 0.09), (0.1, 0.5), (0, 0), (0, 0.2), (0.4, 1))),
    # smoky or honey coloured, translucent
    (
        0.8,
        ((0.25, 0.8), (0.15, 0.55), (0.1, 0.4), (0.06, 0.06), (0.03, 0.1), (0.45, 0.8), (0, 0), (0, 0.4), (0.2, 0.8)),
    ),
    # dark metal
    (1.6, ((0.05, 0.3), (0.05, 0.28), (0.05, 0.28), (0.03, 0.03), (0.012, 0.03), (1, 1), (1, 1), (0, 0), (0.2, 0.7))),
    # silver
    (1.7, ((0.5, 0.85), (0.5, 0.85), (0.5, 0.85), (0.04, 0.04), (0.012, 0.03), (1, 1), (1, 1), (0, 0), (0.3, 1))),
    # gold and copper
    (1.5, ((0.55, 0.9), (0.38, 0.68), (0.18, 0.42), (0.05, 0.05), (0.012, 0.03), (1, 1), (1, 1), (0, 0), (0.3, 1))),
)

# weight; what they let through at the top, at the bottom (as a share of the way to clear), colour of what they let
# through, light on their surface, how much of the surroundings they mirror, colour of the mirror
_LENSES: tuple[tuple[float, tuple[Range, ...]], ...] = (
    # clear
    (5.2, ((0.9, 1), (0, 0), (0, 0.06), (0, 0.05), (0, 0.05), (0, 0.3))),
    # lightly tinted
    (1.0, ((0.4, 0.85), (0, 0.5), (0.05, 0.7), (0, 0.08), (0, 0.06), (0, 0.3))),
    # tinted, the eyes seen
    (0.8, ((0.1, 0.4), (0, 0.3), (0.05, 0.7), (0, 0.06), (0, 0.15), (0, 0.3))),
    # dark
    (2.8, ((0, 0.06), (0, 0), (0, 0.6), (0, 0.03), (0, 0.55), (0, 0.3))),
    # dark at the top
    (1.0, ((0.02, 0.25), (0.15, 0.75), (0.05, 0.6), (0, 0.05), (0, 0.3), (0, 0.3))),
    # mirrored
    (0.6, ((0, 0.15), (0, 0.1), (0, 0.5), (0, 0.08), (0.6, 1), (0, 1))),
)


class Dice:
    """Chance, one throw for each picture; from torch's global generator, so that seeds repeat what is drawn.

    Args:
        count: how many pictures.
        device: of them.

    Example:
        >>> throw = Dice(4, torch.device("cpu")).between(2, 3)
        >>> throw.shape, bool((throw >= 2).all() and (throw <= 3).all())
        (torch.Size([4, 1, 1, 1]), True)
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.count, self.device = count, device

    def between(self, low: float, high: float, channels: int = 1) -> Tensor:
        """Return ``(N, channels, 1, 1)``, each number as likely as another one."""
        return low + (high - low) * torch.rand(self.count, channels, 1, 1, device=self.device)

    def sometimes(self, chance: float) -> Tensor:
        """Return ``(N, 1, 1, 1)``: 1 with a chance, else 0."""
        return (self.between(0, 1) < chance).float()

    def one_of(self, weights: Sequence[float]) -> Tensor:
        """Return ``(N,)`` whole numbers, each as likely as its weight says."""
        shares = torch.tensor(list(weights), device=self.device).cumsum(0)
        throws = torch.rand(self.count, device=self.device) * shares[-1]
        return torch.searchsorted(shares, throws).clamp(max=len(weights) - 1)

    def row(self, table: Sequence[tuple[float, tuple[Range, ...]]]) -> list[Tensor]:
        """Return a number within each range of a row of a table, ``(N, 1, 1, 1)`` for each column."""
        ranges = torch.tensor([row for _, row in table], device=self.device)[self.one_of([w for w, _ in table])]
        columns = ranges[..., 0] + (ranges[..., 1] - ranges[..., 0]) * torch.rand_like(ranges[..., 0])
        return [column.view(-1, 1, 1, 1) for column in columns.unbind(1)]


@dataclass(frozen=True, slots=True)
class Style:
    """A pair of glasses for each picture, how it sits and how it is lit; each ``(N, 1, 1, 1)`` or ``(N, 3, 1, 1)``.

    Attributes:
        roll: by how much the pair is turned, in radians.
        x: where its middle lies, from the middle between the pupils, to the right.
        y: the same, downwards.
        yaw: how much larger the left half appears than the right one: the head is turned.
        droop: by how much the outer ends hang.
        half_width: of a lens.
        half_height: of a lens.
        upper: exponent of the upper half of the outline.
        lower: exponent of the lower half.
        taper: how much narrower a lens gets downwards.
        lean: how far it leans outwards downwards.
        drop: how much taller its lower half is.
        lift: how far the outer end is raised.
        apart: from the middle of the pair to the middle of a lens.
        colour: of the rims.
        other_colour: of spots in the rims.
        thickness: of the rims.
        below: thickness of the rims' lower half, as a share.
        brow: 1 where the lower half of the rims is of metal whatever the upper one is.
        opacity: of the rims.
        metal: 1 for metal.
        mottled: how much of the other colour the rims show.
        gloss: how strong the rims' highlights are.
        bare: 1 for lenses without rims.
        bar: thickness of the bridge.
        bridge_y: where the bridge lies.
        bridge_arch: how far it is bent.
        bridge_flare: how much thicker it is at its ends.
        second_bar: 1 where there is a bar above the bridge.
        pads: 1 where nose pads show.
        rivet: 1 where rivets show at the hinges.
        temple: thickness of the temples.
        temple_y: where they start.
        temple_slope: how far they go down on their way.
        temple_end: how far from the lens they end, left and right ``(N, 2, 1, 1)``.
        temple_fade: how softly they end.
        behind_hair: 1 where hair hides temples.
        through_top: what the lenses let through at the top, of each colour.
        through_bottom: at the bottom.
        veil: light on the lenses' surface.
        mirror: how much of the surroundings they mirror.
        mirror_colour: colour of that.
        power: how much larger (below 0) or smaller (above 0) the eye appears.
        lamps: brightness of small lights that they mirror.
        glare: strength of window-like, round and streaky reflections ``(N, 3, 1, 1)``.
        glare_bars: how wide the bars of a window are, below 0 where it has none.
        glare_colour: their colour.
        glare_x: where they lie, in half widths of a lens ``(N, 3, 1, 1)``.
        glare_y: where they lie, in half heights.
        glare_size: how large they are.
        light_x: from where the light comes, -1 for the left.
        light_y: -1 for above.
        shadow: how dark the shadow on the face is.
        shadow_x: how far to the right it falls.
        shadow_y: how far down it falls.
        shadow_soft: how soft it is.
        blur: how much softer the glasses are than the photo.
        grain: how grainy.
        step: how strongly they are compressed.
    """

    roll: Tensor
    x: Tensor
    y: Tensor
    yaw: Tensor
    droop: Tensor
    half_width: Tensor
    half_height: Tensor
    upper: Tensor
    lower: Tensor
    taper: Tensor
    lean: Tensor
    drop: Tensor
    lift: Tensor
    apart: Tensor
    colour: Tensor
    other_colour: Tensor
    thickness: Tensor
    below: Tensor
    brow: Tensor
    opacity: Tensor
    metal: Tensor
    mottled: Tensor
    gloss: Tensor
    bare: Tensor
    bar: Tensor
    bridge_y: Tensor
    bridge_arch: Tensor
    bridge_flare: Tensor
    second_bar: Tensor
    pads: Tensor
    rivet: Tensor
    temple: Tensor
    temple_y: Tensor
    temple_slope: Tensor
    temple_end: Tensor
    temple_fade: Tensor
    behind_hair: Tensor
    through_top: Tensor
    through_bottom: Tensor
    veil: Tensor
    mirror: Tensor
    mirror_colour: Tensor
    power: Tensor
    lamps: Tensor
    glare: Tensor
    glare_bars: Tensor
    glare_colour: Tensor
    glare_x: Tensor
    glare_y: Tensor
    glare_size: Tensor
    light_x: Tensor
    light_y: Tensor
    shadow: Tensor
    shadow_x: Tensor
    shadow_y: Tensor
    shadow_soft: Tensor
    blur: Tensor
    grain: Tensor
    step: Tensor

    @classmethod
    def by_chance(cls, turned: Tensor) -> Style:
        """Return a pair of glasses for each of some pictures.

        Args:
            turned: how far each head seems turned to the right, ``(N, 1, 1, 1)`` around 0.

        Example:
            >>> Style.by_chance(torch.zeros(3, 1, 1, 1)).through_top.shape
            torch.Size([3, 3, 1, 1])
        """
        count, device = len(turned), turned.device
        dice = Dice(count, device)
        through, clearer, coloured, veil, mirror, mirror_coloured = dice.row(_LENSES)
        half_width, aspect, upper, lower, taper, lean, drop, lift = dice.row(_OUTLINES)
        # sunglasses are larger
        half_width = half_width * (1 + 0.12 * (1 - through) * dice.between(0, 1))
        half_height = half_width * aspect
        red, green, blue, freely, thickness, opacity, metal, mottled, gloss = dice.row(_MATERIALS)
        # one throw for all three channels: most materials differ in lightness rather than in hue
        grey = torch.cat([red, green, blue], 1)
        colour = (grey.mean(1, keepdim=True) + (grey - grey.mean(1, keepdim=True)) * 0.3).lerp(grey, 0.5)
        colour = (colour + freely * dice.between(-1, 1, 3)).clamp(0, 1)
        build = dice.one_of((0.78, 0.1, 0.07, 0.05)).view(-1, 1, 1, 1)  # full rims, half rims, brow line, none
        bare, brow = (build == 3).float(), (build == 2).float()
        below = torch.where(build == 0, dice.between(0.55, 1.1), torch.where(build == 1, 0.0, 0.25))
        thickness = torch.where(build == 2, thickness.clamp(min=0.05), thickness)
        thin = thickness.clamp(max=0.03)
        bar = torch.where(bare > 0, dice.between(0.014, 0.028), thickness * dice.between(0.6, 1.1)).clamp(0.014)
        thick_temple = dice.sometimes(0.25) * (1 - metal) * dice.between(0.04, 0.14)
        temple = torch.where(bare > 0, thin, thickness * dice.between(0.8, 1.5)).clamp(0.018) + thick_temple
        yaw = dice.between(-1, 1) ** 3 * 0.1 + F.softshrink(turned, 0.04).clamp(-0.25, 0.25) * dice.between(0.7, 1.2)
        nearer = torch.cat([yaw, -yaw], 1)
        hue = dice.between(0, 1, 3)
        hue = hue / hue.amax(1, keepdim=True)
        # brown, green and grey are what most lenses are
        usual = torch.tensor([[1, 0.75, 0.5], [0.8, 1, 0.75], [0.9, 0.95, 1]], device=device).view(3, 3, 1, 1)
        usual = usual[dice.one_of((2, 1, 2))]
        hue = torch.where(dice.sometimes(0.6) > 0, usual, hue)
        top = through * (1 - coloured + coloured * hue)
        # what is dark shows reflections best
        glare = dice.between(0, 1, 3) ** 1.5 * (dice.between(0, 1, 3) < 0.38 - 0.18 * through)
        veil = veil * dice.between(0, 1) + dice.sometimes(0.1) * dice.between(0, 0.25) * (0.3 + 0.7 * through)
        white = 1 - 0.7 * dice.sometimes(0.4) * dice.between(0, 1, 3)
        return cls(
            roll=dice.between(-1, 1) ** 3 * 0.07,
            x=0.5 * yaw + dice.between(-0.03, 0.03),
            y=dice.between(-0.03, 0.09) + half_height * (dice.between(0, 0.12) - 0.3 * drop),
            yaw=yaw,
            droop=dice.between(-0.05, 0.06),
            half_width=half_width,
            half_height=half_height,
            upper=upper,
            lower=lower,
            taper=taper,
            lean=lean,
            drop=drop,
            lift=lift,
            apart=(half_width + dice.between(0.1, 0.17)).clamp(min=0.46),
            colour=colour,
            other_colour=colour * dice.between(0, 0.25),
            thickness=thickness * (1 - bare),
            below=below,
            brow=brow,
            opacity=opacity,
            metal=metal,
            mottled=mottled,
            gloss=gloss,
            bare=bare,
            bar=bar,
            bridge_y=-half_height * dice.between(0.05, 0.65),
            bridge_arch=dice.between(-0.03, 0.12),
            bridge_flare=(1 - metal) * dice.between(0, 2.5),
            second_bar=dice.sometimes(0.12) * torch.maximum(metal, dice.sometimes(0.2)),
            pads=torch.maximum(metal, bare) * dice.sometimes(0.7),
            rivet=dice.sometimes(0.3) * (thickness > 0.04),
            temple=temple,
            temple_y=-half_height * (dice.between(0.15, 0.85) + 0.6 * lift),
            temple_slope=dice.between(-0.12, 0.16),
            # the nearer temple is seen for longer
            temple_end=0.04 + (dice.between(0, 1, 2) ** 2.5 * 0.7 + 0.08) * (1 + 8 * nearer).clamp(0, 2.5),
            temple_fade=dice.between(0.003, 0.02),
            behind_hair=dice.sometimes(0.4),
            through_top=top,
            through_bottom=top + (1 - top) * clearer,
            veil=veil * dice.between(0.6, 1, 3),
            mirror=mirror * dice.between(0.2, 1),
            mirror_colour=1 - mirror_coloured * dice.between(0, 1, 3),
            power=dice.sometimes(0.4) * dice.between(-0.07, 0.12),
            lamps=dice.sometimes(0.25) * dice.between(0.1, 0.8) * (1 - 0.8 * through),
            glare=glare,
            glare_bars=0.08 - dice.sometimes(0.6),
            glare_colour=white,
            glare_x=dice.between(-0.9, 0.9, 3),
            glare_y=dice.between(-0.9, 0.7, 3),
            glare_size=dice.between(0.06, 0.35, 3),
            light_x=dice.between(-0.6, 0.6),
            light_y=dice.between(-0.9, -0.2),
            shadow=dice.between(0, 0.45) * dice.sometimes(0.75),
            shadow_x=dice.between(-0.04, 0.04),
            shadow_y=dice.between(0.015, 0.1),
            shadow_soft=dice.between(0, 1),
            blur=dice.between(0, 0.8),
            grain=dice.between(0.2, 1),
            step=1e-3 + dice.sometimes(0.7) * dice.between(0, 0.06),
        )
