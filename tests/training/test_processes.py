"""Training shared by two processes on the CPU (gloo): what one process learns from the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mbu_ops.training.state import read_state

from . import two_processes

SCRIPT = Path(two_processes.__file__)


def launch(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run the script in several processes, as torchrun does."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--rdzv-backend=c10d"]
    command += ["--rdzv-endpoint=127.0.0.1:0", "-m", "tests.training.two_processes", *arguments]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    root = SCRIPT.parents[2]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=root, timeout=300)


def losses(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    assert two_processes.trainer(alone).run()
    together = tmp_path / "together"
    assert (begun := launch(str(together), "4", "3")).returncode == 0, begun.stderr
    assert (done := launch(str(together), "4", "6", "--resume")).returncode == 0, done.stderr
    one, two = losses(alone), losses(together)
    assert [line["step"] for line in two] == list(range(1, 7))
    for left, right in zip(one, two, strict=True):
        assert right == pytest.approx(left, rel=2e-3, abs=1e-5)
    ours, theirs = read_state(alone / "state.safetensors")[0], read_state(together / "state.safetensors")[0]
    learnt = [name for name, value in ours.items() if name.startswith("objective/model") and value.is_floating_point()]
    assert learnt
    for name in learnt:
        torch.testing.assert_close(theirs[name], ours[name], rtol=0, atol=2e-3)


@pytest.mark.slow
def test_batches_that_cannot_be_shared_are_refused_before_anything_is_learnt(tmp_path: Path) -> None:
    done = launch(str(tmp_path / "odd"), "3", "3")
    assert done.returncode != 0
    assert "expected a batch_size that 2 processes share evenly, got 3" in done.stderr
    assert not (tmp_path / "odd" / "log.jsonl").exists()
