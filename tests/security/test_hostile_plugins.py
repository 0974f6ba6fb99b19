"""Plugins run with the user's rights once installed; these try to take more than their own place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from mbu_ops.families.containment import contained

HOSTILE = {
    "exits": "raise SystemExit(0)",
    "is cancelled": "import asyncio; raise asyncio.CancelledError",
    "has an error that cannot be shown": (
        "class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad"
    ),
    "has an error that exits as it is shown": (
        "class Bad(Exception):\n    def __str__(self): raise SystemExit(0)\nraise Bad"
    ),
    "says that it was interrupted": "raise KeyboardInterrupt",
    "takes print away": "import builtins\nbuiltins.print = None\nraise ValueError",
    "takes the streams away": "import sys\nsys.stdout = sys.stderr = None\nraise ValueError",
    "moves to another folder": "import os\nos.chdir('/')\nraise ValueError",
    "writes to stdout": "print('{\"families\": []}'); raise ValueError('\\x1b]0;title\\x07\\r\\nmbu-ops: all is well')",
    "recurses": "def f(): f()\nf()",
    "is a huge error": "raise ValueError('x' * 10**7)",
    "poses as a family": "class family:\n    name = 'evil'\n    attributes = weights = samples = ()",
    "names files outside its package": (
        "from mbu_ops.families import *\n"
        "family = FamilySpec('evil', samples=(SampleSpec('a', '../../../../etc/passwd', 'json', 'x'),))"
    ),
    "skips the checks": "from mbu_ops.families import FamilySpec\nfamily = FamilySpec.__new__(FamilySpec)",
    "is a family of another class": (
        "from mbu_ops.families import FamilySpec\n"
        "class Evil(FamilySpec):\n    def __getattribute__(self, name): raise SystemExit\n"
        "family = FamilySpec.__new__(Evil)"
    ),
}

ENTRY = "[mbu_ops.families]\nevil = evil_plugin:family\n"

LIST = """
import json, os, sys
from mbu_ops.families import broken, families
here = os.getcwd()
families()
assert os.getcwd() == here
print(json.dumps([[f.name for f in families()], [str(b) for b in broken()]]))
"""


def install_evil(folder: Path, entries: str | bytes, code: str) -> dict[str, str]:
    """Write a distribution named evil, and return the environment in which it is installed."""
    info = folder / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(entries.encode() if isinstance(entries, str) else entries)
    (folder / "evil_plugin.py").write_text(code)
    path = os.pathsep.join([str(folder), *sys.path])
    return os.environ | {"MBU_OPS_PLUGINS": "evil", "PYTHONPATH": path}  # and none of what else may be installed


def run_python(environment: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    # a shell's background jobs are not interrupted, and hand that on
    start = None if os.name == "nt" else partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.run(
        [sys.executable, *args], env=environment, capture_output=True, text=True, timeout=60, preexec_fn=start
    )


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_plugin_cannot_stop_or_speak_for_the_others(case: str, tmp_path: Path) -> None:
    done = run_python(install_evil(tmp_path, ENTRY, HOSTILE[case]), "-c", LIST)

    assert done.returncode == 0, done.stderr
    found, broken = json.loads(done.stdout)
    assert found == ["faces", "handbags"]
    (line,) = broken
    assert line.startswith("plugin 'evil' of distribution 'evil' cannot be used: ")
    assert line.isprintable()
    assert len(line) < 500
    assert line in done.stderr.splitlines()


PRINTS = """
import os, subprocess, sys
os.write(1, b"by descriptor")
print("to the first stdout", file=sys.__stdout__, flush=True)
subprocess.run([sys.executable, "-c", "print('by a program')"])
from mbu_ops.families import FamilySpec
family = FamilySpec("evil")
"""


def test_nothing_that_a_plugin_prints_gets_into_json(tmp_path: Path) -> None:
    done = run_python(install_evil(tmp_path, ENTRY, PRINTS), "-m", "mbu_ops_cli", "families", "list", "--json")
    assert "evil" in {family["name"] for family in json.loads(done.stdout)["families"]}
    assert all(words in done.stderr for words in ("by descriptor", "to the first stdout", "by a program"))


def test_thousands_of_entries_are_one_line(tmp_path: Path) -> None:
    entries = "[mbu_ops.families]\n" + "".join(f"evil{number} = nothing{number}:family\n" for number in range(20_000))
    done = run_python(install_evil(tmp_path, entries, ""), "-c", LIST)
    found, broken = json.loads(done.stdout)
    assert found == ["faces", "handbags"]
    assert broken == [
        "plugin of distribution 'evil' cannot be used: expected at most 100 entries of mbu_ops.families, got 20000"
    ]
    assert len(done.stderr) < 1000


def test_entry_points_that_are_no_text_do_not_keep_torch_from_loading(tmp_path: Path) -> None:
    environment = install_evil(tmp_path, ENTRY.replace("evil_plugin", "\xe9vil").encode("latin-1"), "")
    write_picture = "from PIL import Image; Image.new('RGB', (32, 32)).save('a.png')"
    subprocess.run([sys.executable, "-c", write_picture], cwd=tmp_path, check=True)
    steps = ["chain", "remove:smile", "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--no-align"]
    done = run_python(environment, "-m", "mbu_ops_cli", *steps)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.png").exists()


def test_a_real_interruption_of_a_plugin_ends_the_command(tmp_path: Path) -> None:
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(50)"
    done = run_python(install_evil(tmp_path, ENTRY, code), "-m", "mbu_ops_cli", "families", "list")
    assert done.returncode == 130, done.stderr


def test_an_aligner_that_sets_another_default_dtype_costs_only_itself() -> None:
    with contained():
        torch.set_default_dtype(torch.float64)
    assert torch.get_default_dtype() == torch.float32
