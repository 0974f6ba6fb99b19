"""Several contents in one pass, and what lies between two images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mbu_ops
from mbu_ops.errors import ConfigurationError, DTypeError, ShapeError, UnsupportedVerbError
from mbu_ops.functional.mask import change_mask
from mbu_ops.methods.base import to_signed, to_unit
from mbu_ops.methods.didd import DIDD, Codes
from mbu_ops.ops.look import Look
from mbu_ops.ops.redraw import Mix, Redraw
from mbu_ops.testing import OpTester, tiny_didd


def code_of(model: DIDD, content: int, count: int = 1, seed: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    guide = torch.rand(count, 3, 16, 16, generator=generator).to(next(model.parameters()).dtype)
    return model.for_content(content).encode_guide(guide).detach()


class TestRedraw(OpTester):
    """Removing the first content and adding the second."""

    op_class = Redraw

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> DIDD:
        return tiny_didd(seed, dtype)

    def build(self, model: Any) -> Redraw:
        return Redraw(model, {0: None, 1: code_of(tiny_didd(), 1)}, Look(threshold=0.15))


class MixBy(nn.Module):
    """The op with everything but the image."""

    def __init__(self, op: Mix, other: Tensor, amounts: Tensor) -> None:
        super().__init__()
        self.op = op
        self.register_buffer("other", other, persistent=False)
        self.register_buffer("amounts", amounts, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return self.op(image, self.other, self.amounts)


class TestMix(OpTester):
    """With amounts for each image, so that their gradients are checked too."""

    op_class = Mix
    guides = 1

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> DIDD:
        return tiny_didd(seed, dtype)

    def make_inputs(
        self, batch: int = 2, height: int = 24, width: int = 20, dtype: torch.dtype = torch.float32
    ) -> tuple[Any, ...]:
        amounts = torch.linspace(0.3, 0.9, 3 * batch).view(batch, 3)
        return *super().make_inputs(batch, height, width, dtype), amounts.to(dtype)

    def one_in(self, op: Any, inputs: tuple[Any, ...]) -> nn.Module:
        return MixBy(op, inputs[1][:1], inputs[2][0])

    @staticmethod
    def _one(value: Any) -> Any:
        return value[:1] if value.ndim == 4 else value  # a guide for all images; amounts as they are


@pytest.fixture
def model() -> DIDD:
    return tiny_didd()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, 16, 16)  # the model's own size: no resizing


def drawn(model: DIDD, *codes: Tensor) -> Tensor:
    return to_unit(model.decode(Codes(*codes)))


def own_codes(model: DIDD, image: Tensor) -> list[Tensor]:
    pixels = to_signed(image)
    return [model.common_code(pixels), model.separate_code(pixels, 0), model.separate_code(pixels, 1)]


@pytest.mark.parametrize("contents", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("removes", [False, True])
def test_contents_that_are_not_named_keep_the_images_own_code(
    model: DIDD, image: Tensor, contents: tuple[int, ...], removes: bool
) -> None:
    codes = own_codes(model, image)
    before = drawn(model, *codes)
    changes: dict[int, Tensor | None] = {}
    for content in contents:
        changes[content] = None if removes else code_of(model, content)
        new = changes[content]
        codes[1 + content] = torch.zeros_like(codes[1]) if new is None else new.expand_as(codes[1])
    edit = Redraw(model, changes).edit(image)
    torch.testing.assert_close(edit.raw, drawn(model, *codes))
    assert not torch.allclose(edit.raw, before)


def test_the_mask_is_where_the_drawing_changes(model: DIDD, image: Tensor) -> None:
    edit = Redraw(model, {0: None, 1: None}, Look(threshold=0.0, softness=1.0, dilation=0)).edit(image)
    common, *separate = own_codes(model, image)
    stripped = drawn(model, common, *map(torch.zeros_like, separate))
    expected = change_mask(drawn(model, common, *separate), stripped)
    torch.testing.assert_close(edit.mask, expected)
    torch.testing.assert_close(edit.image, expected * stripped + (1 - expected) * image)


def test_one_content_is_its_own_op(model: DIDD) -> None:
    image, code = torch.rand(2, 3, 24, 20), code_of(model, 1)
    view = model.for_content(1)
    assert torch.equal(Redraw(model, {1: None})(image), mbu_ops.Remove(view)(image))
    transferred = mbu_ops.Transfer(view).edit_code(image, code).image
    assert torch.equal(Redraw(model, {1: code}, Look(threshold=0.1))(image), transferred)


def test_all_is_drawn_in_one_pass(model: DIDD, image: Tensor) -> None:
    calls: list[int] = []
    model.decoder.register_forward_hook(lambda *_: calls.append(1))
    Redraw(model, {0: code_of(model, 0), 1: code_of(model, 1)})(image)
    assert calls == [1]


def test_masks_grow_where_something_is_removed(model: DIDD) -> None:
    code = code_of(model, 0)
    assert Redraw(model, {0: None}).dilation == Redraw(model, {0: code, 1: None}).dilation == 1
    assert Redraw(model, {0: code}).dilation == Redraw(model, {0: None}, Look(dilation=0)).dilation == 0
    assert Redraw(model, {0: code}, Look(dilation=3)).dilation == 3


def test_a_code_for_each_image(model: DIDD, image: Tensor) -> None:
    codes = code_of(model, 0, 2)
    together = Redraw(model, {0: codes})(image)
    for index in range(2):
        alone = Redraw(model, {0: codes[index : index + 1]})(image[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone)
    with pytest.raises(ShapeError, match="each of the 3, got 2"):
        Redraw(model, {0: codes})(torch.rand(3, 3, 16, 16))


def test_gradients_reach_the_codes(model: DIDD, image: Tensor) -> None:
    code = code_of(model, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(Redraw(model, {0: None, 1: code})(image).square().mean(), code)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("changes", [{}, {2: None}, {-1: None}, {0: None, 5: None}])
def test_what_is_no_content_is_refused(model: DIDD, changes: dict[int, None]) -> None:
    with pytest.raises(ConfigurationError, match="expected changes of contents 0 to 1"):
        Redraw(model, changes)


def test_codes_of_other_weights_and_views_are_refused(model: DIDD) -> None:
    with pytest.raises(ShapeError, match="expected code of shape"):
        Redraw(model, {0: torch.zeros(1, 3, 4, 4)})
    with pytest.raises(UnsupportedVerbError, match="mbu"):
        Redraw(mbu_ops.testing.tiny_mbu(), {0: None})


# -- between two images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2])
def test_each_of_the_three_codes_is_mixed_alone(model: DIDD, image: Tensor, place: int) -> None:
    other = torch.rand(2, 3, 16, 16)
    codes, others = own_codes(model, image), own_codes(model, other)
    amounts = torch.zeros(3)
    amounts[place] = 0.25
    codes[place] = 0.75 * codes[place] + 0.25 * others[place]
    torch.testing.assert_close(Mix(model).edit(image, other, amounts).raw, drawn(model, *codes))


def test_amounts_0_return_the_image_and_1_draw_the_other(model: DIDD, image: Tensor) -> None:
    other = torch.rand(1, 3, 30, 21)
    assert torch.equal(Mix(model)(image, other, torch.zeros(3)), image)
    assert torch.equal(Mix(model, Look(threshold=0.0))(image, other, torch.zeros(2, 3)), image)
    same_size = torch.rand(1, 3, 16, 16)
    raw = Mix(model).edit(image, same_size, torch.ones(3)).raw
    torch.testing.assert_close(raw, drawn(model, *own_codes(model, same_size)).expand_as(raw))


def test_each_image_has_amounts_of_its_own(model: DIDD, image: Tensor) -> None:
    other = torch.rand(2, 3, 16, 16)
    amounts = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, 0.2]])
    together = Mix(model)(image, other, amounts)
    assert torch.equal(together[0], image[0])
    torch.testing.assert_close(together[1:], Mix(model)(image[1:], other[1:], amounts[1]))
    assert not torch.allclose(together[1], image[1])


def test_gradients_reach_every_amount(model: DIDD, image: Tensor) -> None:
    amounts = torch.tensor([0.5, 0.5, 0.5], requires_grad=True)
    result = Mix(model)(image, torch.rand(1, 3, 16, 16), amounts)
    (gradient,) = torch.autograd.grad(result.square().mean(), amounts)
    assert gradient.ne(0).all()


@pytest.mark.parametrize(
    ("amounts", "error", "says"),
    [
        (torch.ones(2), ShapeError, r"expected amounts of shape \(3,\) or \(2, 3\), got \(2,\)"),
        (torch.ones(3, 3), ShapeError, r"got \(3, 3\)"),
        (torch.ones(1, 2, 3), ShapeError, r"got \(1, 2, 3\)"),
        (torch.ones(3, dtype=torch.int64), DTypeError, "amounts"),
    ],
)
def test_amounts_that_do_not_fit_are_refused(
    model: DIDD, image: Tensor, amounts: Tensor, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Mix(model)(image, torch.rand(1, 3, 16, 16), amounts)


def test_methods_of_one_content_cannot_mix() -> None:
    with pytest.raises(UnsupportedVerbError, match="expected a method that can mix, got mbu"):
        Mix(mbu_ops.testing.tiny_mbu())
