"""Faces for tests: a family with the five parts that the tiny portrait networks know, drawn pictures, weights files."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mbu_ops.families import Anatomy, AttributeSpec, ComponentSpec, FamilySpec, PartSpec, discovery
from mbu_ops.images import write_labels
from mbu_ops.testing import tiny_portrait
from mbu_ops.weights import WeightsInfo, save

EYE = {"width": 12 / 32, "height": 8 / 32}
ANATOMY = Anatomy(
    (
        PartSpec("background", "Background", (0, 0, 0)),
        PartSpec("left_eye", "Left eye", (0, 80, 255), mirror="right_eye", component="left_eye"),
        PartSpec("right_eye", "Right eye", (0, 200, 255), mirror="left_eye", component="right_eye"),
        PartSpec("mouth", "Mouth", (220, 0, 60), component="mouth"),
        PartSpec("skin", "Skin", (240, 190, 150), component="skin"),
    ),
    (
        ComponentSpec("left_eye", "eyes", **EYE),
        ComponentSpec("right_eye", "eyes", **EYE),
        ComponentSpec("mouth", "mouth", width=16 / 32, height=12 / 32),
        ComponentSpec("skin", "skin"),
    ),
    whole="face",
)
NAMES = tuple(dict.fromkeys((*ANATOMY.contents, *ANATOMY.names)))


def face_labels(count: int) -> Tensor:
    """Skin with two eyes and a mouth, each face in a place of its own, ``(N, 1, 32, 32)`` uint8."""
    labels = torch.zeros(count, 1, 32, 32, dtype=torch.uint8)
    for index in range(count):
        top, left = 2 + index % 3, 4 + index % 4
        labels[index, :, top : top + 26, left : left + 20] = 4
        labels[index, :, top + 6 : top + 9, left + 2 : left + 6] = 2
        labels[index, :, top + 6 : top + 9, left + 14 : left + 18] = 1
        labels[index, :, top + 16 : top + 20, left + 6 : left + 14] = 3
    return labels


def face_pixels(labels: Tensor) -> Tensor:
    """The parts in their colours, ``(N, 3, 32, 32)`` uint8."""
    return torch.tensor(ANATOMY.colours, dtype=torch.uint8)[labels[:, 0].long()].movedim(-1, 1)


def fill_folder(folder: Path, count: int) -> Path:
    """Write pictures and their masks, as training and measuring read them."""
    labels = face_labels(count)
    random = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for index, pixels in enumerate(face_pixels(labels).movedim(1, -1).numpy()):
        noisy = (pixels + random.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / "images" / f"{index}.png")
        write_labels(folder / "masks" / f"{index}.png", labels[index, 0].numpy(), ANATOMY.colours)
    return folder


def save_network(path: Path, model: Any = None, guides: int = 3) -> str:
    """Write weights of a network, the tiny portrait one by default, and return their path."""
    model = tiny_portrait() if model is None else model
    names = {"portrait": ANATOMY.contents, "parsing": ANATOMY.names[: model.contents]}.get(model.info.name, ("hat",))
    info = WeightsInfo(model.info.name, model.config_to_dict(model.config), model.config.resolution, attributes=names)
    codes = None
    if guides and model.info.name == "portrait":
        with torch.no_grad():
            codes = model.encode_guide(torch.rand(guides, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    save(path, model, info, codes, dtype=torch.float32)
    return str(path)


def register(monkeypatch: pytest.MonkeyPatch, finder: object = None, **changes: Any) -> FamilySpec:
    """Install a family "dolls" of these parts; with a finder, photos are searched by it. Call families' refresh after.

    Args:
        monkeypatch: pytest's.
        finder: what has ``find(photo)``.
        changes: further fields of the family.
    """
    fields: dict[str, Any] = {
        "attributes": tuple(AttributeSpec(name, name.title()) for name in NAMES),
        "anatomy": ANATOMY,
    } | changes
    aligner = None if finder is None else "fake_dolls:build"
    module = ModuleType("fake_dolls")
    family = FamilySpec("dolls", title="Dolls", aligner=aligner, **fields)
    module.family, module.build = family, lambda: finder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_dolls", module)
    monkeypatch.setitem(discovery.BUILT_IN[discovery.FAMILIES], "dolls", "fake_dolls:family")
    return family


class Oracle(nn.Module):
    """Reads the parts off their colours."""

    def forward(self, images: Tensor) -> Tensor:
        colours = torch.tensor(ANATOMY.colours) / 255
        return -(images[:, None] - colours.view(1, -1, 3, 1, 1)).square().sum(2)
