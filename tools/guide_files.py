"""Where the scripts that draw guides put their pictures."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from mbu_ops.files import atomic_path


def write_guides(
    description: str | None, folder: str, attribute: str, names: Iterable[str], draw: Callable[[str], Tensor]
) -> None:
    """Write cut-outs as ``ATTRIBUTE_NAME.png``, into a folder that the command line may name.

    Args:
        description: of the script.
        folder: where they go by default.
        attribute: what they show.
        names: of the guides.
        draw: from a name to ``(4, H, W)`` in [0, 1], RGB and alpha.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(folder))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        samples = (draw(name).permute(1, 2, 0) * 255).round().to(torch.uint8)
        with atomic_path(out / f"{attribute}_{name}.png") as temporary:
            Image.fromarray(samples.numpy(), "RGBA").save(temporary, format="PNG", optimize=True)
