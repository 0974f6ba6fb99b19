"""Say how often a judge is convinced: a with/without classifier, trained here, looks at validation faces after edits.

    python tools/measure_edits.py --data CELEBA --attribute glasses --judge judge-glasses.safetensors

With --record, the two main shares go into the family's weights manifest, where `mbu-ops families show` finds them.
The judge is a small convolutional network trained on the train partition (softened, shifted and recoloured copies, so
that neither softness nor colour passes for a sign); it is saved under --judge and used again when it is there. The
faces are the first ones of a seeded shuffle of the validation partition, none of whose people is in training. Prints
one line per figure: share with a 95% Wilson interval, and how many faces it was counted on.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.data.domains import Domains
from mbu_ops.families.registry import parse_attribute
from mbu_ops.files import atomic_path
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer

ROOT = Path(__file__).resolve().parent.parent


def judge_network() -> nn.Sequential:
    """Return an untrained with/without classifier of 128 px faces; positive logits = with."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (24, 48, 96, 128, 128):
        layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * 16, 1))


def varied(images: Tensor) -> Tensor:
    """Return the images turned, moved, scaled, softened and recoloured a little, each in its own way."""
    count = len(images)
    scale, angle = 1 + 0.1 * torch.randn(count).clamp(-2, 2), 0.1 * torch.randn(count)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = mirror * scale * angle.cos(), -angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = mirror * angle.sin(), scale * angle.cos()
    matrix[:, :, 2] = 0.05 * torch.randn(count, 2)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    soft = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    images = torch.where((torch.rand(count) < 0.4)[:, None, None, None], soft, images)
    contrast, tint = 1 + 0.2 * torch.randn(count, 1, 1, 1), 0.08 * torch.randn(count, 3, 1, 1)
    return (images * contrast + tint).clamp(0, 1)


def train_judge(domains: Domains, steps: int, seed: int) -> nn.Sequential:
    """Train a judge on batches of 32 with and 32 without."""
    torch.manual_seed(seed)
    judge = judge_network()
    optimiser = torch.optim.AdamW(judge.parameters(), 1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    truth = torch.cat([torch.zeros(32), torch.ones(32)])
    for step in range(steps):
        images = varied(torch.cat(domains.batch(32, seed, step)))
        loss = F.binary_cross_entropy_with_logits(judge(images * 2 - 1).squeeze(1), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            print(f"judge step {step}: loss {loss.item():.3f}", flush=True)
    return judge


def share(name: str, said: Tensor, reach: float | None = None) -> float:
    """Print a share with its 95% Wilson score interval, and return it."""
    count, part, z = len(said), float(said.float().mean()), 1.96
    middle = (part + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(part * (1 - part) / count + z * z / (4 * count * count))
    aim = "" if reach is None else f"  reach {reach:.0%}"
    print(f"{name:<44} {part:6.1%}  [{middle - half:.1%}, {middle + half:.1%}]  n={count}{aim}")
    return part


def record(family: str, attribute: str, figures: dict[str, float]) -> None:
    """Write figures of the shipped weights of an attribute into the family's manifest."""
    manifest = ROOT / "plugins" / f"mbu_ops_{family}" / "weights.json"
    listed = json.loads(manifest.read_text(encoding="utf-8"))
    first = next(entry for entry in listed if attribute in entry["attributes"])
    first["metrics"] = {name: round(value, 3) for name, value in figures.items()}
    with atomic_path(manifest) as temporary:
        temporary.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def floating(pixels: Tensor, seed: int, count: int) -> Tensor:
    """Return ``count`` images of a seeded shuffle, as floats in [0, 1]."""
    order = np.random.default_rng(seed).permutation(len(pixels))[:count]
    return pixels[torch.from_numpy(order)].float() / 255


def main() -> None:
    """Train or read the judge, and let it look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder in CelebA's layout")
    parser.add_argument("--attribute", required=True)
    parser.add_argument("--weights", help="weights to measure; the shipped ones when not given")
    parser.add_argument("--judge", type=Path, required=True, help="where the judge is kept")
    parser.add_argument("--judge-steps", type=int, default=1200)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="write the shares into the family's weights manifest")
    arguments = parser.parse_args()
    if arguments.record and arguments.weights:
        parser.error("--record is for the shipped weights: leave --weights out")

    family, attribute = parse_attribute(arguments.attribute)
    if not arguments.judge.exists():
        judge = train_judge(Domains.from_celeba([arguments.data], attribute, 128), arguments.judge_steps, seed=0)
        save_file(judge.state_dict(), arguments.judge)
    judge = judge_network().eval()
    judge.load_state_dict(load_file(arguments.judge))
    validation = Domains.from_celeba([arguments.data], attribute, 128, "validation")
    with_ = floating(validation.with_, arguments.seed, arguments.count)
    without = floating(validation.without, arguments.seed, arguments.count)
    name = arguments.weights or f"{family.name}/{attribute.name}"

    def says_with(images: Tensor) -> Tensor:
        return torch.cat([judge(chunk * 2 - 1).squeeze(1) > 0 for chunk in images.split(64)])

    with torch.no_grad():
        every_with, every_without = (pixels.float() / 255 for pixels in (validation.with_, validation.without))
        share("judge says with, real with", says_with(every_with))
        share("judge says without, real without", ~says_with(every_without))
        transfer, remove = Transfer.from_pretrained(name), Remove.from_pretrained(name)
        guides = with_[torch.from_numpy(np.random.default_rng(arguments.seed).integers(len(with_), size=len(without)))]
        added, removed = transfer.edit(without, guides), remove.edit(with_)
        aim = 0.92 if attribute.name == "glasses" else 0.85
        figures = {
            "add": share("says with, after add (random guide)", says_with(added.image), aim),
            "remove": share("says without, after remove", ~says_with(removed.image), aim),
        }
        if arguments.record:
            record(family.name, attribute.name, figures)
        if transfer.default_guides is not None:
            for index in range(len(transfer.default_guides)):
                code = transfer.default_guides[index : index + 1]
                share(
                    f"says with, after add (default guide {index})", says_with(transfer.edit_code(without, code).image)
                )
        for what, edit, before in (("add", added, without), ("remove", removed, with_)):
            outside = (edit.mask == 0).expand_as(before)
            error = (edit.image - before)[outside].square().mean()
            psnr = math.inf if error == 0 else -10 * math.log10(float(error))
            print(
                f"{what}: mean mask {edit.mask.mean():.3f}, pixels outside the mask {outside.float().mean():.1%}, "
                f"PSNR there {psnr} dB"
            )


if __name__ == "__main__":
    main()
