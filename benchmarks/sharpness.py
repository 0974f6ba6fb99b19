"""Ways to bring a 128-pixel edit to a larger photo, measured on photos of faces. Run by hand.

    python benchmarks/sharpness.py PHOTOS JUDGE [--step remove:smile,method=mbu] [--count 200] [--sheet sheet.png]

PHOTOS is a folder of photos with one face each, 200 pixels wide or more. For every way: how often the judge (from
``mbu-ops train-judge``), at 128 pixels, takes the result for one with (add) or without (remove) the content, with
its 95% interval; the sharpness inside the edit (mean gradient of the luminance there, against the photo's own there
before the edit); and the kernel distance x 1000 (KID-Lite) of the results from the photos that the judge takes for
what they should now be. Only photos that the judge takes for the opposite are edited.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from kornia.filters import guided_blur, spatial_gradient
from torch import Tensor, nn

import mbu_ops
from mbu_ops.evaluation.distances import described, kernel_distance
from mbu_ops.evaluation.figures import share
from mbu_ops.evaluation.judge import Judge
from mbu_ops.evaluation.networks.image_features import pretrained
from mbu_ops.frames.frame import Frame
from mbu_ops.frames.framed import Framed
from mbu_ops.functional.blend import blend
from mbu_ops.functional.similarity import extract, square
from mbu_ops.images import READABLE_SUFFIXES, encode, read, write_bytes
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.edit import Edit

SIDE = 256


class GuidedMask(nn.Module):
    """Draw the mask to the edges of the picture: a guided filter (He et al., ECCV 2010) with the picture as guide."""

    def __init__(self, op: Chain) -> None:
        super().__init__()
        self.op = op

    def edit(self, image: Tensor) -> Edit:
        """Return the op's edit with its mask filtered."""
        edit: Edit = self.op.edit(image)
        near = nn.functional.max_pool2d(edit.mask, 9, 1, 4)
        mask = guided_blur(image.mean(1, keepdim=True), edit.mask, 9, 1e-3).clamp(0, 1) * (near > 0)
        return Edit(blend(image, edit.raw, mask), mask, edit.raw)


def ways(step: str) -> dict[str, tuple[nn.Module, int]]:
    """Return the ways by name: an op and the number of views."""
    soft, own = mbu_ops.chain(f"{step},detail=0"), mbu_ops.chain(step)
    return {
        "enlarged": (soft, 1),
        "guided mask": (GuidedMask(soft), 1),
        "photo's detail": (own, 1),
        "enlarged, 4 views": (soft, 4),
        "photo's detail, 4 views": (own, 4),
        "photo's detail, 6 views": (own, 6),
    }


def upright(photo: Tensor, frame: Frame, side: int) -> Tensor:
    """Cut a frame out."""
    return extract(photo, square(frame.x, frame.y, frame.side, frame.angle / 180 * torch.pi), side)


def sharpness(image: Tensor, region: Tensor) -> Tensor:
    """Return the mean gradient of the luminance inside a region."""
    gradient = spatial_gradient(image.mean(1, keepdim=True)).square().sum(2).sqrt()
    return (gradient * region).sum() / region.sum().clamp_min(1)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("judge", type=Path)
    parser.add_argument("--step", default="remove:smile,method=mbu")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--sheet", type=Path, help="write the first eight photos and all results here")
    arguments = parser.parse_args()
    judge, aligner, features = Judge.load(arguments.judge), mbu_ops.aligner("faces"), pretrained()
    removes = arguments.step.startswith("remove")
    files = sorted(path for path in arguments.photos.iterdir() if path.suffix.lower() in READABLE_SUFFIXES)
    before: list[tuple[Tensor, Frame]] = []
    goal: list[Tensor] = []
    for file in files:
        photo = read(file).to_tensor()[None]
        frames = aligner.find(photo)
        if len(frames) != 1 or not isinstance(frame := frames[0], Frame):
            continue
        if bool(judge.says_with(upright(photo, frame, 128))) != removes:
            goal.append(upright(photo, frame, SIDE))
        elif len(before) < arguments.count:
            before.append((photo, frame))
        if len(before) == arguments.count and len(goal) >= arguments.count:
            break
    print(f"{arguments.step}: {len(before)} photos, KID-Lite against {len(goal)}")
    print("| way | judge is convinced | sharpness in the edit | KID-Lite x 1000 |\n|---|---|---|---|")
    real = described(features, torch.cat(goal))
    rows = [[upright(photo, frame, SIDE) for photo, frame in before[:8]]]
    regions: list[Tensor] = []
    for name, (op, views) in ways(arguments.step).items():
        results, sharp, convinced = [], [], []
        for number, (photo, frame) in enumerate(before):
            edit = Framed(op, aligner, views=views).edit(photo, [[frame]])
            if len(regions) <= number:  # the first way's, for all: what sharpens must not choose where it is measured
                regions.append(edit.mask > 0.5)
            sharp.append(sharpness(edit.image, regions[number]) / sharpness(photo, regions[number]).clamp_min(1e-6))
            results.append(upright(edit.image, frame, SIDE))
            convinced.append(judge.says_with(upright(edit.image, frame, 128)) != removes)
        rows.append(results[:8])
        there = [value for value, region in zip(sharp, regions, strict=True) if region.any()]
        distance = kernel_distance("", "", real, described(features, torch.cat(results)))
        print(
            f"| {name} | {share('', '', torch.cat(convinced)).short()} | {torch.stack(there).mean():.3f} "
            f"| {distance.short()} |",
            flush=True,
        )
    if arguments.sheet:
        sheet = torch.cat([torch.cat(row, -1) for row in rows], -2)[0]
        write_bytes(arguments.sheet, encode(sheet, format="PNG"), overwrite=True)


if __name__ == "__main__":
    main()
