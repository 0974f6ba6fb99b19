"""The demo: a picture that comes with the family, edited, and one sheet that shows every step."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import get_family
from mbu_ops.families.aligning import aligner
from mbu_ops.frames.aligners import GuardedAligner
from mbu_ops.frames.box import Box
from mbu_ops.frames.choice import USUAL_VIEWS
from mbu_ops.frames.framed import Framed
from mbu_ops.functional.warp import crop
from mbu_ops.images import encode, read, write_bytes
from mbu_ops.ops.plan import assemble
from mbu_ops_cli.app import OK
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import Compute, choose_device, choose_dtype

if TYPE_CHECKING:
    from mbu_ops.families.aligning import Aligner
    from mbu_ops.ops.plan import StepPlan

SHEET = Path("mbu-ops-demo.png")
_CELL = 256
_CAPTION = 24
_GAP = 8


def run_demo(plans: Sequence[StepPlan], family: str, compute: Compute, as_json: bool) -> int:
    """Edit the family's first sample picture and write ``mbu-ops-demo.png`` in the working folder.

    The sheet's columns are the picture before and after each step; its rows are the whole picture, the part that the
    model sees, and the mask of what the step changed.

    Raises:
        ConfigurationError: if the family brings no picture.
        ImageFileError: if the sheet cannot be written.
    """
    spec = get_family(family)
    if not spec.samples:
        raise ConfigurationError(f"the family {family!r} brings no sample picture; name your own with -i and -o")
    sample = spec.samples[0]
    device = choose_device(compute.device)
    module = assemble(plans, device, choose_dtype(compute.dtype))
    picture = read(sample.locate().read_bytes()).to_tensor()[None].to(device)
    where: Aligner = Box(*(sample.box or (0, 0, picture.shape[-1], picture.shape[-2])))
    if spec.aligner is not None:
        where = GuardedAligner(spec, aligner(spec, device))
    with torch.inference_mode():
        ((place, *_),) = places = Framed(module, where, views=USUAL_VIEWS).find(picture)
        wholes, masks = [picture], [torch.zeros_like(picture[:, :1])]
        for step in module.steps:
            edit = Framed(step, where, views=USUAL_VIEWS).edit(wholes[-1], places)
            wholes.append(edit.image)
            masks.append(edit.mask)
    captions = ["before", *module.names]
    box = place.bounds(picture)
    rows = [wholes, [crop(whole, box) for whole in wholes], [crop(mask, box).expand(-1, 3, -1, -1) for mask in masks]]
    write_bytes(SHEET, encode(_sheet(captions, rows), format="PNG"), overwrite=True)
    if as_json:
        echo_json({"demo": str(SHEET), "sample": sample.name, "credit": sample.credit})
    else:
        echo(f"wrote {SHEET}: a sample picture before and after each step, close up, and the masks")
        echo(f"picture: {sample.credit}")
        echo("the same for a photo of yours, or with folders for many:")
        steps = [str(plan.step) for plan in plans]
        echo(shlex.join(["mbu-ops", "chain", *steps, "--family", family, "-i", "photo.jpg", "-o", "result.jpg"]))
    return OK


def _sheet(captions: Sequence[str], rows: Sequence[Sequence[Tensor]]) -> NDArray[np.uint8]:
    """Draw a grid of pictures, ``(1, 3, H, W)`` each, under a line of captions; returns ``(H, W, 3)``."""
    step = _CELL + _GAP
    sheet = Image.new("RGB", (len(captions) * step + _GAP, len(rows) * step + _CAPTION + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for column, caption in enumerate(captions):
        left = column * step + _GAP
        draw.text((left, _GAP // 2), _fit(caption, font), "black", font)
        for row, pictures in enumerate(rows):
            samples = pictures[column][0].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
            cell = Image.fromarray(samples)
            scale = _CELL / max(cell.size)
            size = max(1, round(cell.width * scale)), max(1, round(cell.height * scale))
            sheet.paste(cell.resize(size, Image.Resampling.BICUBIC), (left, row * step + _CAPTION))
    return np.asarray(sheet)


def _fit(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while font.getlength(caption) > _CELL:
        caption = caption[:-2] + "…"
    return caption
