"""Run the commands and the Python of a page as a reader pastes them: what tests and the site do with pages."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALLING = ("pip ", "make ")
"""How lines begin that set up what runs here already."""

_COMMAND = 'mbu-ops() { "$PYTHON" -m mbu_ops_cli "$@"; }'
"""So that shells run the code under test."""


def paste(language: str, text: str, names: dict[str, object]) -> None:
    """Run one block of a page in the working folder.

    Args:
        language: ``sh`` or ``python``.
        text: the block's lines.
        names: what Python blocks before this one have named.

    Raises:
        RuntimeError: if a line of a shell fails.
    """
    if language == "python":
        exec(compile(text, "block", "exec"), names)
        return
    for line in text.splitlines():
        if not line.startswith(INSTALLING) and (code := _paste_line(line)):
            raise RuntimeError(f"exit code {code}: {line}")


def _paste_line(line: str) -> int:
    """Run our own commands here, which loads torch once, and all else in a shell."""
    from mbu_ops_cli.app import run

    words = shlex.split(line, comments=True)
    if words[:1] == ["mbu-ops"] and not {"|", ">"} & set(words):
        return run(words[1:])
    script, environment = f"{_COMMAND}\n{line}", os.environ | {"PYTHON": sys.executable}
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, check=False).returncode
