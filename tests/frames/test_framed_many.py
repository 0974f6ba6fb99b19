"""Ops on turned frames, several in a photo, as an aligner finds them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, FrameError, ShapeError
from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame
from mbu_ops.frames.framed import Framed
from mbu_ops.functional.blend import blend
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.transfer import Transfer

LARGE, MIDDLE, SMALL = Frame(40, 42, 50, 20), Frame(100, 30, 33.3, -70), Frame(95, 80, 20, 190)
BEYOND = Frame(2, 95, 24, 45)
FOUR = (LARGE, MIDDLE, BEYOND, SMALL)


class Stub:
    """An aligner that finds the same frames in every photo, or in each the number that its first value says."""

    def __init__(self, *frames: Frame, counted: bool = False) -> None:
        self.frames = frames
        self.counted = counted

    def find(self, image: Tensor) -> Sequence[Frame]:
        assert image.shape[0] == 1, "an aligner sees one photo at a time"
        return self.frames[: round(image[0, 0, 0, 0].item() * 10)] if self.counted else self.frames


class Invert(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return 1 - image


class Counting(nn.Module):
    """Inverts, and remembers how many pictures it was given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, ...]] = []

    def forward(self, image: Tensor) -> Tensor:
        self.batches.append(tuple(image.shape))
        return 1 - image


