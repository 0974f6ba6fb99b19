"""Images per second and memory of `mbu-ops chain` end to end, on generated framed JPEGs. Run by hand.

python benchmarks/chain_throughput.py [--count 300] [--size 178] [STEP...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageFilter


def pictures(folder: Path, count: int, size: int) -> None:
    """Write smooth random pictures, which cost a decoder about what photos do."""
    random = np.random.default_rng(0)
    for index in range(count):
        small = Image.fromarray(random.integers(0, 256, (size // 6, size // 6, 3), dtype=np.uint8))
        picture = small.resize((size, size), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
        picture.save(folder / f"{index:05d}.jpg", quality=92)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", default=["remove:smile", "add:glasses"])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--size", type=int, default=178)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        pictures(folder / "in", arguments.count, arguments.size)
        program = "from mbu_ops_cli.app import main; main()"
        command = [sys.executable, "-c", program, "chain", *arguments.steps, "-i", "in", "-o", "out", "--json"]
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        memory: list[tuple[float, float]] = []

        def watch() -> None:
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                try:
                    memory.append((time.perf_counter() - started, watched.memory_info().rss / 2**30))
                except psutil.Error:
                    return
                time.sleep(0.1)

        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = process.communicate()
        watcher.join()
        seconds = time.perf_counter() - started
        written = len(list((folder / "out").rglob("*.jpg")))
    half = [gib for at, gib in memory if at > seconds / 2]
    first = [gib for at, gib in memory if seconds / 4 < at <= seconds / 2]
    print(
        f"{written} of {arguments.count} images {arguments.size} px in {seconds:.1f} s with start-up = "
        f"{written / seconds:.1f} images/s; peak {max(gib for _, gib in memory):.2f} GiB, second quarter "
        f"{max(first):.2f} GiB, second half {max(half):.2f} GiB; exit {process.returncode}; "
        f"report keys {sorted(json.loads(output)) if output.strip() else []}"
    )


if __name__ == "__main__":
    main()
