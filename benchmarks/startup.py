"""Wall time of commands that must feel instant, and whether they import torch. Run by hand."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = (
    ["--help"],
    ["--version"],
    ["families", "list"],
    ["chain", "--help"],
    ["chain", "remove:smile", "add:glasses", "-i", "in.jpg", "-o", "out.jpg", "--dry-run"],
)
PROGRAM = "import sys; from mbu_ops_cli.app import main; sys.argv = ['mbu-ops', *sys.argv[1:]]; main()"


def main() -> None:
    for command in COMMANDS:
        seconds = []
        for _ in range(9):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", PROGRAM, *command], capture_output=True, check=False)
            seconds.append(time.perf_counter() - started)
        traced = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", PROGRAM, *command], capture_output=True, text=True, check=False
        )
        torch = any(line.rsplit("|", 1)[-1].strip() == "torch" for line in traced.stderr.splitlines())
        modules = sum("import time:" in line for line in traced.stderr.splitlines())
        print(
            f"mbu-ops {' '.join(command):<72} median {statistics.median(seconds) * 1000:4.0f} ms of 9, exit "
            f"{traced.returncode}, {modules} modules, imports torch: {'yes' if torch else 'no'}"
        )


if __name__ == "__main__":
    main()
