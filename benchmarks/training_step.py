"""Time of a training step against the published step written plainly (plain.py): same weights, batch and losses.

python benchmarks/training_step.py [--config paper] [--batch-size 32] [--steps 5]

Ours is the whole step of the training loop, which also draws the batch and keeps the average of the weights.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from plain import Discriminator, PlainTraining, plain_copy
from timing import DEVICE, machine, medians
from torch import Tensor

from mbu_ops.data.domains import Domains
from mbu_ops.objectives.mbu import MBUOptions
from mbu_ops.training.config import TrainingConfig, network_config
from mbu_ops.training.loop import Provenance, Trainer


def compare(config: str, batch: int, steps: int, folder: Path) -> None:
    side = network_config("mbu", config).resolution
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (64, 3, side, side), dtype=torch.uint8, generator=random)
    options = MBUOptions(recipe="glasses", guide_variation=0)
    settings = TrainingConfig(config=config, options=options, batch_size=batch, learning_rate=2e-4, coarse_steps=0)
    trainer = Trainer(settings, Domains(pixels[:32], pixels[32:]), folder, Provenance(("noise",)))
    model = trainer.objective.model
    discriminator = Discriminator(model.config.common_channels * model.config.code_side**2)
    discriminator.load_state_dict(trainer.objective.discriminator.state_dict())
    plain = PlainTraining(plain_copy(model).to(DEVICE), discriminator.to(DEVICE))
    drawn = [images.to(DEVICE) for images in trainer.pictures.batch(batch, settings.seed, 0)]

    def ours() -> dict[str, Tensor]:
        values = trainer.train_step(trainer.pictures.batch(batch, settings.seed, trainer.step))
        trainer.step += 1
        return values

    # the first step of both is on the same weights and images
    expected, found = plain.step(*drawn), ours()
    total, own = sum(expected.values()), sum(found[name] for name in expected)
    largest = max(float((found[name] - value).abs()) for name, value in expected.items())
    times = medians({"plain": lambda: plain.step(*drawn), "ours": ours}, steps)
    print(
        f"| {batch} | `{config}` | {times['plain']:.0f} | {times['ours']:.0f} | {times['plain'] / times['ours']:.2f} "
        f"| {total:.6f} | {own:.6f} | {largest:.1e} |",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", nargs="+", default=["paper", "lite"])
    parser.add_argument("--batch-size", nargs="+", type=int, default=[2, 8, 32])
    parser.add_argument("--steps", type=int, default=5, help="how many of each to time")
    options = parser.parse_args(arguments)
    print(f"Training step at 128 px; {machine()}; medians of {options.steps} interleaved steps\n")
    print("| batch | config | plain, ms | ours, ms | ratio | plain loss | our loss | largest difference of a term |")
    print("|--:|---|--:|--:|--:|--:|--:|--:|")
    for batch in options.batch_size:
        for config in options.config:
            with tempfile.TemporaryDirectory() as folder:
                compare(config, batch, options.steps, Path(folder))


if __name__ == "__main__":
    main()
