"""Ops on images that show a family's first frame, of which weights may see a part: the eyes of a face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mbu_ops
from mbu_ops.errors import ShapeError
from mbu_ops.families import FrameSpec, get_family
from mbu_ops.frames import Box, Framed
from mbu_ops.images import read, write
from mbu_ops.methods.presence import OwnPresence
from mbu_ops.ops.method import Sight
from mbu_ops.ops.one_input import left_by
from mbu_ops.testing import tiny_native, tiny_native_dial, tiny_native_guided
from mbu_ops.weights import WeightsInfo, save

SIDE = 170
BOX = Box(0, 0, SIDE, SIDE)
torch.manual_seed(0)
IMAGES, GUIDE = torch.rand(3, 3, SIDE, SIDE), torch.rand(1, 3, 200, 200)
MODELS: dict[str, Callable[[], nn.Module]] = {
    "native": tiny_native,
    "native_dial": tiny_native_dial,
    "native_guided": tiny_native_guided,
}


def saved(folder: Path, method: str, frame: str = "eyes", tells: bool = False) -> Path:
    model: Any = MODELS[method]()
    path = folder / f"{method}.safetensors"
    info = WeightsInfo(method, model.config_to_dict(model.config), 16, "faces", ("glasses",), frame=frame)
    save(path, model, info, dtype=torch.float32, presence=OwnPresence(model) if tells else None)
    return path


OPS: dict[str, tuple[str, Callable[[Path], nn.Module]]] = {
    "remove": ("native", mbu_ops.Remove.from_pretrained),
    "adjust": ("native_dial", lambda path: mbu_ops.Adjust.from_pretrained(path).bind(0.7)),
    "add": ("native_guided", lambda path: mbu_ops.Transfer.from_pretrained(path).bind(GUIDE)),
    "swap": ("native_guided", lambda path: mbu_ops.Swap.from_pretrained(path).bind(GUIDE)),
    "interpolate": (
        "native_guided",
        lambda path: mbu_ops.Interpolate.from_pretrained(path).bind(GUIDE, GUIDE.flip(-1)),
    ),
    "segment": ("native", mbu_ops.Segment.from_pretrained),
    "a chain": ("native", lambda path: mbu_ops.chain([f"remove:{path}", f"segment:{path}"])),
}


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("frame", ["eyes", "lower_face"])
def test_an_op_edits_its_frame_of_the_image_as_it_does_in_photos(name: str, frame: str, tmp_path: Path) -> None:
    method, build = OPS[name]
    op = build(saved(tmp_path, method, frame))
    expected = torch.cat([Framed(op, BOX)(image[None]) for image in IMAGES])
    torch.testing.assert_close(op(IMAGES), expected, atol=1e-5, rtol=0)
    before = torch.zeros_like(expected) if expected.shape[1] == 1 else IMAGES
    rows = (op(IMAGES) != before).flatten(0, 1).any(0).any(1).nonzero().flatten()
    spec = get_family("faces").frame(frame)
    assert (spec.y - spec.height / 2) * SIDE - 1 <= rows.min() < rows.max() <= (spec.y + spec.height / 2) * SIDE + 1


def test_gradients_reach_the_image_and_the_guide(tmp_path: Path) -> None:
    add = mbu_ops.Transfer.from_pretrained(saved(tmp_path, "native_guided"))
    images, guide = IMAGES.clone().requires_grad_(), GUIDE.clone().requires_grad_()
    add(images, guide).square().sum().backward()
    for tensor in (images, guide):
        assert tensor.grad is not None
        assert bool(tensor.grad.abs().sum() > 0)


def test_guide_pictures_in_a_chain_are_cut_too(tmp_path: Path) -> None:
    path, picture = saved(tmp_path, "native_guided"), tmp_path / "guide.png"
    write(picture, GUIDE[0])
    exact = read(picture).to_tensor()[None]
    add = mbu_ops.Transfer.from_pretrained(path)
    torch.testing.assert_close(mbu_ops.chain(f"add:{path}@{picture}")(IMAGES), add(IMAGES, exact), atol=1e-5, rtol=0)


def test_whether_there_is_something_to_do_is_seen_in_the_frame(tmp_path: Path) -> None:
    remove = mbu_ops.Remove.from_pretrained(saved(tmp_path, "native", tells=True))
    seen: list[torch.Size] = []
    assert remove.detector is not None
    remove.detector.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    assert left_by(remove, IMAGES).shape == (3,)
    assert seen == [torch.Size([3, 3, 16, 16])]


def test_a_frame_that_reaches_beyond_the_image_is_what_the_image_shows() -> None:
    head = FrameSpec("head", within="face", y=0.43, width=1.05, height=1.28)
    assert Sight.of(tiny_native(), IMAGES, head).area is None
    assert Sight.of(tiny_native(), IMAGES, FrameSpec("face")).area is None


def test_images_are_checked_before_they_are_cut(tmp_path: Path) -> None:
    remove = mbu_ops.Remove.from_pretrained(saved(tmp_path, "native"))
    with pytest.raises(ShapeError, match="add a batch dimension"):
        remove(IMAGES[0])


@pytest.mark.parametrize("verb", ["remove", "segment"])
def test_a_tiny_image_has_a_tiny_frame(verb: str, tmp_path: Path) -> None:
    step = mbu_ops.chain([f"{verb}:{saved(tmp_path, 'native')}"])
    assert step(torch.rand(1, 3, 5, 4)).shape[-2:] == (5, 4)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("remove", "add", "segment") else pytest.mark.slow)
        for name in OPS
        if name != "a chain"
    ],
)
def test_what_sees_a_part_is_compiled_in_one_graph_and_exported(name: str, tmp_path: Path) -> None:
    method, build = OPS[name]
    op = build(saved(tmp_path, method, "lower_face"))
    torch._dynamo.reset()
    with torch.no_grad():
        expected = op(IMAGES)
        compiled = torch.compile(op, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(IMAGES), expected, atol=1e-4, rtol=0)
        batch = {0: torch.export.Dim("batch", min=2, max=8)}
        exported = torch.export.export(op, (IMAGES[:2],), dynamic_shapes=(batch,)).module()
        torch.testing.assert_close(exported(IMAGES), expected, atol=1e-4, rtol=0)
