"""A run that any number of processes share; started by test_processes.py with torch's own launcher."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from mbu_ops.data.composites import Composites
from mbu_ops.data.domains import Domains
from mbu_ops.methods import native
from mbu_ops.objectives.options import DistanceOptions
from mbu_ops.training.config import TrainingConfig
from mbu_ops.training.loop import Provenance, Trainer


def trainer(out: Path, batch_size: int = 4, steps: int = 6) -> Trainer:
    """Return a small run with a discriminator, whose losses are means over pictures."""
    native.CONFIGS["tiny"] = native.NativeConfig(resolution=32, height=16, channels=8, patch=2)
    torch.manual_seed(0)
    shades = (torch.rand(40, 3, 1, 1) * 155 + 100).byte().expand(40, 3, 16, 32).clone()
    masks = torch.zeros(20, 1, 16, 32, dtype=torch.uint8)
    masks[..., 6:10, 8:24] = 255
    shades[20:] *= masks == 0
    # the classifier draws by chance for each process, and the area is no mean
    options = DistanceOptions(loss_weights=(("classifier", 0.0), ("area", 0.0)))
    config = TrainingConfig(
        method="native",
        config="tiny",
        steps=steps,
        coarse_steps=0,
        batch_size=batch_size,
        save_every=3,
        log_every=1,
        options=options,
    )
    pictures = Composites(Domains(without=shades[:20], with_=shades[20:], source="shades"), masks)
    return Trainer(config, pictures, out, Provenance(("bar",)))


if __name__ == "__main__":
    run = trainer(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    if sys.argv[4:] == ["--resume"]:
        run.resume()
    run.run()
