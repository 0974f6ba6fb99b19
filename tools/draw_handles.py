"""Draw the handles that come with the handbags, as PNG files with an alpha channel.

    python tools/draw_handles.py [--out plugins/mbu_ops_handbags/guides]

Each is one or two bows, as thick and as round as a strap, a roll or a row of beads; the pictures are CC0. The names and
titles are those of ``mbu_ops_handbags.guides``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from guide_files import write_guides
from torch import Tensor

from mbu_ops.functional.blend import premultiplied, straight
from mbu_ops_handbags.guides import HANDLES

SIDE = 512
"""Four times what networks see of a bag."""

FEET = 0.42
"""Where bows end, from the top: a bag with a handle begins there."""


@dataclass(frozen=True)
class Bow:
    """Half an ellipse that stands on the bag.

    Attributes:
        colour: RGB in [0, 1].
        width: half its width, in sides.
        height: in sides.
        thickness: half of it, in sides.
        flat: how flat the material is: 0 for a roll, 1 for a strap.
        beads: how many it consists of; 0 for one piece.
        middle: x of its middle.
    """

    colour: tuple[float, float, float]
    width: float = 0.17
    height: float = 0.3
    thickness: float = 0.018
    flat: float = 0.3
    beads: int = 0
    middle: float = 0.5

    def cut_out(self) -> Tensor:
        """Return it, ``(4, H, W)`` in [0, 1]: RGB and alpha."""
        turn = torch.linspace(0, torch.pi, self.beads or 721)
        bow = torch.stack([self.middle - self.width * turn.cos(), FEET - self.height * turn.sin()], 1)
        places = (torch.arange(SIDE) + 0.5) / SIDE
        pixels = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1)
        nearest = torch.stack([(row[:, None] - bow).norm(dim=2).argmin(1) for row in pixels])
        across = (pixels - bow[nearest]) / self.thickness
        distance = across.norm(dim=2)
        alpha = ((1 - distance) * self.thickness * SIDE + 0.5).clamp(0, 1)
        # lit from above on the left; what is flat has no slope but at its edges
        tilt = across * (self.flat * distance[..., None] ** 3 + (1 - self.flat))
        upright = (1 - tilt.square().sum(2)).clamp(min=0).sqrt()
        light = 0.35 + 0.55 * upright - 0.3 * (tilt[..., 0] + tilt[..., 1])
        shine = (upright - 0.45 * (tilt[..., 0] + tilt[..., 1])).clamp(0, 1) ** 18
        colour = torch.tensor(self.colour).view(3, 1, 1) * light.clamp(0.1, 1.2) + 0.35 * shine
        return torch.cat([colour.clamp(0, 1), alpha[None]])


BLACK, BROWN, TAN, RED, GOLD = (
    (0.13, 0.12, 0.13),
    (0.36, 0.21, 0.13),
    (0.72, 0.5, 0.3),
    (0.68, 0.1, 0.12),
    (0.85, 0.66, 0.3),
)

BOWS = {
    "black": (Bow(BLACK),),
    "brown": (Bow(BROWN, width=0.15, height=0.26, thickness=0.026, flat=0.8),),
    "tan_twin": (
        Bow(TAN, width=0.15, height=0.31, thickness=0.014, middle=0.52),
        Bow(TAN, width=0.15, height=0.28, thickness=0.016, middle=0.48),
    ),
    "red": (Bow(RED, width=0.2, height=0.22, thickness=0.015),),
    "gold_beads": (Bow(GOLD, width=0.19, height=0.3, thickness=0.0135, flat=0, beads=31),),
}
"""What each consists of, the hindmost first."""


def drawn(bows: tuple[Bow, ...]) -> Tensor:
    """Return bows before one another, ``(4, H, W)``."""
    whole = torch.zeros(1, 4, SIDE, SIDE)
    for bow in bows:
        over = premultiplied(bow.cut_out()[None])
        whole = over + whole * (1 - over[:, 3:])
    return straight(whole)[0]


def main() -> None:
    """Write the files."""
    names = (name for name, _ in HANDLES)
    write_guides(__doc__, "plugins/mbu_ops_handbags/guides", "handle", names, lambda name: drawn(BOWS[name]))


if __name__ == "__main__":
    main()
