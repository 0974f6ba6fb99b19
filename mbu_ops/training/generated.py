"""Labelled pictures that networks make: more to learn from, with masks that are true because they came first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mbu_ops import images
from mbu_ops.data.labelled import IMAGES, MASKS, Labelled
from mbu_ops.errors import ConfigurationError
from mbu_ops.ops.reshape import Generate


@torch.inference_mode()
def write_generated(
    generate: Generate,
    pictures: Labelled,
    out: Path,
    count: int,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write a labelled folder of pictures with the masks and backgrounds of some, and the looks of others.

    Source: Gu et al., CVPR 2019, section 4.4.

    Args:
        generate: what draws them.
        pictures: at least two, at the networks' resolution; training pictures, if the new ones are to be learnt from.
        out: a new or empty folder.
        count: how many pictures to make; masks are taken in turn, looks at random from the other pictures.
        seed: of the looks.
        advance: called after each picture.

    Raises:
        ConfigurationError: if the folder holds something, or there are too few pictures.
        ImageFileError: if a file cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"expected a new or empty folder, {str(out)!r} holds something: choose another one")
    if len(pictures.pixels) < 2:
        raise ConfigurationError(f"expected at least 2 pictures, got {len(pictures.pixels)}")
    random = np.random.default_rng(seed)
    total = len(pictures.pixels)
    device = next(iter(generate.model.parameters())).device
    for number in range(count):
        target = number % total
        source = (target + int(random.integers(1, total))) % total
        look, behind = (pictures.pixels[one : one + 1].to(device).float() / 255 for one in (source, target))
        labels = pictures.labels[target : target + 1]
        picture = generate(labels.to(device), generate.encode(look), behind)[0].cpu()
        name = f"{number:06}"
        images.write(out / IMAGES / f"{name}.png", picture)
        images.write_labels(out / MASKS / f"{name}.png", labels[0, 0].numpy(), pictures.anatomy.colours)
        advance()
