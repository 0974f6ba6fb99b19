"""Draw the glasses that come with the faces, as PNG files with an alpha channel.

    python tools/draw_guides.py [--out plugins/mbu_ops_faces/guides]

Each is a seed of the faces' pen, chosen by eye among some hundred that it drew on a plain colour; the pictures are
CC0. The names and titles are those of ``mbu_ops_faces.guides``.
"""

from __future__ import annotations

import torch
from guide_files import write_guides
from torch import Tensor

from mbu_ops_faces.guides import GLASSES
from mbu_ops_faces.pen import CLEAR, glasses

SEEDS = {
    "square": 643,
    "round": 172,
    "oval_gold": 64,
    "panto_silver": 538,
    "tortoise": 49,
    "rimless": 295,
    "half_rim": 298,
    "round_blue": 666,
    "square_white": 801,
    "burgundy": 510,
    "clear": 704,
    "aviator": 12,
    "sunglasses_square": 50,
    "sunglasses_round": 588,
}
SIZE = 512, 896
"""Height and width: four times what networks see of the eyes and cheeks."""

LEAST = 0.02
"""Opacity below which there is nothing."""

SKIN = 0.72, 0.56, 0.48
"""What they are drawn on; pens take the light from it."""


def cut_out(seed: int) -> Tensor:
    """Return the glasses of a seed, ``(4, H, W)``: colours that are not mixed with what is behind them, and alpha."""
    plain = torch.tensor(SKIN).view(1, 3, 1, 1).expand(1, 3, *SIZE).contiguous()
    torch.manual_seed(seed)
    drawn = glasses(plain, "eyes_and_cheeks")
    # pens mark clear lenses, too; nothing of them hides what lies behind
    alpha = ((drawn.masks - CLEAR) / (1 - CLEAR)).clamp(0, 1)
    alpha = alpha * (alpha > LEAST)
    colour = (plain + (drawn.pictures - plain) / alpha.clamp(min=LEAST)).clamp(0, 1)
    return torch.cat([torch.where(alpha > 0, colour, plain), alpha], 1)[0]


def main() -> None:
    """Write the files."""
    names = (name for name, _ in GLASSES)
    write_guides(__doc__, "plugins/mbu_ops_faces/guides", "glasses", names, lambda name: cut_out(SEEDS[name]))


if __name__ == "__main__":
    main()
