from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mbu_ops_cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_commands_say() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools/generate_cli_docs.py", "--check"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert all(f"## mbu-ops {name}" in page for name in COMMANDS)
    assert "| 130 |" in page
