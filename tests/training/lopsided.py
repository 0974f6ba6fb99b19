"""One step with parameters that took part in some processes only; started by test_processes.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import nn

from mbu_ops.training.backend import Backend


def main(folder: Path) -> None:
    backend = Backend()
    learnt = {name: nn.Parameter(torch.zeros(())) for name in ("both", "first", "second", "neither")}
    backend.take({"networks": torch.optim.SGD(learnt.values(), 1.0)})
    loss = learnt["both"] + learnt[("first", "second")[backend.index]]
    backend.update("networks", loss, learnt.values(), rate=1.0, clip=10.0)
    found = {name: float(one) for name, one in learnt.items()} | {"idle": learnt["neither"].grad is None}
    (folder / f"{backend.index}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
