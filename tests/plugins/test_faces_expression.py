"""The shape of faces that smile, and of those that do not: on the portrait, who smiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.functional.layer import Moved
from mbu_ops_faces.expression import bends
from mbu_ops_faces.landmarks import landmarks

from .test_faces_regions import framed

LEFT, RIGHT = 48, 54
"""The corners of the mouth."""


@pytest.fixture(scope="module")
def face() -> Tensor:
    return framed()


def bent(face: Tensor, towards: bool) -> Tensor:
    flow = bends("smile", face, towards)
    assert flow is not None
    assert flow.shape == (1, 2, 64, 64)
    assert flow.dtype == face.dtype
    return Moved(torch.ones_like(face[:, :1]), flow).seen(face)


@pytest.mark.parametrize("towards", [True, False])
def test_corners_of_the_mouth_move_with_the_cheeks_and_eyes_stay(face: Tensor, towards: bool) -> None:
    before, after = landmarks(face)[0], landmarks(bent(face, towards))[0]
    wider = (after - before)[RIGHT, 0] - (after - before)[LEFT, 0]
    raised = -(after - before)[[LEFT, RIGHT], 1]
    sign = 1 if towards else -1
    assert 0.015 < sign * wider < 0.06
    assert ((sign * raised > 0.008) & (sign * raised < 0.035)).all()
    assert (after - before)[36:48].abs().max() < 0.008, "the eyes"
    flow = bends("smile", face, towards)
    assert flow is not None
    cheek = (before[41] + before[48] + before[2]) / 3
    x, y = (64 * cheek).int().tolist()
    # a pixel comes from below where the cheek rises
    assert 0.005 < sign * flow[0, 1, y, x] < 0.02
    assert flow[0, :, 0].abs().max() < 0.001, "the hair"


def test_mirrored_faces_bend_the_mirrored_way(face: Tensor) -> None:
    flow, other = bends("smile", face, True), bends("smile", face.flip(-1), True)
    assert flow is not None
    assert other is not None
    back = other.flip(-1) * torch.tensor([-1.0, 1.0]).view(2, 1, 1)
    assert (flow - back).abs().max() < 0.01
    assert flow.abs().max() > 0.015


def test_nothing_else_bends_faces(face: Tensor) -> None:
    assert bends("glasses", face, True) is None
