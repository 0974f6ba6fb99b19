"""Training that is killed twenty times ends with the bytes of a run that nobody disturbed.

``.venv/bin/pytest -m slow tests/training/test_kills.py`` takes a few minutes.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mbu_ops.training.folder import LOG, STATE, WEIGHTS
from mbu_ops.training.state import read_facts

KILLS, STEPS = 20, 80


def started(out: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("killed_run.py")
    # threads that do not spin while they wait, so that a machine that is busy with other work is not much slower
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen([sys.executable, str(script), str(out), str(STEPS)], env=environment)


def step_of(out: Path) -> int:
    return int(read_facts(out / STATE)["step"]) if (out / STATE).exists() else 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_twenty_kills_change_no_byte(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert started(whole).wait(600) == 0
    moments = random.Random(0)
    for _ in range(KILLS):
        before, process = step_of(parts), started(parts)
        while step_of(parts) < before + 1:
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.05))  # in a step, a state, a line of the log
        process.kill()
        assert process.wait() == -9
    assert KILLS <= step_of(parts) < STEPS
    assert started(parts).wait(600) == 0
    for name in (STATE, WEIGHTS):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name
    assert len((parts / LOG).read_text().splitlines()) == STEPS
    assert not [path.name for path in parts.iterdir() if path.name.startswith(".")]
