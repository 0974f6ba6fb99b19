"""Write the pictures of docs/photos.md: photos before and after, and ways to keep large edits sharp.

python tools/draw_photo_pictures.py; the portrait is NASA's photograph of Eileen Collins (public domain).
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import mbu_ops
from mbu_ops.families import get_family
from mbu_ops.frames.framed import Framed

OUT = Path(__file__).resolve().parent.parent / "docs" / "images"
GAP = 8


def tensor(image: Image.Image) -> Tensor:
    """Return a picture as an op wants it."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def picture(image: Tensor) -> Image.Image:
    """Return an op's result as a picture."""
    return Image.fromarray(image[0].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def portrait() -> Image.Image:
    """Return the portrait."""
    return Image.open(io.BytesIO(get_family("faces").samples[0].locate().read_bytes())).convert("RGB")


def group() -> Image.Image:
    """Paste the portrait four times, at several sizes and turns, as in a holiday picture."""
    canvas = Image.new("RGB", (1400, 640), (86, 104, 120))
    draw = ImageDraw.Draw(canvas)
    for row in range(640):
        draw.line((0, row, 1400, row), (86 + row // 8, 104 + row // 10, 150 - row // 12))
    bust = portrait().crop((70, 0, 400, 300))
    for x, y, width, degrees in ((20, 150, 420, 12), (430, 330, 260, -18), (700, 40, 500, -6), (1180, 380, 180, 24)):
        size = (width, round(width * bust.height / bust.width))
        turned = bust.resize(size, Image.Resampling.BICUBIC).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        mask = Image.new("L", size, 255).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        canvas.paste(turned, (x, y), mask)
    return canvas


def column(images: list[Image.Image]) -> Image.Image:
    """Stack pictures."""
    size = max(image.width for image in images), sum(image.height + GAP for image in images) - GAP
    sheet, top = Image.new("RGB", size, "white"), 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height + GAP
    return sheet


def row(images: list[Image.Image]) -> Image.Image:
    """Put pictures side by side."""
    size = sum(image.width + GAP for image in images) - GAP, max(image.height for image in images)
    sheet, left = Image.new("RGB", size, "white"), 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width + GAP
    return sheet


def captioned(image: Image.Image, caption: str) -> Image.Image:
    """Put a line above a picture."""
    sheet = Image.new("RGB", (image.width, image.height + 24), "white")
    sheet.paste(image, (0, 24))
    ImageDraw.Draw(sheet).text((2, 4), caption, "black", ImageFont.load_default(15))
    return sheet


@torch.inference_mode()
def photos() -> None:
    """Write photos before and after, at full size."""
    aligner = mbu_ops.aligner("faces")
    faces = Framed(mbu_ops.chain("adjust:smile,strength=0.6 adjust:hair_women,strength=-0.4"), aligner, views=4)
    rows = []
    for photo in (portrait(), group()):
        edited = picture(faces(tensor(photo)))
        join = column if photo.width > 1000 else row
        rows.append(join([photo, edited]))
    column(rows).save(OUT / "photos.jpg", quality=90)


@torch.inference_mode()
def sharpness() -> None:
    """Write ways to bring an edit of 128 pixels to a larger face, close up."""
    aligner = mbu_ops.aligner("faces")
    rows = []
    for step in ("adjust:smile,strength=0.6", "adjust:hair_women,strength=-0.4", "add:glasses,guide=2"):
        soft, own = mbu_ops.chain(f"{step},detail=0"), mbu_ops.chain(step)
        photo = tensor(portrait().crop((70, 0, 400, 300)).resize((1320, 1200), Image.Resampling.LANCZOS))
        columns = [("the photo", photo)]
        for name, op, views in (
            ("enlarged", soft, 1),
            ("the photo's detail", own, 1),
            ("detail, 4 views (as chain does)", own, 4),
        ):
            columns.append((name, Framed(op, aligner, views=views)(photo)))
        rows.append(row([captioned(picture(image).crop((340, 120, 900, 840)), name) for name, image in columns]))
    sheet = column(rows)
    sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3), Image.Resampling.LANCZOS).save(
        OUT / "sharpness.jpg", quality=90
    )


if __name__ == "__main__":
    photos()
    sharpness()
