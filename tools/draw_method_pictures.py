"""Write the pictures of docs/methods.md: what each method makes of the portrait, and dials from end to end.

python tools/draw_method_pictures.py; the portrait is NASA's photograph of Eileen Collins (public domain).
"""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

import mbu_ops
from mbu_ops.families import get_family
from mbu_ops.images import ImageFile, read

OUT = Path(__file__).resolve().parent.parent / "docs" / "images"
CELL, GAP, CAPTION = 200, 6, 20
STEPS = (
    ("remove:smile", "mbu"),
    ("remove:smile", "maae"),
    ("remove:smile", "didd"),
    ("remove:smile add:glasses", "mbu"),
    ("remove:smile add:glasses", "didd"),
)
DIALS = (
    "adjust:smile,strength={0}",
    "adjust:hair_women,strength={0}",
    "adjust:smile,strength={0} adjust:hair_women,strength={0}",
)
STRENGTHS = 9


def portrait() -> tuple[ImageFile, tuple[int, int, int, int]]:
    """Return the portrait, and the box of its face."""
    sample = get_family("faces").samples[0]
    assert sample.box is not None
    return read(io.BytesIO(sample.locate().read_bytes()).getvalue()), sample.box


def sheet(cells: list[tuple[str, Image.Image]]) -> Image.Image:
    """Return captioned pictures in a row."""
    canvas = Image.new("RGB", (len(cells) * (CELL + GAP) - GAP, CELL + CAPTION), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for index, (caption, image) in enumerate(cells):
        left = index * (CELL + GAP)
        draw.text((left, 2), caption, "black", font)
        canvas.paste(image.resize((CELL, CELL), Image.Resampling.BICUBIC), (left, CAPTION))
    return canvas


def main() -> None:
    """Draw both pictures."""
    photo, box = portrait()
    image = photo.to_tensor()[None]
    aligner = mbu_ops.aligner("faces")

    def face(steps: str, method: str | None) -> Image.Image:
        with torch.inference_mode():
            edited = mbu_ops.Framed(mbu_ops.chain(steps, method=method), aligner, views=4)(image) if steps else image
        pixels = edited[0].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        return Image.fromarray(pixels).crop(box)

    cells = [("the portrait", face("", None))]
    cells += [
        (
            f"{method}: {' '.join(part.partition(':')[0] + ' ' + part.partition(':')[2] for part in steps.split())}",
            face(steps, method),
        )
        for steps, method in STEPS
    ]
    sheet(cells).save(OUT / "methods.jpg", quality=88)
    strengths = [round(-1 + 2 * index / (STRENGTHS - 1), 2) for index in range(STRENGTHS)]
    strips = [sheet([(f"{value:+g}", face(dial.format(value), None)) for value in strengths]) for dial in DIALS]
    canvas = Image.new("RGB", (strips[0].width, sum(strip.height for strip in strips)), "white")
    for index, strip in enumerate(strips):
        canvas.paste(strip, (0, index * strip.height))
    canvas.save(OUT / "dial.jpg", quality=88)


if __name__ == "__main__":
    main()
