"""Write the picture of docs/methods/portrait.md: components exchanged, and three masks edited.

python tools/draw_portrait_pictures.py; the portrait is NASA's photograph of Eileen Collins (public domain). Guides are
the codes that come with the weights.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from draw_method_pictures import OUT, portrait, sheet
from PIL import Image
from torch import Tensor

import mbu_ops
from mbu_ops.families import get_family
from mbu_ops.frames.parts import FramedParse, FramedReshape
from mbu_ops.functional.mask import dilate
from mbu_ops.functional.palette import palette_image
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import Reshape

SWAPS = ("hair,guide=0", "hair,guide=1", "mouth,guide=2", "skin,guide=0", "face,guide=2")


def main() -> None:
    """Draw it."""
    photo, box = portrait()
    image, aligner = photo.to_tensor()[None], mbu_ops.aligner("faces")
    anatomy = get_family("faces").anatomy
    assert anatomy is not None
    number = {part.name: index for index, part in enumerate(anatomy.parts)}
    colours = torch.tensor(anatomy.colours) / 255

    def face(pixels: Tensor) -> Image.Image:
        drawn = pixels[0].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        return Image.fromarray(drawn).crop(box)

    def shown(labels: Tensor) -> Image.Image:
        return face(palette_image(labels, colours))

    with torch.inference_mode():
        cells = [("the portrait", face(image))]
        for step in SWAPS:
            edited = mbu_ops.Framed(mbu_ops.chain(f"swap:{step}"), aligner)(image)
            cells.append((f"swap:{step}", face(edited)))
        rows = [sheet(cells)]
        reshape = Reshape.from_pretrained("faces/face")
        labels = FramedParse(Parse(reshape.model), aligner)(image)
        redraw, cells = FramedReshape(reshape, aligner), []
        for caption, change in EDITS.items():
            wanted = change(labels.clone(), number, box)
            cells += [(f"mask: {caption}", shown(wanted)), ("redrawn", face(redraw(image, wanted)))]
        rows.append(sheet(cells))
    canvas = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    for index, row in enumerate(rows):
        canvas.paste(row, (0, index * row.height))
    canvas.save(OUT / "portrait.jpg", quality=88)


Box = tuple[int, int, int, int]


def without_fringe(labels: Tensor, number: dict[str, int], box: Box) -> Tensor:
    """Return a mask whose hair leaves the forehead free."""
    left, top, right, bottom = box
    rows = torch.arange(labels.shape[-2])[:, None] - (top + 0.42 * (bottom - top))
    columns = torch.arange(labels.shape[-1])[None] - (left + right) / 2
    forehead = (rows / (0.27 * (bottom - top))) ** 2 + (columns / (0.24 * (right - left))) ** 2 < 1
    return torch.where((labels == number["hair"]) & forehead, number["skin"], labels)


def closed_mouth(labels: Tensor, number: dict[str, int], box: Box) -> Tensor:
    """Return a mask whose lips meet."""
    del box
    inside = labels == number["inner_mouth"]
    rows = torch.arange(labels.shape[-2])[:, None].expand(labels.shape[-2:])
    middle = rows[inside[0, 0]].float().mean()
    lips = torch.where(rows < middle, number["upper_lip"], number["lower_lip"]).to(labels.dtype)
    return torch.where(inside, lips, labels)


def more_hair(labels: Tensor, number: dict[str, int], box: Box) -> Tensor:
    """Return a mask with hair farther out."""
    left, _, right, _ = box
    grown = dilate((labels == number["hair"]).float(), int(0.07 * (right - left))) > 0
    return torch.where(grown & (labels == number["background"]), number["hair"], labels)


EDITS: dict[str, Callable[[Tensor, dict[str, int], Box], Tensor]] = {
    "no fringe": without_fringe,
    "mouth closed": closed_mouth,
    "more hair": more_hair,
}


if __name__ == "__main__":
    main()
