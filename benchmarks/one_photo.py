"""Where each millisecond of one photo goes, from file to file. Run by hand.

    python benchmarks/one_photo.py [--repeats 15] [--views 4] [--megapixels 1] [STEP...]

One photo with one face (the public-domain portrait of the faces plugin on a textured background), as `mbu-ops chain`
edits it, in one thread of photos: each part is timed alone, in turns, and the medians are printed beside the whole.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from throughput import pictures
from timing import machine, medians

import mbu_ops
from mbu_ops.batch.editor import Editor, find_in
from mbu_ops.frames.drawing import draws_in, spots_in, steps_of
from mbu_ops.frames.views import view_matrices
from mbu_ops.functional.similarity import extract
from mbu_ops.images import encode, read


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", default=["remove:smile", "add:glasses"])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--megapixels", type=float, default=1.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (path,) = pictures(Path(folder) / "photos", 1)
        data = path.read_bytes()
    if arguments.megapixels != 1:
        photo = Image.fromarray(read(data).pixels)
        scale = math.sqrt(arguments.megapixels * 1e6 / (photo.width * photo.height))
        larger = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
        data = encode(np.asarray(larger), format="JPEG")
    aligner = mbu_ops.aligner("faces")
    file = read(data)
    places = find_in(aligner, file)
    framed = mbu_ops.Framed(mbu_ops.chain(arguments.steps), aligner, views=arguments.views)
    editor = Editor(framed, torch.device("cpu"))
    image = file.to_tensor()[None]
    calls = {
        "read and decode": lambda: read(data),
        "find faces and edit": lambda: editor.edit_files([file]),
        "  find faces": lambda: find_in(aligner, file),
        "encode": lambda: encode(file.pixels, file),
    }
    for step in steps_of(framed.op):
        name = type(step).__name__
        for draw, those in draws_in(step, [places]):
            (spot, *_) = spots_in(image, those, draw.frame, draw.limit)
            views = view_matrices(arguments.views, draw.mirrors, spot.area.height, spot.area.width)
            seen = draw.see(extract(image, spot.area, spot.size, views))
            drawn = framed.predict(draw, image, those)
            calls |= {
                f"  {name}: cut": lambda draw=draw, spot=spot, views=views: draw.see(
                    extract(image, spot.area, spot.size, views)
                ),
                f"  {name}: networks": lambda draw=draw, seen=seen: draw.predict(seen),
                f"  {name}: render": lambda drawn=drawn: [one.put_on(image.clone()) for one in drawn],
            }
    found = medians(calls, arguments.repeats)
    height, width = image.shape[-2:]
    print(f"{' '.join(arguments.steps)}, {arguments.views} views, {width}x{height}; {machine()}\n")
    print("| part | ms |\n|---|--:|")
    for name, taken in found.items():
        print(f"| {name} | {taken:.1f} |")
    print(f"| **together** | {sum(taken for name, taken in found.items() if not name.startswith('  ')):.1f} |")


if __name__ == "__main__":
    main()
