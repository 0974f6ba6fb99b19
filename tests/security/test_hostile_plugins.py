"""Plugins run with the user's rights once installed; these try to take more than their own place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = {
    "exits": "raise SystemExit(0)",
    "is cancelled": "import asyncio; raise asyncio.CancelledError",
    "has an error that cannot be shown": (
        "class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad"
    ),
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

LIST = """
import json, sys
from mbu_ops.families import broken, families
print(json.dumps([[f.name for f in families()], [str(b) for b in broken()]]))
"""


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_plugin_cannot_stop_or_speak_for_the_others(case: str, tmp_path: Path) -> None:
    info = tmp_path / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mbu_ops.families]\nevil = evil_plugin:family\n")
    (tmp_path / "evil_plugin.py").write_text(HOSTILE[case])
    environment = os.environ | {"MBU_OPS_PLUGINS": "evil"}  # and none of what this environment may have installed
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run([sys.executable, "-c", LIST], env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    found, broken = json.loads(done.stdout)
    assert found == ["faces", "handbags"]
    (line,) = broken
    assert line.startswith("plugin 'evil' of distribution 'evil' cannot be used: ")
    assert line.isprintable()
    assert len(line) < 500
    assert line in done.stderr.splitlines()
