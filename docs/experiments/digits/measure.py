"""Measure how often a translated digit still reads as what it was, and draw sheets of translations.

    python measure.py --digits digits --out report street-mnist=runs/street-mnist without-zero=runs/without-zero

For each domain a small classifier learns from the labelled training pictures of that domain alone (kept in --out for
the next time). It reads the other domain's test pictures after ``mbu_ops.Translate`` brought them over, each with a
random test picture of the target domain as guide, and should say the source's label; the measure of DIDD's paper.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops import Translate
from mbu_ops.evaluation.figures import Figure, share
from mbu_ops.functional.grid import grid
from mbu_ops.ops import Look
from mbu_ops.weights import read_info

SIDE = 32
LIMIT = 1000
COLUMNS, ENLARGED = 20, 2


class Digits(NamedTuple):
    """Pictures ``(N, 3, 32, 32)`` in [0, 1] and their labels ``(N,)``."""

    pictures: Tensor
    labels: Tensor

    def some(self, chosen: Tensor) -> Digits:
        """Return those of these numbers."""
        return Digits(self.pictures[chosen], self.labels[chosen])


def read(folder: Path, limit: int | None = None, seed: int = 0) -> Digits:
    """Read what ``prepare.py`` wrote; ``limit`` of them by chance."""
    files = sorted(folder.glob("*.png"))
    files = [files[index] for index in np.random.default_rng(seed).permutation(len(files))[:limit]]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    labels = torch.tensor([int(file.name.split("_")[0]) for file in files])
    return Digits(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, labels)


# -- classifiers ------------------------------------------------------------------------------------------------------


def classifier() -> nn.Sequential:
    """Return the layers that read a digit: ``(B, 3, 32, 32)`` in [0, 1] to logits ``(B, 10)``."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (32, 64, 128):
        layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * (SIDE // 8) ** 2, 10))


def trained(digits: Digits, steps: int, seed: int = 0) -> nn.Sequential:
    """Return a classifier that has learnt from some digits, moved, turned, scaled and softened a little."""
    torch.manual_seed(seed)
    model = classifier()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, steps)
    for _ in range(steps):
        batch = digits.some(torch.randint(len(digits.labels), (64,)))
        loss = F.cross_entropy(model(_varied(batch.pictures)), batch.labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def _varied(pictures: Tensor) -> Tensor:
    """Return pictures moved by some 2 pixels, turned by some 6 degrees, scaled by some 8%, every third softened."""
    count = len(pictures)
    scale, angle = 1 + 0.08 * torch.randn(count), 0.1 * torch.randn(count)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * angle.cos()
    matrix[:, 1, 0] = scale * angle.sin()
    matrix[:, 0, 1] = -matrix[:, 1, 0]
    matrix[:, :, 2] = 0.12 * torch.randn(count, 2)
    where = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(pictures, where, padding_mode="border", align_corners=False)
    soft = F.avg_pool2d(F.pad(pictures, [1] * 4, mode="replicate"), 3, 1)
    return torch.where((torch.rand(count) < 1 / 3)[:, None, None, None], soft, pictures)


def reader(digits: Path, name: str, out: Path, steps: int) -> nn.Sequential:
    """Return the classifier of a domain: the one in ``out``, or a new one, which is put there."""
    path = out / f"{name}.safetensors"
    if not path.is_file():
        save_file(trained(read(digits / "train" / name), steps).state_dict(), path)
    model = classifier()
    model.load_state_dict(load_file(path))
    return model.eval()


@torch.no_grad()
def says(model: nn.Module, pictures: Tensor) -> Tensor:
    """Return the digit that a classifier reads in each picture, ``(N,)``."""
    return torch.cat([model(chunk).argmax(1) for chunk in pictures.split(256)])


# -- translations -----------------------------------------------------------------------------------------------------


@torch.no_grad()
def translated(run: Path, target: str, pictures: Tensor, guides: Tensor) -> Tensor:
    """Return pictures as a run's network draws them in a domain, each with a guide of its own.

    The drawing itself, ``raw``: the blend under a mask is for photos, of which all but the content should stay. Of a
    digit in other colours nothing should, and where the blend left something it would be the source's own pixels.
    """
    op = Translate.from_pretrained(run, content=target)
    op.look = Look(detail=0.0).over(op.look)  # none of the fine detail of the source
    pairs = zip(pictures.split(256), guides.split(256), strict=True)
    return torch.cat([op.edit(*pair).raw for pair in pairs])


class Way(NamedTuple):
    """What was measured in one direction."""

    names: str
    kept: Figure
    guide: Figure | None = None
    rows: tuple[Tensor, ...] = ()


def measured(run: Path, sets: dict[str, Digits], readers: dict[str, nn.Module], seed: int) -> Iterator[Way]:
    """Translate both domains' pictures by a run's weights and have them read."""
    contents = domains_of(run)
    for source, target in (contents, contents[::-1]):
        shown, wanted = sets[source], sets[target]
        random = np.random.default_rng(seed)
        guides = wanted.some(torch.from_numpy(random.integers(len(wanted.labels), size=len(shown.labels))))
        result = translated(run, target, shown.pictures, guides.pictures)
        said = says(readers[target], result)
        differ = guides.labels != shown.labels
        yield Way(
            f"{source} to {target}",
            share("kept", "label kept", said == shown.labels),
            # what the separate code, which should say how a digit looks, says of which digit it is
            share("guide", "guide's label instead", (said == guides.labels)[differ]),
            tuple(images[:COLUMNS] for images in (shown.pictures, guides.pictures, result)),
        )


def untouched(contents: tuple[str, ...], sets: dict[str, Digits], readers: dict[str, nn.Module]) -> Iterator[Way]:
    """Have each domain's pictures read by the other's classifier as they are."""
    for source, target in (contents, contents[::-1]):
        said = says(readers[target], sets[source].pictures)
        yield Way(f"{source} to {target}", share("kept", "label kept", said == sets[source].labels))


def domains_of(run: Path) -> tuple[str, ...]:
    """Return the names of a run's two domains: of the folders that it learnt from."""
    return read_info(run / "weights.safetensors").attributes


def table(rows: list[tuple[str, Way]]) -> str:
    """Return a table in Markdown, a line for each way of each run."""
    lines = ["| what | way | label kept | the guide's label instead |", "|---|---|---|---|"]
    for name, way in rows:
        lines.append(f"| {name} | {way.names} | {way.kept.short()} | {way.guide.short() if way.guide else ''} |")
    return "\n".join(lines)


def sheet(ways: list[Way], path: Path) -> None:
    """Draw a run's first translations: the pictures, their guides and what became of them, both ways."""
    drawn = grid([row for way in ways for row in way.rows])
    pixels = (drawn * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    size = (pixels.shape[1] * ENLARGED, pixels.shape[0] * ENLARGED)
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).quantize(256).save(path, optimize=True)


def main(arguments: list[str] | None = None) -> None:
    """Write ``table.md`` and a sheet for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN", help="--out folders of mbu-ops train, with names")
    parser.add_argument("--digits", type=Path, required=True, help="what prepare.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table, the sheets and the classifiers")
    parser.add_argument("--part", choices=("test", "train"), default="test", help="train: to choose settings by")
    parser.add_argument("--classifier-steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the guides")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    runs = {name: Path(run) for name, _, run in (text.partition("=") for text in options.runs)}
    pairs = dict.fromkeys(domains_of(run) for run in runs.values())
    names = dict.fromkeys(name for pair in pairs for name in pair)
    sets = {name: read(options.digits / options.part / name, LIMIT) for name in names}
    readers = {name: reader(options.digits, name, options.out, options.classifier_steps) for name in names}
    rows = [
        (f"classifier of {name}", Way(name, share("own", "own", says(readers[name], one.pictures) == one.labels)))
        for name, one in sets.items()
    ]
    rows += [("untouched", way) for pair in pairs for way in untouched(pair, sets, readers)]
    for name, run in runs.items():
        ways = list(measured(run, sets, readers, options.seed))
        sheet(ways, options.out / f"{name}.png")
        rows += [(name, way) for way in ways]
    text = table(rows)
    (options.out / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
