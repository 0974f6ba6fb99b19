"""A run that saves its state after every step; started, killed and resumed by test_kills.py."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from mbu_ops.data.domains import Domains
from mbu_ops.methods import mbu
from mbu_ops.training.config import TrainingConfig
from mbu_ops.training.folder import STATE
from mbu_ops.training.loop import Provenance, Trainer


def main(out: Path, steps: int) -> None:
    """Begin a run, or go on with one."""
    torch.set_num_threads(2)
    mbu.CONFIGS["tiny"] = mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2)
    noise = torch.Generator().manual_seed(0)
    without = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8, generator=noise)
    with_ = without[:10].clone()
    with_[:, :, 4:8, 4:12] = 255
    settings = TrainingConfig(
        config="tiny", steps=steps, coarse_steps=10, batch_size=4, save_every=1, sample_every=1000, log_every=1
    )
    run = Trainer(settings, Domains(without=without, with_=with_, source="noise"), out, Provenance(("square",)))
    if (out / STATE).exists():
        run.resume()
    run.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
