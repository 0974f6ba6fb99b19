"""What each loss term of native networks is for: each left out once, at equal wall time.

    python benchmarks/native_terms.py [--seconds 90] [--attribute avatars/beard] [--side 64] [--terms mask gate]

Learns to take a content off drawn people (the avatars), of whom the true pictures are known. Every run gets the same
seconds, the same first weights and the same pictures; people of the test partition grade it. Needs no data.
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

from mbu_ops.data.composites import Composites
from mbu_ops.data.domains import Domains
from mbu_ops.data.pairs import drawn_pairs
from mbu_ops.families.frames import WHOLE_FRAME
from mbu_ops.families.registry import parse_attribute
from mbu_ops.methods.native import Native, NativeConfig
from mbu_ops.objectives.native import NativeLossWeights, NativeObjective
from mbu_ops.ops import Segment
from mbu_ops.training.pairs import content_masks

BATCH, RATE = 8, 5e-4
TERMS = [field.name for field in fields(NativeLossWeights)]


def train(
    composites: Composites, weights: NativeLossWeights, config: NativeConfig, seconds: float, seed: int
) -> tuple[Native, int]:
    """Return the average of networks that learnt for so many seconds, and the steps that they took."""
    torch.manual_seed(seed)
    objective = NativeObjective(Native(config), weights).train()
    groups = objective.parameter_groups()
    optimisers = {name: torch.optim.Adam(group, RATE, (0.5, 0.99)) for name, group in groups.items()}
    average = AveragedModel(objective.model, avg_fn=get_ema_avg_fn(0.99))
    step, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
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
    planes = model.planes(with_)
    redrawn = planes.mask * (1 - planes.gate)
    error = (torch.lerp(with_, planes.colour, redrawn) - without).square()[where.expand_as(with_)].mean()
    found = planes.mask > 0.5
    overlap = ((found & where).sum((1, 2, 3)) / (found | where).sum((1, 2, 3)).clamp(min=1)).mean()
    idle = model.planes(without)
    kept = torch.lerp(without, idle.colour, idle.mask * (1 - idle.gate))
    changed = ((kept - without).abs().amax(1) > 4 / 255).float().mean()
    return float(-10 * error.log10()), float(redrawn[where].mean()), float(overlap), float(changed)


def main() -> None:
    """Train and grade each, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--attribute", default="avatars/beard")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=400, help="pictures of each kind to learn from")
    parser.add_argument("--terms", nargs="*", choices=TERMS, help="terms to leave out; all, one after the other")
    options = parser.parse_args()
    torch.set_num_threads(1)
    family, attribute = parse_attribute(options.attribute)
    domains = Domains.drawn(family, attribute, options.side, options.count)
    finder = Segment.from_pretrained(f"{family.name}/{attribute.name}")
    masks = content_masks(finder, domains.with_, WHOLE_FRAME, options.side)
    composites = Composites(domains, masks)
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
    config = NativeConfig(options.side, height=options.side, channels=32, patch=2)
    variants = {"nothing": NativeLossWeights()}
    variants |= {name: replace(NativeLossWeights(), **{name: 0.0}) for name in options.terms or TERMS}
    for name, weights in variants.items():
        model, steps = train(composites, weights, config, options.seconds, options.seed)
        found = graded(model, with_, without, where)
        print("| {} | {} | {:.1f} | {:.0%} | {:.2f} | {:.1%} |".format(name, steps, *found), flush=True)


if __name__ == "__main__":
    main()
