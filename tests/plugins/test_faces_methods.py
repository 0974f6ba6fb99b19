"""The shipped weights of methods other than MBU, on the one face that comes with the library."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import mbu_ops
from mbu_ops.ops import Adjust, Interpolate, Remove, Swap, Transfer
from mbu_ops.ops.base import Op
from mbu_ops.ops.redraw import Redraw

DIALS = ("faces/smile/maae-lite", "faces/hair_women/maae-lite")


def test_smile_and_glasses_change_in_one_pass(face: Tensor) -> None:
    both = mbu_ops.chain("remove:smile add:glasses", method="didd")
    assert [type(step) for step in both.steps] == [Redraw]
    with torch.inference_mode():
        edited = both(face)
        serious = mbu_ops.chain("remove:smile", method="didd")(face)
    assert (edited - face).abs().mean() > 0.01
    # a smile sits below, glasses above
    moved, smile = ((image - face).abs().mean((0, 1)) for image in (edited, serious))
    assert (moved - smile)[40:64].mean() > 0.01


@pytest.mark.parametrize("name", DIALS)
def test_a_dial_moves_one_way_from_end_to_end(name: str, face: Tensor) -> None:
    adjust = Adjust.from_pretrained(name)
    strengths = torch.linspace(-1, 1, 5)
    with torch.inference_mode():
        results = adjust(face.expand(5, -1, -1, -1), strengths)
    assert torch.equal(results[2:3], face), "strength 0 is the picture itself"
    below, above = results[0] - face[0], results[4] - face[0]
    assert below.abs().mean() > 0.01
    assert above.abs().mean() > 0.01
    assert torch.nn.functional.cosine_similarity(below.flatten(), above.flatten(), dim=0) < -0.2
    # further along, more of the same
    assert (results[1] - face[0]).abs().mean() < below.abs().mean()
    assert (results[3] - face[0]).abs().mean() < above.abs().mean()


def test_a_native_dial_takes_smiles_off_and_leaves_those_who_smile(face: Tensor) -> None:
    adjust = Adjust.from_pretrained("faces/smile/native_dial-lite")
    with torch.inference_mode():
        results = adjust(face.expand(4, -1, -1, -1), torch.tensor([-1.0, 0.0, 0.5, 1.0]))
        serious, smiling = results[:1], adjust(results[:1], 1.0)
    assert torch.equal(results[1:], face.expand(3, -1, -1, -1)), "she smiles already"
    assert torch.equal(serious[:, :, :64], face[:, :, :64]), "eyes and brows are beside its frame"
    assert (serious - face).abs().mean() > 0.001
    assert (smiling - serious).abs().mean() > 0.001


def test_black_hair_is_darker_than_blond(face: Tensor) -> None:
    adjust = Adjust.from_pretrained("faces/hair_women/maae-lite")
    with torch.inference_mode():
        blond, black = adjust(face.expand(2, -1, -1, -1), torch.tensor([-1.0, 1.0]))
    hair = slice(4, 24), slice(44, 84)
    assert black[:, *hair].mean() < face[0][:, *hair].mean() < blond[:, *hair].mean()


def test_steps_take_the_weights_that_can_do_them() -> None:
    assert methods("translate:glasses adjust:hair_women,strength=-0.5 remove:glasses") == [
        "didd",
        "maae",
        "native_guided",
    ]


def test_smiles_and_hair_are_turned_by_dials() -> None:
    assert methods("remove:hair_women add:hair_women") == 2 * ["maae"]
    assert methods("add:smile remove:smile") == 2 * ["native_dial"]
    assert methods("adjust:smile,strength=0.5 adjust:smile,strength=1,method=native_dial") == ["maae", "native_dial"]
    handles = "remove:handbags/handle add:handbags/handle swap:handbags/handle,guide=1 segment:handbags/handle"
    assert methods(handles) == 4 * ["native_guided"]
    for name in ("glasses", "facial_hair"):
        steps = f"remove:{name} add:{name} swap:{name},guide=3 segment:{name}"
        assert methods(steps) == 4 * ["native_guided"]
    # a dial follows no guide: who names one wants what it shows
    assert methods("add:smile,guide=0 swap:smile") == 2 * ["native_guided"]
    assert methods("interpolate:smile,to=1 segment:smile") == 2 * ["mbu"]
    assert methods("remove:smile,method=mbu add:smile,guide=0,method=maae") == ["mbu", "maae"]


@pytest.mark.parametrize("op", [Transfer, Swap, Interpolate])
def test_ops_that_are_shown_guides_take_weights_that_follow_them(op: type[Op]) -> None:
    assert op.from_pretrained("faces/smile").model.info.follows_guides
    assert Remove.from_pretrained("faces/smile").model.info.name == "native_dial"


def methods(steps: str) -> list[str]:
    """Return the method of each step of a chain."""
    return [plan.info.method for plan in mbu_ops.ops.ChainSpec.parse(steps).plan()]
