"""Pictures redrawn to fit edited masks, and pictures made from masks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, DeviceError, DTypeError, ShapeError, UnsupportedVerbError
from mbu_ops.functional.mask import dilate, resize
from mbu_ops.functional.render import render
from mbu_ops.methods.portrait import Portrait
from mbu_ops.methods.portrait.method import EDIT_DILATION
from mbu_ops.ops.look import Look
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import UNSPECIFIED, BoundReshape, Generate, Reshape, mask_in_frame
from mbu_ops.testing import tiny_mbu, tiny_parsing, tiny_portrait

from ..slow_to_trace import SlowToTrace

MOUTH = 3
NEAR = 1 + EDIT_DILATION + 2
"""How far from a changed pixel of the frame others may change: the last two are where the edges fade."""
BAD_LABELS = [
    (torch.rand(2, 1, 24, 20), DTypeError, "whole numbers"),
    (torch.zeros(2, 1, 24, 20, dtype=torch.complex64), DTypeError, "whole numbers"),
    ("mask.png", DTypeError, "torch.Tensor"),
    (torch.zeros(24, 20, dtype=torch.uint8), ShapeError, r"take labels\[None, None\]"),
    (torch.zeros(2, 24, 20, dtype=torch.uint8), ShapeError, r"\(B, 1, H, W\)"),
    (torch.zeros(2, 3, 24, 20, dtype=torch.uint8), ShapeError, r"\(B, 1, H, W\)"),
    (torch.zeros(0, 1, 24, 20, dtype=torch.uint8), ShapeError, "not empty"),
    (torch.zeros(2, 1, 24, 0, dtype=torch.uint8), ShapeError, "not empty"),
    (torch.zeros(2, 1, 24, 20, dtype=torch.uint8, device="meta"), DeviceError, "device"),
]
NAMES = ["float", "complex", "path", "2d", "3d", "rgb", "empty", "no-columns", "device"]


def quarter(batch: int, height: int, width: int) -> Tensor:
    """Labels that ask for a mouth in the upper left quarter, and for nothing elsewhere."""
    labels = torch.full((batch, 1, height, width), UNSPECIFIED, dtype=torch.uint8)
    labels[..., : (height + 1) // 2, : (width + 1) // 2] = MOUTH
    return labels


class TestReshape(SlowToTrace):
    op_class = Reshape

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Portrait:
        return tiny_portrait(seed, dtype)

    def make_inputs(
        self, batch: int = 2, height: int = 24, width: int = 20, dtype: torch.dtype = torch.float32
    ) -> tuple[Any, ...]:
        return *super().make_inputs(batch, height, width, dtype), quarter(batch, height, width)

    def one_in(self, op: Any, inputs: tuple[Any, ...]) -> nn.Module:
        return op.bind(self._one(inputs[1]))

    def test_gradcheck(self) -> None:
        """For the image: labels are whole numbers."""
        op, (image, labels) = self.make_op(torch.float64), self.make_inputs(1, 5, 7, dtype=torch.float64)
        assert torch.autograd.gradcheck(op.bind(labels), image.requires_grad_(), eps=1e-6, atol=1e-5, rtol=1e-3)

    def test_gradients_reach_everything(self) -> None:
        op, (image, labels) = self.make_op(), self.make_inputs()
        op(image.requires_grad_(), labels).square().mean().backward()
        assert image.grad is not None
        assert image.grad.abs().sum() > 0
        assert all(one.grad is not None for one in op.model.generator.parameters())

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half(self, dtype: torch.dtype) -> None:
        image, labels = self.make_inputs()
        exact = self.make_op().edit(image, labels)
        for weights, pixels in ((dtype, dtype), (torch.float32, dtype), (dtype, torch.float32)):
            edit = self.make_op(weights).edit(image.to(pixels), labels)
            for part, reference in zip(edit, exact, strict=True):
                assert part.dtype == pixels
                assert (part.float() - reference).abs().mean() < 0.05


@pytest.fixture
def model() -> Portrait:
    return tiny_portrait()


# -- redrawing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (1, 1), (20, 24), (90, 33), (300, 7)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
def test_a_pictures_own_labels_leave_it_bit_for_bit(model: Portrait, size: tuple[int, int], dtype: torch.dtype) -> None:
    image = torch.rand(2, 3, *size)
    edit = Reshape(model, Look(threshold=0.0, softness=0.0)).edit(image, Parse(model).labels(image).to(dtype))
    assert torch.equal(edit.image, image)
    assert not edit.mask.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("size", [(32, 32), (90, 33)])
def test_so_they_do_in_every_dtype(model: Portrait, size: tuple[int, int], dtype: torch.dtype) -> None:
    image = torch.rand(24, 3, *size).to(dtype)
    assert torch.equal(Reshape(model, Look(threshold=0.0, softness=0.0))(image, Parse(model).labels(image)), image)


@pytest.mark.parametrize("number", [5, 100, UNSPECIFIED])
@pytest.mark.parametrize("size", [(32, 32), (11, 70)])
def test_numbers_that_are_no_parts_change_nothing(model: Portrait, number: int, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, 40, 28)
    labels = torch.full((1, 1, *size), number, dtype=torch.uint8)
    assert torch.equal(Reshape(model)(image, labels), image)


def test_negative_and_signed_numbers_change_nothing(model: Portrait) -> None:
    image = torch.rand(1, 3, 32, 32)
    for dtype in (torch.int8, torch.int32):
        labels = torch.full((1, 1, 32, 32), -1, dtype=dtype)
        assert torch.equal(Reshape(model)(image, labels), image)
        own = Parse(model).labels(image).to(dtype)
        assert torch.equal(Reshape(model)(image, own), image)


def test_a_changed_region_changes_the_picture_near_it_only(model: Portrait) -> None:
    image = torch.rand(1, 3, 32, 32)
    own = Parse(model).labels(image)
    labels = own.clone()
    labels[..., 6:12, 18:25] = MOUTH
    edit = Reshape(model).edit(image, labels)
    changed = labels != own
    near = dilate(changed.float(), NEAR)
    assert 0 < near.mean() < 0.6
    assert torch.equal(edit.mask, near)
    away = (near == 0).expand_as(image)
    assert torch.equal(edit.image[away], image[away])
    assert (edit.image != image).any(1, keepdim=True)[changed].all()


def test_large_pictures_change_near_the_region_too(model: Portrait) -> None:
    image = torch.rand(1, 3, 96, 128)
    labels = Parse(model).labels(image)
    labels[..., 60:78, 60:84] = MOUTH
    edit = Reshape(model).edit(image, labels)
    changed = (edit.image != image).any(1)[0].nonzero()
    # in the frame, pixels are three times as high and four times as wide, and one more is for the resizing
    (top, left), (bottom, right) = changed.amin(0).tolist(), changed.amax(0).tolist()
    assert 60 - 3 * (NEAR + 1) <= top < bottom < 78 + 3 * (NEAR + 1)
    assert 60 - 4 * (NEAR + 1) <= left < right < 84 + 4 * (NEAR + 1)
    assert (edit.image != image).any(1)[0, 62:76, 62:82].all()


def test_edits_at_the_networks_size_are_its_own(model: Portrait) -> None:
    image, labels = torch.rand(2, 3, 32, 32), quarter(2, 32, 32)
    own = Parse(model).labels(image)
    layer = model.edit(image, model.one_hot(torch.where(labels == own, UNSPECIFIED, labels)))
    edit = Reshape(model).edit(image, labels)
    torch.testing.assert_close(edit.raw, render(image, layer).raw)
    assert torch.equal(edit.mask, layer.mask)


def test_one_mask_goes_with_all_images_and_may_have_another_size(model: Portrait) -> None:
    image, labels = torch.rand(3, 3, 40, 36), quarter(1, 64, 48)
    together = Reshape(model)(image, labels)
    assert torch.equal(together, Reshape(model)(image, labels.expand(3, -1, -1, -1)))
    for index in range(3):
        alone = Reshape(model)(image[index : index + 1], labels)
        torch.testing.assert_close(together[index : index + 1], alone)


def test_a_bound_mask(model: Portrait) -> None:
    op, image, labels = Reshape(model, Look(detail=0.5)), torch.rand(2, 3, 24, 20), quarter(1, 24, 20)
    bound = op.bind(labels)
    assert isinstance(bound, BoundReshape)
    assert torch.equal(nn.Sequential(bound)(image), op(image, labels))
    assert all(torch.equal(*pair) for pair in zip(bound.edit(image), op.edit(image, labels), strict=True))
    assert (bound.frame_size, bound.detail, op.part_count) == ((32, 32), 0.5, 5)
    assert "labels" not in bound.state_dict()
    assert "labels" in dict(bound.named_buffers()), "it moves with the module"


@pytest.mark.parametrize(("labels", "error", "says"), BAD_LABELS, ids=NAMES)
def test_what_are_no_labels_is_refused(model: Portrait, labels: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Reshape(model)(torch.rand(2, 3, 24, 20), labels)
    if error is not DeviceError:
        with pytest.raises(error, match=says):
            Reshape(model).bind(labels)


def test_two_masks_do_not_go_with_three_images(model: Portrait) -> None:
    with pytest.raises(ShapeError, match="one labels for all images or one for each of the 3, got 2"):
        Reshape(model)(torch.rand(3, 3, 24, 20), quarter(2, 24, 20))


@pytest.mark.parametrize("op", [Reshape, Generate])
def test_methods_that_put_nothing_together_are_refused(op: type[Reshape] | type[Generate]) -> None:
    verb = {Reshape: "edit", Generate: "generate"}[op]
    for model in (tiny_mbu(), tiny_parsing(), tiny_portrait().for_content(0)):
        with pytest.raises(UnsupportedVerbError, match=f"expected a method that can {verb}, got {model.info.name}"):
            op(model)
    with pytest.raises(ConfigurationError, match="expected a method's network"):
        op(nn.Identity())


# -- masks in the frame ---------------------------------------------------------------------------------------------


def test_masks_of_the_frames_size_are_taken_as_they_are(model: Portrait) -> None:
    labels = torch.randint(0, 7, (2, 1, 32, 32), dtype=torch.uint8)
    mask = mask_in_frame(model, labels, torch.rand(2, 3, 32, 32, dtype=torch.float64))
    assert mask.dtype == torch.float64
    assert torch.equal(mask, model.one_hot(labels).double())


def test_each_pixel_of_the_frame_belongs_to_what_covers_most_of_it(model: Portrait) -> None:
    labels = torch.zeros(1, 1, 96, 96, dtype=torch.uint8)
    labels[..., 30:60, 30:60] = MOUTH
    labels[..., 70:80, :] = UNSPECIFIED
    mask = mask_in_frame(model, labels, torch.rand(1, 3, 32, 32))
    assert mask.unique().tolist() == [0, 1]
    assert mask[0, MOUTH, 10:20, 10:20].all()
    assert mask[0, MOUTH].sum() == 100
    known = mask.sum(1)[0]
    assert known[:23].eq(1).all()
    assert known[24:26].eq(0).all()
    assert known[28:].eq(1).all()


# -- pictures from masks --------------------------------------------------------------------------------------------


@pytest.fixture
def generate(model: Portrait) -> Generate:
    return Generate(model)


@pytest.fixture
def code(generate: Generate) -> Tensor:
    return generate.encode(torch.rand(1, 3, 50, 44))


def test_pictures_have_the_networks_size_and_the_methods_look(model: Portrait, generate: Generate) -> None:
    guide, labels = torch.rand(2, 3, 64, 50), torch.randint(0, 5, (2, 1, 32, 32), dtype=torch.uint8)
    code = generate.encode(guide)
    assert torch.equal(code, model.encode_guide(resize(guide, (32, 32))))
    made = generate(labels, code)
    grey = torch.full((2, 3, 32, 32), 0.5)
    assert torch.equal(made, model.generate(model.one_hot(labels), code, grey))
    assert 0 <= made.min() < made.max() <= 1
    assert generate.part_count == 5


@pytest.mark.parametrize("size", [(1, 1), (20, 24), (100, 33)])
def test_masks_of_any_size(generate: Generate, code: Tensor, size: tuple[int, int]) -> None:
    made = generate(torch.randint(0, 5, (3, 1, *size)), code)
    assert made.shape == (3, 3, 32, 32)
    assert made.isfinite().all()


def test_a_background_of_any_size_shows_where_the_mask_has_no_component(model: Portrait, code: Tensor) -> None:
    generate, labels, behind = Generate(model), quarter(2, 32, 32), torch.rand(1, 3, 70, 41)
    made = generate(labels, code, behind)
    frame = resize(behind, (32, 32)).expand(2, -1, -1, -1)
    assert torch.equal(made, model.generate(model.one_hot(labels), code.expand(2, -1, -1, -1), frame))
    assert not torch.equal(made, generate(labels, code))
    own = torch.cat([behind, torch.rand(1, 3, 70, 41)])
    assert torch.equal(generate(labels, code, own)[0], made[0])
    assert not torch.equal(generate(labels, code, own)[1], made[1])


def test_default_codes_are_used_where_none_is_given(model: Portrait, generate: Generate, code: Tensor) -> None:
    labels = quarter(2, 32, 32)
    with pytest.raises(ConfigurationError, match="these weights have no default one: encode a guide picture"):
        generate(labels)
    guides = torch.cat([code, generate.encode(torch.rand(2, 3, 32, 32))])
    assert torch.equal(Generate(model, guides=guides)(labels), generate(labels, code))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_codes_and_backgrounds_of_any_dtype(dtype: torch.dtype, code: Tensor) -> None:
    """Pictures come in the weights' dtype: there is no image whose dtype they could take."""
    labels, behind = quarter(1, 32, 32), torch.rand(1, 3, 40, 40)
    exact = Generate(tiny_portrait())(labels, code, behind)
    made = Generate(tiny_portrait())(labels, code.to(dtype), behind.to(dtype))
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, exact, rtol=0, atol=0.05)
    made = Generate(tiny_portrait(dtype=dtype))(labels, code, behind)
    assert made.dtype == dtype
    torch.testing.assert_close(made.float(), exact, rtol=0, atol=0.1)


