"""How many faces the aligner finds and how exactly, on photos whose faces' places are known. Run by hand.

    python benchmarks/alignment.py CELEBA [--count 2031] [--partition validation]

Each aligned CelebA photo is pasted onto a textured background: its frame 60 to 1,200 pixels wide (log-uniform), turned
by up to 30 degrees, anywhere on a canvas of 640 to 1,600 pixels, or what it needs. Found: a frame whose centre lies
within 0.3 frame sides of the true one. Error: how far the mean eye positions of the training frame land from where the
true frame has them, in pixels of the 128-pixel frame, the worse of the two eyes. Looks away: nobody measured the angles
of these heads; they are what the aligner's landmarks say of the untouched photo, by itself and upright.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mbu_ops.data.celeba import FACE_FRAME, PARTITIONS, CelebA
from mbu_ops.evaluation.figures import share
from mbu_ops.frames.frame import Frame
from mbu_ops_faces.aligner import FaceAligner, pretrained

SMALLEST, GREATEST, TURN = 60, 1200, 30
EYES = ((36, 42), (42, 48))
GOOD = 4.0


def background(random: np.random.Generator, side: int) -> Image.Image:
    """Draw smooth coloured blobs of several sizes."""
    canvas = np.zeros((side, side, 3), np.float32)
    for grain, weight in ((4, 0.4), (16, 0.3), (64, 0.2), (256, 0.1)):
        noise = Image.fromarray(random.integers(0, 256, (grain, grain, 3), dtype=np.uint8))
        canvas += weight * np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray(canvas.clip(0, 255).astype(np.uint8))


def photo(path: Path, random: np.random.Generator) -> tuple[NDArray[np.uint8], Frame]:
    """Paste one aligned photo somewhere, and say where its frame is."""
    aligned = Image.open(path).convert("RGB")
    left, top, right, bottom = (a * b for a, b in zip(FACE_FRAME, aligned.size * 2, strict=True))
    frame_side = math.exp(random.uniform(math.log(SMALLEST), math.log(GREATEST)))
    scale, degrees = frame_side / (right - left), random.uniform(-TURN, TURN)
    cosine, sine = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    extent = [abs(cosine) * aligned.width + abs(sine) * aligned.height]
    extent.append(abs(sine) * aligned.width + abs(cosine) * aligned.height)
    least = max(640, math.ceil(max(extent)))
    side = int(random.integers(least, max(1600, least) + 1))
    middle = [random.uniform(length / 2, side - length / 2) for length in extent]
    forward = np.array([[cosine, -sine, middle[0]], [sine, cosine, middle[1]], [0, 0, 1]])
    forward = forward @ np.array([[1, 0, -aligned.width / 2], [0, 1, -aligned.height / 2], [0, 0, 1]])
    # Pillow does not antialias when it transforms: shrink first
    size = [max(1, round(length * min(scale, 1))) for length in aligned.size]
    source = aligned.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    shrunk = np.diag([size[0] / aligned.width, size[1] / aligned.height, 1])
    backward = (shrunk @ np.linalg.inv(forward))[:2].ravel().tolist()
    canvas = background(random, side)
    turned = source.transform((side, side), Image.Transform.AFFINE, backward, Image.Resampling.BICUBIC)
    mask = Image.new("L", source.size, 255).transform((side, side), Image.Transform.AFFINE, backward)
    canvas.paste(turned, (0, 0), mask)
    x, y, _ = forward @ [(left + right) / 2, (top + bottom) / 2, 1]
    return np.asarray(canvas), Frame(float(x), float(y), frame_side, degrees)


def looks_away(aligner: FaceAligner, path: Path) -> float:
    """Return how many degrees the face of an aligned photo looks aside, by its landmarks; nan if none is found."""
    pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB")))
    found = aligner.find(pixels.permute(2, 0, 1)[None].float() / 255)
    return abs(found[0].yaw) if found else math.nan


def error(aligner: FaceAligner, found: Frame, true: Frame) -> float:
    """Return how far the worse eye lands from its place in the 128-pixel frame."""
    worst = 0.0
    for first, last in EYES:
        u, v = aligner.shape[first:last].mean(0).tolist()
        places = []
        for frame in (found, true):
            (left, top), (right, above), _, (beyond, below) = frame.corners
            places.append(
                (left + u * (right - left) + v * (beyond - left), top + u * (above - top) + v * (below - top))
            )
        (x, y), (true_x, true_y) = places
        worst = max(worst, math.hypot(x - true_x, y - true_y) / true.side * 128)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("celeba", type=Path)
    parser.add_argument("--count", type=int, default=2031)
    parser.add_argument("--partition", choices=PARTITIONS, default="validation")
    parser.add_argument("--json", type=Path, help="write every photo's figures here")
    arguments = parser.parse_args()
    celeba, aligner = CelebA.read(arguments.celeba), pretrained()
    wanted = zip(celeba.files, celeba.partition, strict=True)
    files = [file for file, part in wanted if part == PARTITIONS[arguments.partition]][: arguments.count]
    rows, seconds, extra = [], 0.0, 0
    for index, file in enumerate(files):
        pixels, true = photo(celeba.images / file, np.random.default_rng(index))
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        started = time.perf_counter()
        frames = aligner.find(image)
        seconds += time.perf_counter() - started
        right = [one for one in frames if math.hypot(one.x - true.x, one.y - true.y) < 0.3 * true.side]
        extra += len(frames) - len(right[:1])
        off = min((error(aligner, one, true) for one in right), default=math.inf)
        yaw = looks_away(aligner, celeba.images / file)
        rows.append(
            {"file": file, "side": true.side, "angle": true.angle, "yaw": yaw, "canvas": len(pixels), "error": off}
        )
        if (index + 1) % 200 == 0:
            print(f"{index + 1} photos ...", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows))
    groups = [("all", rows)]
    for low, high in ((60, 90), (90, 200), (200, 500), (500, 1201)):
        groups.append((f"frame {low}-{high - 1} px", [row for row in rows if low <= row["side"] < high]))
    for low, high in ((0, 10), (10, 20), (20, 30)):
        groups.append((f"turned {low}-{high} degrees", [row for row in rows if low <= abs(row["angle"]) < high]))
    for low, high in ((0, 15), (15, 30), (30, 45), (45, 91)):
        name = f"looks {low}-{high} degrees away" if high < 91 else f"looks more than {low} degrees away"
        groups.append((name, [row for row in rows if low <= row["yaw"] < high]))
    groups.append(("how far it looks away is not known", [row for row in rows if math.isnan(row["yaw"])]))
    print("| photos | found | eyes within 4 px | median error |\n|---|---|---|---|")
    for name, group in groups:
        if not group:
            continue
        errors = torch.tensor([row["error"] for row in group])
        found, good = (share("", "", said).short() for said in (errors.isfinite(), errors < GOOD))
        print(f"| {name} | {found} | {good} | {errors[errors.isfinite()].median():.2f} px |")
    print(f"frames where there is no face: {extra}; {seconds / len(files):.2f} s a photo")


if __name__ == "__main__":
    main()
