"""Do no harm: where there is nothing to do, an edit changes no bit, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mbu_ops import Framed, weights
from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.frames import Frame
from mbu_ops.methods.mbu import MBU
from mbu_ops.methods.presence import OwnPresence, Presence
from mbu_ops.ops.base import EditOp
from mbu_ops.ops.bound import Bound, Chain
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.ops.interpolate import Interpolate
from mbu_ops.ops.look import Look
from mbu_ops.ops.one_input import OneInput, left_by
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.swap import Swap
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import tiny_native, tiny_presence

SEEN = Look(threshold=0, softness=1)


def dark_and_bright(side: int = 40) -> Tensor:
    """One image that shows the content, to a tiny detector, and one that does not."""
    return torch.stack([0.3 * torch.rand(3, side, side), 0.7 + 0.3 * torch.rand(3, side, side)])


def told(kind: type[EditOp], model: MBU, presence: float | None = None) -> OneInput:
    op = kind(model, SEEN)
    op.detector, op.presence = tiny_presence(), presence
    if isinstance(op, OneInput):
        return op
    return Bound(op, code=torch.full((1, *model.code_shape), 0.7))


@pytest.mark.parametrize(("kind", "there"), [(Remove, True), (Swap, True), (Transfer, False), (Interpolate, False)])
def test_what_is_as_wanted_stays_bit_for_bit(model: MBU, kind: type[EditOp], there: bool) -> None:
    images = dark_and_bright()
    edit = told(kind, model).edit(images)
    changed, same = (1, 0) if there else (0, 1)
    assert torch.equal(edit.image[same], images[same])
    assert edit.mask[same].max() == 0
    always = told(kind, model, 0.0).edit(images)
    assert torch.equal(edit.image[changed], always.image[changed])
    assert not torch.equal(always.image[same], images[same])
    assert left_by(told(kind, model), images).tolist() == [there, not there]


def test_presence_says_how_sure_it_must_be(model: MBU) -> None:
    images = torch.full((1, 3, 16, 16), 0.52)  # the detector is 69% sure
    for presence, edits in ((0.6, True), (0.75, False), (0.0, True), (1.0, False), (None, True)):
        op = told(Remove, model, presence)
        assert (op.edit(images).mask.max() > 0) == edits, presence
        op = told(Transfer, model, None if presence is None else 1 - presence)
        assert (op.edit(images).mask.max() > 0) == (presence in (0.75, 1.0)), presence


def test_without_a_detector_everything_is_edited(model: MBU) -> None:
    assert Remove(model).decision is None
    assert not left_by(Remove(model), dark_and_bright()).any()
    assert not left_by(torch.nn.Identity(), dark_and_bright()).any()


@pytest.mark.parametrize("presence", [-0.1, 1.1, "0.5", True, float("nan")])
def test_presence_is_a_number(model: MBU, presence: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected presence to be a number from 0 to 1"):
        Remove(model).presence = presence


def test_gradients_reach_only_what_is_edited(model: MBU) -> None:
    images = dark_and_bright().requires_grad_()
    told(Remove, model).edit(images).mask.sum().backward()
    assert images.grad is not None
    assert images.grad[0].abs().max() == 0
    assert images.grad[1].abs().max() > 0


@pytest.mark.parametrize("kind", [Remove, Swap, Transfer])
def test_compiles_and_exports(model: MBU, kind: type[EditOp]) -> None:
    op, images = torch.nn.Sequential(told(kind, model)), dark_and_bright()
    expected = op(images)
    compiled = torch.compile(op, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), expected)
    batch = torch.export.Dim("batch", min=1, max=8)
    exported = torch.export.export(op, (images,), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(images[1:]), expected[1:])


class Stub:
    """Finds two places: in the left half and in the right."""

    def find(self, image: Tensor) -> tuple[Frame, ...]:
        return Frame(20, 20, 24), Frame(60, 20, 24)


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("kind", [Remove, Swap])
def test_each_place_of_a_photo_is_decided_once(model: MBU, kind: type[EditOp], views: int) -> None:
    photo = torch.cat([*dark_and_bright()], -1)[None]
    left: list[tuple[int, int, Frame]] = []
    framed = Framed(told(kind, model), Stub(), views=views)
    result = framed(photo, left=lambda *one: left.append(one))
    assert left == [(0, 0, Frame(20, 20, 24))]
    assert torch.equal(result[..., :40], photo[..., :40])
    assert not torch.equal(result[..., 40:], photo[..., 40:])
    edit = framed.edit(photo, left=lambda *one: left.append(one))
    assert torch.equal(edit.image, result)
    assert edit.mask[..., :40].max() == 0
    assert left[1:] == left[:1]


def test_each_step_of_a_chain_decides_for_itself(model: MBU) -> None:
    photo = torch.cat([*dark_and_bright()], -1)[None]
    chain = Chain([("remove", told(Remove, model)), ("add", told(Transfer, model))])
    left: list[tuple[int, int, Frame]] = []
    Framed(chain, Stub())(photo, left=lambda *one: left.append(one))
    assert (0, 0, Frame(20, 20, 24)) in left
    assert (1, 0, Frame(20, 20, 24)) not in left


def saved(model: MBU, path: Path, presence: Presence | None = None, attribute: str = "glasses") -> None:
    info = weights.WeightsInfo(
        "mbu", MBU.config_to_dict(model.config), model.config.resolution, attributes=(attribute,)
    )
    guides = torch.rand(2, *model.code_shape)
    weights.save(path, model, info, guides, dtype=torch.float32, presence=presence)


def test_weights_bring_it_and_the_grammar_overrules_it(model: MBU, tmp_path: Path) -> None:
    path, images = tmp_path / "tiny.safetensors", dark_and_bright()
    saved(model, path, tiny_presence(remove=0.25, add=0.75))
    op = Remove.from_pretrained(path)
    assert op.detector is not None
    assert op.detector.thresholds == {"remove": 0.25, "add": 0.75}
    assert torch.equal(op(images)[0], images[0])
    for text, edited in (
        (f"remove:{path}", [False, True]),
        (f"remove:{path},presence=0", [True, True]),
        (f"add:{path}", [True, False]),
        (f"swap:{path}", [False, True]),
        (f"add:{path},presence=0.0", [True, True]),
    ):
        result = ChainSpec.parse([text]).bind()(images)
        assert [not torch.equal(*pair) for pair in zip(result, images, strict=True)] == edited, text


def test_weights_without_it_cannot_be_asked_how_sure(model: MBU, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    saved(model, path)
    ChainSpec.parse([f"remove:{path},presence=0"]).plan()
    with pytest.raises(WeightsError, match="leave presence out"):
        ChainSpec.parse([f"remove:{path},presence=0.5"]).plan()


def test_networks_that_tell_by_what_they_draw_are_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = tiny_native(), torch.rand(2, 3, 40, 56)
    op = Remove(model)
    sure = OwnPresence(model)(images).mean().item()  # one image is edited, and one is not
    op.detector = OwnPresence(model, {"remove": sure, "add": sure})
    left = left_by(op, images)
    assert sorted(left.tolist()) == [False, True]

    def again(self: OwnPresence, images: Tensor) -> Tensor:
        raise AssertionError("the networks were asked a second time")

    monkeypatch.setattr(OwnPresence, "forward", again)
    assert [bool(mask.max() == 0) for mask in op.edit(images).mask] == left.tolist()
