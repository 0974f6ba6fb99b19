"""Ctrl-C in the middle of a run: exit code 130, whole files only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..pictures import draw
from .conftest import pixels_of


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_leaves_whole_files_only(hats: str, tmp_path: Path) -> None:
    first = draw(tmp_path / "in" / "0.png", (200, 200))
    for index in range(1, 3000):
        os.link(first, tmp_path / "in" / f"{index}.png")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mbu_ops_cli", "chain", f"remove:{hats}", "--save-mask"]
    process = subprocess.Popen(
        [*command, "-i", str(tmp_path / "in"), "-o", str(out)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # a test run in the background ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    give_up = time.monotonic() + 60
    while process.poll() is None and len(list(out.glob("*.png"))) < 20 and time.monotonic() < give_up:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.decode().strip().endswith("mbu-ops: interrupted; files already written are whole")
    written = list(out.iterdir())
    assert 20 <= len(written) < 6000
    assert not [path.name for path in written if path.name.startswith(".")]
    for path in written:
        assert pixels_of(path).shape[:2] == (200, 200)
