from __future__ import annotations

import kornia.augmentation as K
import pytest
import torch
from torch import Tensor, nn

from mbu_ops.errors import ShapeError
from mbu_ops.frames.box import Box
from mbu_ops.frames.drawing import Draw
from mbu_ops.frames.framed import Framed
from mbu_ops.functional.blend import blend
from mbu_ops.functional.layer import Layer, Moved, painted
from mbu_ops.functional.warp import crop, paste
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.transfer import Transfer

BOX = Box(5, 8, 31, 40)


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(2, 3, 48, 37)


def outside(picture: torch.Tensor) -> torch.Tensor:
    everywhere = torch.ones_like(picture, dtype=torch.bool)
    return paste(everywhere, torch.zeros_like(crop(everywhere, BOX.sides)), BOX.sides)


def test_op_sees_and_changes_only_the_box(model: MBU, picture: torch.Tensor) -> None:
    op = Remove(model)
    result = Framed(op, BOX)(picture)
    assert torch.equal(crop(result, BOX.sides), op(crop(picture, BOX.sides)))
    assert torch.equal(result[outside(picture)], picture[outside(picture)])
    assert not torch.equal(result, picture)


@pytest.mark.parametrize("kind", ["op", "bound", "chain"])
def test_edit_is_one_blend_of_the_whole_picture(kind: str, model: MBU, picture: torch.Tensor) -> None:
    bound = Transfer(model).bind(torch.rand(1, 3, 20, 20))
    ops = {"op": Remove(model), "bound": bound, "chain": Chain([("remove", Remove(model)), ("add", bound)])}
    framed = Framed(ops[kind], BOX)
    edit = framed.edit(picture)
    torch.testing.assert_close(edit.image, framed(picture))
    torch.testing.assert_close(blend(picture, edit.raw, edit.mask), edit.image)
    beyond = outside(picture)
    assert (edit.mask[beyond[:, :1]] == 0).all()
    assert torch.equal(edit.raw[beyond], picture[beyond])


def test_mask_is_0_outside_the_box(model: MBU, picture: torch.Tensor) -> None:
    framed = Framed(Segment(model), BOX)
    mask = framed(picture)
    assert mask.shape == (2, 1, 48, 37)
    assert torch.equal(crop(mask, BOX.sides), Segment(model)(crop(picture, BOX.sides)))
    assert (mask[outside(picture)[:, :1]] == 0).all()
    assert torch.equal(framed.edit(picture).mask, mask)
    assert torch.equal(framed.edit(picture).image, picture)


def test_any_module_can_be_framed(picture: torch.Tensor) -> None:
    framed = Framed(nn.Hardtanh(0, 0.5), BOX)
    assert crop(framed(picture), BOX.sides).max() == 0.5
    assert torch.equal(framed.edit(picture).image, framed(picture))


def test_box_outside_the_picture(model: MBU, picture: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match="the image is 37x48 pixels"):
        Framed(Remove(model), Box(0, 0, 38, 48))(picture)


def test_gradients_reach_the_picture(model: MBU) -> None:
    picture = torch.rand(1, 3, 7, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Framed(Remove(model.double()), Box(1, 1, 7, 6)), picture, atol=1e-5, rtol=1e-3)


def test_compile_and_kornia(model: MBU, picture: torch.Tensor) -> None:
    framed = Framed(Remove(model), BOX)
    torch.compiler.reset()
    compiled = torch.compile(framed, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(picture), framed(picture))
    assert torch.equal(K.ImageSequential(framed)(picture), framed(picture))
    assert "aligner=5,8,31,40" in repr(framed)


@pytest.mark.parametrize(("takes", "asked"), [(True, [1]), (False, [1, 4])])
def test_who_takes_a_guides_pixels_is_asked_for_one_view(takes: bool, asked: list[int]) -> None:
    """The others are not looked at: views move the photo and not the guide."""
    batches: list[int] = []

    def predict(seen: Tensor) -> Layer:
        batches.append(len(seen))
        layer = painted(seen.flip(1), torch.ones_like(seen[:, :1]))
        return layer._replace(guide=Moved(torch.ones_like(seen[:, :1]))) if takes else layer

    photo, place = torch.rand(1, 3, 40, 50), Box(4, 4, 36, 36)
    framed = Framed(nn.Identity(), place, views=4)
    [drawn] = framed.predict(Draw(predict, lambda cut: cut, guide=torch.rand(1, 3, 32, 32)), photo, [[place]])
    assert batches == asked
    assert (drawn.layer.guide is not None) == takes