@pytest.mark.parametrize(("labels", "error", "says"), BAD_LABELS, ids=NAMES)
def test_pictures_are_made_from_labels_only(
    generate: Generate, code: Tensor, labels: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        generate(labels, code)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"code": torch.rand(2, 7, 1, 1)}, ShapeError, "expected code of shape"),
        ({"code": torch.rand(24, 1, 1)}, ShapeError, "expected code of shape"),
        ({"code": torch.rand(3, 24, 1, 1)}, ShapeError, "one code for all images or one for each of the 2, got 3"),
        ({"code": torch.ones(1, 24, 1, 1, dtype=torch.int64)}, DTypeError, "floating-point"),
        ({"background": torch.rand(3, 8, 8)}, ShapeError, "batch dimension"),
        ({"background": torch.rand(1, 4, 8, 8)}, ShapeError, "alpha"),
        ({"background": torch.zeros(1, 3, 8, 8, dtype=torch.uint8)}, DTypeError, "/ 255"),
        ({"background": torch.rand(3, 3, 8, 8)}, ShapeError, "one background for all .* each of the 2, got 3"),
        ({"background": torch.rand(1, 3, 8, 8, device="meta")}, DeviceError, "background on the weights' device"),
    ],
)
def test_what_does_not_go_with_labels_is_refused(
    generate: Generate, code: Tensor, changes: dict[str, Tensor], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        generate(quarter(2, 32, 32), **({"code": code} | changes))


def test_what_is_no_guide_is_refused(generate: Generate) -> None:
    with pytest.raises(DTypeError, match="expected guide of a floating-point dtype"):
        generate.encode(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