class Paint(nn.Module):
    """Paints one value under a disc."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def edit(self, image: Tensor) -> Edit:
        at = (torch.arange(image.shape[-1]).to(image) + 0.5) / image.shape[-1] - 0.5
        mask = ((at[:, None] ** 2 + at**2) < 0.16).to(image).expand(image.shape[0], 1, -1, -1)
        raw = torch.full_like(image, self.value)
        return Edit(blend(image, raw, mask), mask, raw)


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(2, 3, 100, 130)


def ops(model: MBU) -> dict[str, nn.Module]:
    bound = Transfer(model).bind(torch.rand(1, 3, 20, 20))
    chain = Chain([("remove", Remove(model)), ("add", bound)])
    return {"remove": Remove(model), "bound": bound, "chain": chain, "paint": Paint(0.9), "any": Invert()}


@pytest.mark.parametrize("kind", ["remove", "bound", "chain", "paint", "any"])
@pytest.mark.parametrize("views", [1, 3])
def test_outside_the_mask_every_bit_is_the_photo_s(kind: str, views: int, model: MBU, photo: Tensor) -> None:
    framed = Framed(ops(model)[kind], Stub(*FOUR), views=views)
    before = photo.clone()
    edit, result = framed.edit(photo), framed(photo)
    assert torch.equal(photo, before), "the photo itself is not written to"
    assert result.shape == photo.shape
    outside = (edit.mask == 0).expand_as(photo)
    assert 0.3 < outside.float().mean() < 0.95
    assert torch.equal(result[outside], photo[outside])
    assert torch.equal(edit.image[outside], photo[outside])
    assert not torch.equal(result, photo)


@pytest.mark.parametrize("kind", ["remove", "bound", "chain", "paint", "any"])
@pytest.mark.parametrize("views", [1, 3])
def test_edit_and_forward_agree_and_are_one_blend(kind: str, views: int, model: MBU, photo: Tensor) -> None:
    framed = Framed(ops(model)[kind], Stub(*FOUR), views=views)
    edit = framed.edit(photo)
    torch.testing.assert_close(edit.image, framed(photo))
    torch.testing.assert_close(blend(photo, edit.raw, edit.mask), edit.image)
    assert edit.mask.shape == (2, 1, 100, 130)
    assert 0 <= edit.mask.min() <= edit.mask.max() <= 1 + 1e-6


@pytest.mark.parametrize("views", [0, 7, -1, 1.0, True, None])
def test_bad_views(views: object) -> None:
    with pytest.raises(ConfigurationError, match="views"):
        Framed(Invert(), Stub(), views=views)


@pytest.mark.parametrize("frame", [Frame(60, 50, 33, 45), Frame(60, 50, 50, 30), Frame(60, 50, 65.5, -20)])
@pytest.mark.parametrize("views", [1, 3])
def test_nothing_changes_outside_a_turned_frame(frame: Frame, views: int, photo: Tensor) -> None:
    mask = Framed(Invert(), Stub(frame), views=views).edit(photo[:1]).mask[0, 0]
    y, x = torch.meshgrid(torch.arange(100) + 0.5 - frame.y, torch.arange(130) + 0.5 - frame.x, indexing="ij")
    turn = math.radians(frame.angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    apart = torch.maximum((x * cosine + y * sine).abs(), (y * cosine - x * sine).abs())
    assert not mask[apart > frame.side / 2 + 0.01].any()
    assert mask[apart < 0.3 * frame.side].min() > 0.99


def test_an_edit_that_covers_its_frame_fades_at_the_border() -> None:
    frame = Frame(50, 50, 64, 30)
    photo = torch.zeros(1, 3, 100, 100)
    result = Framed(Invert(), Stub(frame))(photo)[0, 0]
    assert result[50, 50] == pytest.approx(1)
    left, top, right, bottom = frame.bounds(photo)
    away = torch.ones_like(result, dtype=torch.bool)
    away[top:bottom, left:right] = False
    assert not result[away].any()
    for x, y in frame.corners:
        assert result[int(y), int(x)] < 0.2
    assert result.diff(dim=0).abs().max() < 0.6
    assert result.diff(dim=1).abs().max() < 0.6


def test_the_op_sees_its_content_upright(photo: Tensor) -> None:
    seen: list[Tensor] = []

    class Look(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(image)
            return image

    quarter = Frame(50, 48, 64, 90)
    result = Framed(Look(), Stub(quarter))(photo[:1])
    upright = torch.rot90(photo[:1, :, 16:80, 18:82], 1, (-2, -1))
    torch.testing.assert_close(seen[0], upright, rtol=0, atol=1e-4)
    torch.testing.assert_close(result, photo[:1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("frame", [Frame(4, 5, 7, 25), Frame(1, 8, 6, -130)])
def test_gradients_reach_the_photo(frame: Frame, model: MBU) -> None:
    photo = torch.rand(1, 3, 9, 10, dtype=torch.float64, requires_grad=True)
    framed = Framed(Remove(model.double()), Stub())
    for call in (lambda one: framed(one, [[frame]]), lambda one: framed.edit(one, [[frame]]).image):
        assert torch.autograd.gradcheck(call, photo, atol=1e-5, rtol=1e-3, fast_mode=True)


def test_gradients_go_through_what_an_aligner_finds(model: MBU, photo: Tensor) -> None:
    photo.requires_grad_()
    Framed(Transfer(model).bind(torch.rand(1, 3, 20, 20)), Stub(*FOUR))(photo).square().sum().backward()
    assert photo.grad is not None
    assert photo.grad.isfinite().all()
    assert (photo.grad != 0).float().mean() > 0.9


def test_photos_of_a_batch_have_their_own_numbers_of_places(model: MBU) -> None:
    photos = torch.rand(4, 3, 100, 130)
    for index, count in enumerate((1, 4, 2, 3)):
        photos[index, 0, 0, 0] = count / 10
    framed = Framed(Remove(model), Stub(*FOUR, counted=True))
    assert [len(places) for places in framed.find(photos)] == [1, 4, 2, 3]
    together = framed(photos)
    for index in range(4):
        alone = photos[index : index + 1]
        torch.testing.assert_close(together[index : index + 1], framed(alone), rtol=0, atol=1e-5)
        known = framed(alone, [FOUR[: (1, 4, 2, 3)[index]]])
        torch.testing.assert_close(together[index : index + 1], known, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("which", "chosen"), [("largest", LARGE), (1, LARGE), (2, MIDDLE), (4, SMALL)])
def test_which(which: str | int, chosen: Frame, photo: Tensor) -> None:
    framed = Framed(Invert(), Stub(*FOUR), which)
    assert [list(places) for places in framed.find(photo)] == [[chosen], [chosen]]
    assert torch.equal(framed(photo), Framed(Invert(), Stub(chosen))(photo))
    assert repr(which) in repr(framed)


def test_a_number_that_is_too_large(photo: Tensor) -> None:
    with pytest.raises(FrameError, match=r"at least 5 .*found 4"):
        Framed(Invert(), Stub(*FOUR), 5)(photo)


def test_nothing_found(photo: Tensor) -> None:
    framed = Framed(Invert(), Stub())
    for call in (framed, framed.edit, framed.find):
        with pytest.raises(FrameError, match="found none"):
            call(photo)
    photo[0, 0, 0, 0], photo[1, 0, 0, 0] = 0.2, 0
    with pytest.raises(FrameError, match="found none"):
        Framed(Invert(), Stub(*FOUR, counted=True))(photo)


def test_a_photo_without_any_may_stay_as_it_is(photo: Tensor) -> None:
    photo[0, 0, 0, 0], photo[1, 0, 0, 0] = 0.2, 0
    finder = Stub(*FOUR, counted=True)
    framed = Framed(Invert(), finder, missing="keep")
    assert [list(places) for places in framed.find(photo)] == [list(FOUR[:2]), []]
    assert torch.equal(framed(photo)[:1], Framed(Invert(), finder)(photo[:1]))
    assert torch.equal(framed(photo)[1:], photo[1:])
    assert not framed.edit(photo).mask[1:].any()
    assert torch.equal(Framed(Invert(), finder, 3, missing="keep")(photo), photo), "nor has one a third"
    assert not Framed(Segment(MBU("lite").eval()), Stub(), missing="keep")(photo).any()
    assert "missing='keep'" in repr(framed)


@pytest.mark.parametrize("missing", ["", "skip", None, True])
def test_bad_missing(missing: object) -> None:
    with pytest.raises(ConfigurationError, match="missing to be 'raise' or 'keep'"):
        Framed(Invert(), Stub(), missing=missing)


@pytest.mark.parametrize("which", ["", "ALL", "first", 0, -1, 1.0, True, None, (1,)])
def test_bad_which(which: object) -> None:
    with pytest.raises(ConfigurationError, match=r"expected 'all', 'largest' or a number"):
        Framed(Invert(), Stub(), which)


def test_a_place_outside_its_photo(photo: Tensor) -> None:
    with pytest.raises(ShapeError, match="touches the image"):
        Framed(Invert(), Stub())(photo, [[Frame(1000, 5, 20)]] * 2)


def test_where_frames_overlap_the_later_is_made_upon_the_earlier() -> None:
    photo = torch.zeros(1, 3, 64, 96)
    first, second = Frame(32, 32, 50), Frame(60, 32, 50)
    places = [[first, second]]
    one, two = (Framed(Paint(0.8), Stub())(photo, [[frame]]) for frame in (first, second))
    both = Framed(Paint(0.8), Stub())(photo, places)
    torch.testing.assert_close(both, torch.maximum(one, two), rtol=0, atol=0.35)
    assert both.max() <= 0.8 + 1e-6, "one blend of each, never a sum"
    edit = Framed(Paint(0.8), Stub()).edit(photo, places)
    torch.testing.assert_close(edit.image, both)
    torch.testing.assert_close(blend(photo, edit.raw, edit.mask), both)
    shared = (one > 0.79) & (two > 0.79)
    assert shared.any()
    assert (both[shared] > 0.79).all()


def test_masks_of_overlapping_frames_unite(model: MBU, photo: Tensor) -> None:
    overlapping = (LARGE, Frame(50, 45, 52, -30))
    framed = Framed(Segment(model), Stub(*overlapping))
    assert framed.makes_mask
    assert not Framed(Remove(model), Stub(LARGE)).makes_mask
    mask = framed(photo)
    assert mask.shape == (2, 1, 100, 130)
    alone = [Framed(Segment(model), Stub(frame))(photo) for frame in overlapping]
    assert (torch.minimum(*alone) > 0.1).any()
    torch.testing.assert_close(mask, torch.maximum(*alone))
    edit = framed.edit(photo)
    assert torch.equal(edit.image, photo), "segment leaves the photo alone"
    assert torch.equal(edit.mask > 0, mask > 0)
    apart = [Frame(30, 40, 40, 20), Frame(100, 40, 40)]
    framed = Framed(Segment(model), Stub(*apart))
    torch.testing.assert_close(framed.edit(photo).mask, framed(photo))


@pytest.mark.parametrize(("dtype", "near"), [(torch.float16, 0.02), (torch.bfloat16, 0.1), (torch.float64, 1e-5)])
def test_number_types(dtype: torch.dtype, near: float, model: MBU, photo: Tensor) -> None:
    for op in (Invert(), Remove(model)):
        framed = Framed(op.to(dtype), Stub(*FOUR))
        low = photo.to(dtype)
        result, edit = framed(low), framed.edit(low)
        assert {result.dtype, *(part.dtype for part in edit)} == {dtype}
        outside = (edit.mask == 0).expand_as(low)
        assert torch.equal(result[outside], low[outside])
    expected = Framed(Invert(), Stub(*FOUR))(photo)
    close = Framed(Invert(), Stub(*FOUR))(photo.to(dtype)).float()
    torch.testing.assert_close(close, expected, rtol=0, atol=near)


def test_a_crowd_is_edited_as_each_would_be_alone(model: MBU) -> None:
    photo = torch.rand(1, 3, 5 * 30, 8 * 30)
    crowd = [Frame(30 * x + 15, 30 * y + 15, 18 + (x + y) % 3, 9 * x - 30) for y in range(5) for x in range(8)]
    framed = Framed(Remove(model), Stub(*crowd))
    together, one_by_one = framed(photo), photo
    for frame in crowd:
        one_by_one = framed(one_by_one, [[frame]])
    torch.testing.assert_close(together, one_by_one, rtol=0, atol=1e-5)
    assert not torch.equal(together, photo)


def test_a_crowd_shares_batches_but_not_without_end() -> None:
    crowd = [Frame(30 * x + 15, 30 * y + 15, 20) for y in range(5) for x in range(8)]
    op = Counting()
    Framed(op, Stub(*crowd))(torch.rand(1, 3, 150, 240))
    assert sum(shape[0] for shape in op.batches) == 40
    assert 1 < max(shape[0] for shape in op.batches) < 40


def test_boxes_and_frames_go_together(photo: Tensor) -> None:
    box = Box(70, 60, 100, 95)
    result = Framed(Invert(), Stub())(photo, [[LARGE, box]] * 2)
    expected = Framed(Invert(), box)(Framed(Invert(), Stub(LARGE))(photo))
    torch.testing.assert_close(result[..., 65:, 75:], expected[..., 65:, 75:])
    assert torch.equal(result[..., 60:95, 75:100], 1 - photo[..., 60:95, 75:100])


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1)])
def test_frames_larger_than_their_photo(size: tuple[int, int], model: MBU) -> None:
    photo = torch.rand(1, 3, *size)
    for op in (Remove(model), Invert()):
        result = Framed(op, Stub(Frame(size[1] / 2, size[0] / 2, 300, 12)))(photo)
        assert result.shape == photo.shape
        assert result.isfinite().all()


def test_a_module_that_is_no_op_of_ours_has_the_last_word() -> None:
    photo = torch.rand(1, 3, 90, 90, generator=torch.Generator().manual_seed(0))
    place = [[Frame(45, 45, 60)]]
    grey = Framed(nn.Hardtanh(0.4, 0.6), Box(0, 0, 90, 90))(photo, place)
    inside = grey[..., 30:60, 30:60]
    assert inside.min() > 0.38
    assert inside.max() < 0.62


@pytest.mark.parametrize("places", [[], [Frame(20, 20, 16)], [[Frame(20, 20, 16)], [Frame(20, 20, 16)]]])
def test_places_that_are_not_one_list_a_photo(places: object, model: MBU, photo: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="one sequence for each"):
        Framed(Remove(model), Box(0, 0, 9, 9))(photo[:1], places)


@pytest.mark.parametrize("views", [2, 6])
def test_a_box_is_edited_up_to_its_border_in_all_views(views: int) -> None:
    photo = torch.rand(1, 3, 60, 60)
    edit = Framed(nn.Identity(), Box(10, 10, 50, 50), views=views).edit(photo)
    assert edit.mask[..., 10:50, 10:50].min() > 0.999
    assert edit.mask.sum() <= 1600.001


def test_large_places_go_back_in_bands_without_a_seam(
    monkeypatch: pytest.MonkeyPatch, model: MBU, photo: Tensor
) -> None:
    places = [[LARGE, Box(60, 50, 110, 95)]]
    framed = Framed(Remove(model), Box(0, 0, 9, 9))
    whole, whole_edit = framed(photo[:1], places), framed.edit(photo[:1], places)
    monkeypatch.setattr("mbu_ops.functional.render.BAND", 300)
    torch.testing.assert_close(framed(photo[:1], places), whole)
    for part, expected in zip(framed.edit(photo[:1], places), whole_edit, strict=True):
        torch.testing.assert_close(part, expected)
