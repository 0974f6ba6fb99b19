"""Time of a transfer against the published networks written plainly (plain.py), with the same weights.

python benchmarks/transfer.py [--quick]
"""

from __future__ import annotations

import argparse

import torch
from plain import plain_copy
from timing import DEVICE, machine, medians
from torch import nn

import mbu_ops
from mbu_ops.methods.mbu import MBU


@torch.no_grad()
def networks(config: str) -> MBU:
    """Return random networks whose batch norms have something to do."""
    torch.manual_seed(0)
    model = MBU(config).eval()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.weight.uniform_(0.5, 1.5)
            norm.running_var.uniform_(0.3, 2)
            for centre in (norm.bias, norm.running_mean):
                centre.normal_(0, 0.3)
    return model


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few repeats only")
    repeats = {1: 10, 8: 5, 32: 3} if parser.parse_args().quick else {1: 101, 8: 41, 32: 15}
    models = {config: networks(config).to(DEVICE) for config in ("paper", "lite")}
    plains = {config: plain_copy(model).eval() for config, model in models.items()}
    look = mbu_ops.ops.Look(threshold=0, softness=1)  # the blend of the paper
    ops = {config: mbu_ops.Transfer(model.for_inference(), look) for config, model in models.items()}
    guide = torch.rand(1, 3, 128, 128, device=DEVICE)
    bound = {config: op.bind(code=op.encode(guide)) for config, op in ops.items()}
    print(f"Transfer of one guide onto images of 128 px; {machine()}\n")
    print("| batch | config | plain, ms | a guide each, ms | ours, ms | ratio | ratio, a guide each | to plain paper |")
    print("|--:|---|--:|--:|--:|--:|--:|--:|")
    differences = []
    for batch, count in repeats.items():
        image = torch.rand(batch, 3, 128, 128, device=DEVICE)
        guides = guide.expand(batch, -1, -1, -1).contiguous()
        calls = {}
        for config, plain in plains.items():
            calls |= {
                (config, "plain"): lambda plain=plain, image=image: plain.transfer(image, guide),
                (config, "each"): lambda plain=plain, image=image, guides=guides: plain.transfer(image, guides),
                (config, "ours"): lambda config=config, image=image: bound[config](image),
            }
            differences.append((plain.transfer(image, guide) - bound[config](image)).abs().max())
        found = medians(calls, count)
        for config in plains:
            plain, each, ours = (found[config, which] for which in ("plain", "each", "ours"))
            print(
                f"| {batch} | `{config}` | {plain:.1f} | {each:.1f} | {ours:.1f} | {plain / ours:.2f} "
                f"| {each / ours:.2f} | {found['paper', 'plain'] / ours:.2f} |"
            )
    print(f"\nLargest difference between outputs: {float(torch.stack(differences).max()):.1e}; medians of ", end="")
    print(", ".join(f"{count} (batch {batch})" for batch, count in repeats.items()), "interleaved repeats")


if __name__ == "__main__":
    main()
