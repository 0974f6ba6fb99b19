"""How well pixels that an edit moves come back at the photo's own resolution. Run by hand: python benchmarks/flow.py.

A smooth flow of up to 5 pixels of a network that sees 128 moves the face of the bundled portrait, enlarged to 512
pixels. The truth is that flow, given for every pixel of the photo; PSNR inside the frame, without its rim.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbu_ops.families import get_family
from mbu_ops.functional.layer import Layer, Moved, painted
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import render
from mbu_ops.functional.similarity import extract, square
from mbu_ops.images import read

NETWORK, FACE, PHOTO = 128, 512, 640


def waves(size: int) -> Tensor:
    """Return a smooth flow ``(1, 2, size, size)`` of up to 5 of the network's pixels, in sides of the frame."""
    y, x = torch.meshgrid(*(2 * math.pi * (torch.arange(size) + 0.5) / size,) * 2, indexing="ij")
    flow = torch.stack([torch.sin(x) * torch.cos(y), torch.cos(x + 1) * torch.sin(y)])[None]
    return 5 / NETWORK * flow / flow.square().sum(1).sqrt().max()


def moved_by(flow: Tensor, size: int) -> Layer:
    """Return a layer that does nothing but to move pixels."""
    one = torch.ones(1, 1, size, size)
    return Layer(one, torch.zeros(1, 3, size, size), Moved(one, flow))


@torch.inference_mode()
def main() -> None:
    sample = get_family("faces").samples[0]
    portrait = read(sample.locate().read_bytes()).to_tensor()[None]
    assert sample.box is not None
    left, top, right, bottom = sample.box
    photo = extract(portrait, square((left + right) / 2, (top + bottom) / 2, (right - left) * PHOTO / FACE), PHOTO)
    frame, inner = square(PHOTO / 2, PHOTO / 2, FACE, 0.2), square(PHOTO / 2, PHOTO / 2, 0.85 * FACE, 0.2)
    truth = render(photo, moved_by(waves(FACE), FACE), frame).image
    seen = extract(photo, frame, NETWORK)
    small = render(seen, moved_by(waves(NETWORK), NETWORK)).image  # what a perfect network of this size would draw
    drawn = painted(small, torch.ones(1, 1, NETWORK, NETWORK))
    layers = {
        "nothing moved": Layer(torch.zeros(1, 1, NETWORK, NETWORK), seen),
        "the network's moved picture, enlarged": drawn,
        "the same, and the photo's detail put back": drawn.keeping(seen),
        **{
            f"a flow {side} wide, rendered": moved_by(resize(waves(FACE), (side, side)), NETWORK)
            for side in (8, 16, 32)
        },
    }
    print("| how | PSNR, dB |\n|---|--:|")
    for name, layer in layers.items():
        error = extract(render(photo, layer, frame).image - truth, inner, int(inner.width)).square().mean()
        print(f"| {name} | {-10 * error.log10():.1f} |")


if __name__ == "__main__":
    main()
