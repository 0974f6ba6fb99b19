"""What each loss term, part and kind of pairs of native networks is for: each left out alone, at equal time.

    python benchmarks/native_terms.py [--seconds 90] [--attribute avatars/beard] [--side 64] [--without mask flow]

Learns to take a content off drawn people (the avatars), of whom the true pictures are known. Every run gets the same
seconds of one core, the same first weights and the same pictures; people of the test partition grade it. Needs no data.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import fields, replace

import numpy as np
import torch
from timing import machine
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

import mbu_ops
from mbu_ops.data.composites import Composites
from mbu_ops.data.domains import Domains
from mbu_ops.data.pairs import drawn_pairs
from mbu_ops.families.frames import WHOLE_FRAME
from mbu_ops.families.registry import parse_attribute
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import render
from mbu_ops.methods.native import Native, NativeConfig, Planes
from mbu_ops.objectives.native import NativeLossWeights, NativeObjective
from mbu_ops.ops import Segment
from mbu_ops.training.pairs import content_masks, edited_photos

BATCH, RATE = 8, 5e-4
TERMS = [field.name for field in fields(NativeLossWeights)]
PARTS = ("gate of the networks", "flow of the networks", "half of the pixels", "cut pairs", "edited pairs")
"""What else can be left out: of networks that have both, fed with cut and with edited pairs."""


class Ungated(Native):
    """A network that redraws all that its mask covers."""

    def planes(self, image: Tensor) -> Planes:
        """Return its planes, with a gate that is shut."""
        planes = super().planes(image)
        return planes._replace(redrawn=planes.mask)


def train(
    composites: Composites, weights: NativeLossWeights, model: Native, seconds: float, seed: int
) -> tuple[Native, int]:
    """Return the average of networks that learnt for so many seconds, and the steps that they took."""
    torch.manual_seed(seed)
    objective = NativeObjective(model, weights).train()
    groups = objective.parameter_groups()
    optimisers = {name: torch.optim.Adam(group, RATE, (0.5, 0.99)) for name, group in groups.items()}
    average = AveragedModel(objective.model, avg_fn=get_ema_avg_fn(0.99))
    step, end = 0, time.process_time() + seconds  # other work on the machine must not count
    while time.process_time() < end:
        batches = composites.batch(BATCH, seed, step)
        for name, terms, _ in objective.steps(*batches):
            optimisers[name].zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            torch.nn.utils.clip_grad_norm_(groups[name], 5.0)
            optimisers[name].step()
        average.update_parameters(objective.model)
        step += 1
    return average.module.eval(), step


@torch.no_grad()
def graded(model: Native, with_: Tensor, without: Tensor, where: Tensor) -> tuple[float, float, float, float]:
    """Return PSNR inside the content in dB, its share that is redrawn, mask IoU, and pixels changed for nothing."""
    planes, shown = edited(model, with_)
    size = with_.shape[-2], with_.shape[-1]
    error = (shown - without).square()[where.expand_as(with_)].mean()
    found = resize(planes.mask, size) > 0.5
    overlap = ((found & where).sum((1, 2, 3)) / (found | where).sum((1, 2, 3)).clamp(min=1)).mean()
    changed = ((edited(model, without)[1] - without).abs().amax(1) > 4 / 255).float().mean()
    return float(-10 * error.log10()), float(resize(planes.redrawn, size)[where].mean()), float(overlap), float(changed)


def edited(model: Native, pictures: Tensor) -> tuple[Planes, Tensor]:
    """Return what a network says of pictures of any size, and its edits of them."""
    seen = resize(pictures, model.config.size)
    planes = model.planes(seen)
    return planes, render(pictures, planes.layer(seen)).raw


def main() -> None:
    """Train and grade each, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--attribute", default="avatars/beard")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=400, help="pictures of each kind to learn from")
    parser.add_argument("--without", nargs="*", choices=[*TERMS, *PARTS], help="what to leave out, one after the other")
    options = parser.parse_args()
    torch.set_num_threads(1)
    family, attribute = parse_attribute(options.attribute)
    domains = Domains.drawn(family, attribute, options.side, options.count)
    finder = Segment.from_pretrained(f"{family.name}/{attribute.name}")
    add = mbu_ops.chain(f"add:{family.name}/{attribute.name}")

    def made(domains: Domains, *kinds: str) -> Composites:
        """Return pairs of some kinds, in equal shares."""
        masks = content_masks(finder, domains.with_, WHOLE_FRAME, domains.resolution)
        others = edited_photos(add, domains.without, WHOLE_FRAME, domains.without)
        return Composites(domains, masks, tuple((kind, 1.0) for kind in kinds), edited=others)

    tests = list(drawn_pairs(family, attribute, "test", 100, options.side))
    with_, without = (
        torch.from_numpy(np.stack([getattr(pair, side) for pair in tests])).permute(0, 3, 1, 2).float() / 255
        for side in ("with_", "without")
    )
    where = torch.from_numpy(np.stack([pair.mask for pair in tests]))[:, None]
    nothing = -10 * (with_ - without).square()[where.expand_as(with_)].mean().log10()
    print(f"{machine()}; one thread, {options.seconds:g} s a run, {options.side} px, seed {options.seed}")
    print(f"100 people of the test partition; nothing done: {nothing:.1f} dB in the content\n")
    print("| left out | steps | dB in the content | redrawn there | mask IoU | changed for nothing |")
    print("|---|---|---|---|---|---|")
    config = NativeConfig(options.side, height=options.side, channels=32, patch=2, flow=True)
    both = made(domains, "cut", "edited")
    for name in ["nothing", *(options.without or [*TERMS, *PARTS])]:
        sizes, pairs, weights = config, both, NativeLossWeights()
        if name in TERMS:
            weights = replace(weights, **{name: 0.0})
        elif name == "flow of the networks":
            sizes = replace(config, flow=False)
        elif name == "half of the pixels":
            half = options.side // 2
            sizes = replace(config, resolution=half, height=half)
            pairs = made(Domains.drawn(family, attribute, half, options.count), "cut", "edited")
        elif name.endswith("pairs"):
            pairs = made(domains, *({"cut", "edited"} - {name.split()[0]}))
        torch.manual_seed(options.seed)
        network = (Ungated if name == "gate of the networks" else Native)(sizes)
        model, steps = train(pairs, weights, network, options.seconds, options.seed)
        found = graded(model, with_, without, where)
        print("| {} | {} | {:.1f} | {:.0%} | {:.2f} | {:.1%} |".format(name, steps, *found), flush=True)


if __name__ == "__main__":
    main()
