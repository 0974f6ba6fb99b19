"""Photos per second of `mbu-ops chain` from files to files, beside its two halves alone. Run by hand.

    python benchmarks/throughput.py [--count 200] [--part 40] [--repeats 3] [--no-align] [STEP...]

Draws 1-megapixel JPEGs, each with one face (the public-domain portrait of the faces plugin, turned and scaled) on a
textured background, and times, one after the other and again: decoding and encoding alone, in as many threads as
the command uses; the edits alone, on decoded pictures; and both at once, as the command does it. Then the command
itself on all of them, in a process of its own, with its start-up and its memory. The halves take turns on the first
--part photos. Last, one photo of 12 megapixels in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does

import numpy as np
import psutil
from PIL import Image
from timing import DEVICE, machine

import mbu_ops
from mbu_ops.batch import edit_files
from mbu_ops.batch.editor import Editor
from mbu_ops.batch.runner import THREADS
from mbu_ops.families import get_family
from mbu_ops.frames.framed import Framed
from mbu_ops.images import ImageFile, encode, read
from mbu_ops.images.memory import as_image_file

WIDTH, HEIGHT = 1152, 864


def pictures(folder: Path, count: int) -> list[Path]:
    """Draw photos of one face each."""
    random = np.random.default_rng(0)
    sample = get_family("faces").samples[0]
    with sample.locate().open("rb") as file:
        portrait = Image.open(file).convert("RGB").crop((60, 0, 400, 300))
    folder.mkdir()
    paths = []
    for index in range(count):
        noise = Image.fromarray(random.integers(0, 256, (36, 48, 3), dtype=np.uint8))
        photo = noise.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        scale = random.uniform(0.7, 2)
        face = portrait.resize((int(portrait.width * scale), int(portrait.height * scale)), Image.Resampling.BICUBIC)
        mask = Image.new("L", face.size, 255)
        degrees = random.uniform(-20, 20)
        face, mask = (image.rotate(degrees, Image.Resampling.BICUBIC) for image in (face, mask))
        at = (int(random.integers(0, WIDTH - face.width)), int(random.integers(0, HEIGHT - face.height)))
        photo.paste(face, at, mask)
        paths.append(folder / f"{index:05d}.jpg")
        photo.save(paths[-1], quality=92)
    return paths


def seconds(work: Callable[[], object]) -> float:
    """Time a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def copied(path: Path) -> bytes:
    """Decode and encode one photo."""
    image = read(path)
    return encode(image.pixels, image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", default=["remove:smile,method=mbu", "add:glasses"])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--part", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--no-align", action="store_true")
    arguments = parser.parse_args()
    chain = mbu_ops.chain(arguments.steps, device=DEVICE)
    op = chain if arguments.no_align else Framed(chain, mbu_ops.aligner("faces", DEVICE), views=arguments.views)
    editor = Editor(op, DEVICE, batch_size=None)
    print(f"{' '.join(arguments.steps)}; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = pictures(folder / "in", arguments.count)[: arguments.part]
        decoded: list[ImageFile] = [read(path) for path in paths[:16]]

        def files_alone() -> None:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(copied, paths))

        def edits_alone() -> None:
            for index in range(0, len(paths), 4):  # as many at a time as the command takes of such photos
                batch = [decoded[(index + step) % len(decoded)] for step in range(4)]
                editor.edit_files(batch[: len(paths) - index])

        def together() -> None:
            report = edit_files(op, paths, folder / "out", existing="overwrite")
            assert len(report.written) == len(paths), report.failed[:3]

        times: dict[str, list[float]] = {"decode + encode": [], "edits": [], "both": []}
        for _ in range(arguments.repeats):
            for key, work in zip(times, (files_alone, edits_alone, together), strict=True):
                times[key].append(seconds(work))
        median = {key: statistics.median(values) / len(paths) for key, values in times.items()}
        slower = max(median["decode + encode"], median["edits"])
        print("| | ms a photo | photos/s |\n|---|---|---|")
        for key, value in median.items():
            print(f"| {key} | {value * 1000:.1f} | {1 / value:.1f} |")
        print(f"both against the slower half: {median['both'] / slower:.2f}")
        command_line(folder, arguments)
        large_photo(editor, paths[0])


def large_photo(editor: Editor, path: Path) -> None:
    """Time the edits of one photo of 4000x3000 pixels."""
    with Image.open(path) as image:
        photo = np.asarray(image.resize((4000, 3000), Image.Resampling.BICUBIC))
    file = as_image_file(photo)
    taken = [seconds(lambda: editor.edit_files([file])) for _ in range(6)]
    print(f"one photo of 4000x3000, edits alone: {statistics.median(taken[1:]):.2f} s (the first {taken[0]:.2f} s)")


def command_line(folder: Path, arguments: argparse.Namespace) -> None:
    """Run the command in a process of its own and watch its memory."""
    program = "from mbu_ops_cli.app import main; main()"
    options = ["--no-align"] if arguments.no_align else ["--views", str(arguments.views)]
    paths = ["-i", "in", "-o", "command"]
    command = [sys.executable, "-c", program, "chain", *arguments.steps, *options, *paths, "--json"]
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
    taken = time.perf_counter() - started
    written = len(json.loads(output)["written"])
    first = max(gib for at, gib in memory if at <= taken / 2)
    second = max(gib for at, gib in memory if at > taken / 2)
    print(
        f"the command, with start-up: {written} of {arguments.count} photos in {taken:.1f} s = {written / taken:.1f} "
        f"photos/s; memory at most {first:.2f} GiB in the first half of the time, {second:.2f} GiB in the second"
    )


if __name__ == "__main__":
    main()
