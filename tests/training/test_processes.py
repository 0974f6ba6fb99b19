"""Training shared by two processes on the CPU (gloo): what one process learns from the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mbu_ops.training.state import read_state

from . import lopsided, two_processes


def launch(script: ModuleType, *arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a script in several processes, as torchrun does; nothing of it asks the network who this machine is."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    command += ["--local-addr=127.0.0.1", "-m", script.__name__, *arguments]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=root, timeout=300)


def losses(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    assert two_processes.trainer(alone).run()
    together = tmp_path / "together"
    assert (begun := launch(two_processes, str(together), "4", "3")).returncode == 0, begun.stderr
    assert (done := launch(two_processes, str(together), "4", "6", "--resume")).returncode == 0, done.stderr
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
    done = launch(two_processes, str(tmp_path / "odd"), "3", "3")
    assert done.returncode != 0
    assert "expected a batch_size that 2 processes share evenly, got 3" in done.stderr
    assert not (tmp_path / "odd" / "log.jsonl").exists()


@pytest.mark.slow
def test_what_one_process_leaves_out_counts_as_nothing_there(tmp_path: Path) -> None:
    assert (done := launch(lopsided, str(tmp_path))).returncode == 0, done.stderr
    both = [json.loads((tmp_path / f"{index}.json").read_text()) for index in range(2)]
    assert both[0] == both[1]  # they still are the same networks
    # by the mean of the gradients, 1 in each process, 1 in the first alone, 1 in the second alone, and none
    assert both[0] == {"both": -1.0, "first": -0.5, "second": -0.5, "neither": 0.0, "idle": True}
