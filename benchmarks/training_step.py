"""Time and memory of a training step. Run by hand: python benchmarks/training_step.py [--config lite] [--steps 20]."""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import torch

from mbu_ops.data.domains import Domains
from mbu_ops.training.config import TrainingConfig, network_config
from mbu_ops.training.loop import Labels, Trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="lite")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    side = network_config("mbu", arguments.config).resolution
    pixels = torch.randint(0, 256, (256, 3, side, side), dtype=torch.uint8)
    settings = TrainingConfig(config=arguments.config, batch_size=arguments.batch_size, coarse_steps=0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(settings, Domains(pixels, pixels), Path(folder), Labels("noise"))
        seconds = []
        for _ in range(arguments.steps + 3):
            started = time.perf_counter()
            trainer._train_step()
            seconds.append(time.perf_counter() - started)
            trainer.step += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{arguments.config} {side} px, batch {arguments.batch_size}, {torch.get_num_threads()} threads: "
        f"median {statistics.median(seconds[3:]):.3f} s a step (of {arguments.steps}), peak memory {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
