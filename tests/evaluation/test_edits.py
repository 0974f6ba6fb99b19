"""Edits as they are measured: in the frame that the weights were trained on, which may be a part of the pictures'."""

from __future__ import annotations

from pathlib import Path

import torch

from mbu_ops.evaluation.edits import EditMasks, Edits
from mbu_ops.evaluation.examples import Examples
from mbu_ops.frames.box import Box
from mbu_ops.frames.framed import Framed
from mbu_ops.ops.guides import cut_out
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import tiny_native_guided
from mbu_ops.weights import WeightsInfo, load_pretrained, save

SIDE = 170


def saved(path: Path, model: torch.nn.Module, method: str) -> Path:
    values = model.config_to_dict(model.config)
    save(path, model, WeightsInfo(method, values, 16, family="faces", attributes=("glasses",), frame="eyes"))
    return path


def examples() -> Examples:
    torch.manual_seed(0)
    return Examples(without=torch.rand(3, 3, SIDE, SIDE), with_=torch.rand(4, 3, SIDE, SIDE))


def rows_changed(images: torch.Tensor, before: torch.Tensor) -> tuple[int, int]:
    rows = (images != before).flatten(0, 1).any(0).any(1).nonzero().flatten()
    return int(rows.min()), int(rows.max())


def test_what_is_added_lies_in_the_weights_frame(tmp_path: Path) -> None:
    """Eyes of a face of 170 pixels lie around row 75; a network that saw all of it would change all of it."""
    path, people = saved(tmp_path / "guided.safetensors", tiny_native_guided(), "native_guided"), examples()
    edits, edit_masks = Edits.make(load_pretrained(path), people), EditMasks.of(load_pretrained(path), people)
    assert edits.added is not None
    assert edits.guided is not None
    assert edits.idle_added is not None
    assert edits.swapped is not None
    for images, before in (
        (edits.added.image, people.without),
        (edits.idle_added, people.with_),
        (edits.swapped, people.with_),
        (edits.guided[:, 0], people.without),
    ):
        first, last = rows_changed(images, before)
        assert 75 - 24 <= first < last <= 75 + 24
    assert edit_masks.add is not None
    assert torch.equal(edit_masks.add, edits.added.mask > 0)


def test_guides_are_taken_as_from_files(tmp_path: Path) -> None:
    """Of a bag on white the family tells which pixels are the handle; of noise it cannot."""
    model = tiny_native_guided()
    info = WeightsInfo("native_guided", model.config_to_dict(model.config), 16, "handbags", ("handle",))
    save(tmp_path / "handle.safetensors", model, info)
    bag, noise = torch.ones(1, 3, 128, 128), torch.rand(1, 3, 128, 128)
    bag[..., 60:120, 20:108] = bag[..., 20:60, 40:46] = bag[..., 20:60, 82:88] = bag[..., 20:26, 40:88] = 0.3
    with_ = torch.cat([bag, noise])
    weights, without = load_pretrained(tmp_path / "handle.safetensors"), torch.rand(2, 3, 128, 128)
    edits, add = Edits.make(weights, Examples(without=without, with_=with_)), Transfer.of(weights)
    assert edits.guides is not None
    assert edits.guided is not None
    assert sorted(bool(torch.equal(guide, bag[0])) for guide in edits.guides) == [False, True]
    assert edits.guide_masks is not None
    which = next(k for k, guide in enumerate(edits.guides) if torch.equal(guide, bag[0]))
    assert torch.equal(edits.guide_masks[which], cut_out(bag, weights.info)[0, 3:])
    for guide, made in zip(edits.guides, edits.guided.unbind(1), strict=True):
        photo = guide[None]
        alone = cut_out(photo, weights.info)
        assert alone.shape[1] == (4 if torch.equal(photo, bag) else 3)
        wanted = add(without, alone.expand(2, -1, -1, -1))
        torch.testing.assert_close(made, wanted, atol=1e-4, rtol=0)
        assert alone is photo or not torch.allclose(wanted, add(without, photo.expand(2, -1, -1, -1)), atol=1e-3)


def test_guides_are_cut_to_the_weights_frame_too(tmp_path: Path) -> None:
    path, people = saved(tmp_path / "guided.safetensors", tiny_native_guided(), "native_guided"), examples()
    edits, add = Edits.make(load_pretrained(path), people, seed=3), Transfer.from_pretrained(path)
    box = Box(0, 0, SIDE, SIDE)
    assert edits.guides is not None
    assert edits.guided is not None
    region = box.part(add.frame).cut(edits.guides[:1])
    wanted = Framed(add.with_picture(region), box)(people.without[:1])
    torch.testing.assert_close(edits.guided[0, :1], wanted)
