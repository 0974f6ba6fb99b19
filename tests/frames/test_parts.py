"""Masks of parts of whole photos: read in the places that an aligner finds, edited, and brought back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError, DTypeError, FrameError, ShapeError
from mbu_ops.families.aligning import FrameLike
from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame
from mbu_ops.frames.parts import FramedParse, FramedReshape
from mbu_ops.functional.mask import resize
from mbu_ops.functional.warp import crop
from mbu_ops.methods.portrait import Portrait
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import UNSPECIFIED, Reshape
from mbu_ops.testing import tiny_portrait

LEFT, RIGHT, LARGE = Box(4, 6, 44, 56), Box(60, 10, 92, 40), Box(5, 2, 125, 78)
TURNED, UPRIGHT = Frame(30, 34, 40, 25), Frame(95, 40, 33.3)
PLACES: dict[str, tuple[FrameLike, ...]] = {
    "box": (LEFT,),
    "boxes": (LEFT, RIGHT),
    "large": (LARGE,),
    "overlap": (LEFT, Box(30, 20, 80, 70)),
    "frame": (TURNED,),
    "frames": (TURNED, UPRIGHT),
    "border": (Frame(3, 76, 40, -30),),
    "both": (TURNED, RIGHT),
}
MOUTH = 3


class Stub:
    """An aligner that finds the same places in every photo."""

    def __init__(self, *places: FrameLike) -> None:
        self.places = places

    def find(self, image: Tensor) -> Sequence[FrameLike]:
        assert image.shape[0] == 1, "an aligner sees one photo at a time"
        return self.places


@pytest.fixture
def model() -> Portrait:
    return tiny_portrait()


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(1, 3, 80, 130)


@pytest.fixture(params=PLACES)
def places(request: pytest.FixtureRequest) -> tuple[FrameLike, ...]:
    return PLACES[request.param]


def touched(photo: Tensor, *places: FrameLike) -> Tensor:
    """Where places lie, ``(1, 1, H, W)`` bool."""
    found = torch.zeros_like(photo[:, :1], dtype=torch.bool)
    for place in places:
        left, top, right, bottom = place.bounds(photo)
        found[..., top:bottom, left:right] = True
    return found


def inside(frame: Frame, photo: Tensor, margin: float) -> Tensor:
    """Pixels whose centre lies that deep in a turned square, ``(1, 1, H, W)`` bool."""
    height, width = photo.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height) + 0.5 - frame.y, torch.arange(width) + 0.5 - frame.x, indexing="ij")
    turn = math.radians(frame.angle)
    right, down = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return (torch.maximum(right.abs(), down.abs()) < frame.side / 2 - margin)[None, None]


# -- reading --------------------------------------------------------------------------------------------------------


def test_a_boxs_labels_are_those_of_what_it_holds(model: Portrait, photo: Tensor) -> None:
    labels = FramedParse(Parse(model), LEFT)(photo)
    assert labels.shape == (1, 1, 80, 130)
    assert labels.dtype == torch.uint8
    assert torch.equal(crop(labels, LEFT.sides).long(), Parse(model).labels(crop(photo, LEFT.sides)))
    assert not labels[~touched(photo, LEFT)].any()


def test_a_large_box_is_parsed_small_and_decided_at_its_own_size(model: Portrait, photo: Tensor) -> None:
    labels = FramedParse(Parse(model), LARGE)(photo)
    shares = Parse(model).predict(resize(LARGE.cut(photo, 64), (32, 32)))
    expected = resize(shares, (LARGE.height, LARGE.width)).argmax(1, keepdim=True)
    assert torch.equal(crop(labels, LARGE.sides).long(), expected)


def test_labels_outside_places_are_0(model: Portrait, photo: Tensor, places: tuple[FrameLike, ...]) -> None:
    labels = FramedParse(Parse(model), Stub(*places))(photo)
    assert not labels[~touched(photo, *places)].any()
    assert set(labels.unique().tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("frame", [TURNED, UPRIGHT, Frame(3, 76, 40, -30)])
def test_a_turned_frame_labels_its_own_square(model: Portrait, photo: Tensor, frame: Frame) -> None:
    labels = FramedParse(Parse(model), Stub(frame))(photo)
    assert not labels[~inside(frame, photo, -0.01)].any()
    assert (labels[inside(frame, photo, 1)] > 0).float().mean() > 0.5


def test_what_is_turned_is_read_upright(model: Portrait, photo: Tensor) -> None:
    labels = FramedParse(Parse(model), Stub(Frame(50, 44, 64, 90)))(photo)
    upright = torch.rot90(photo[..., 12:76, 18:82], 1, (-2, -1))
    expected = torch.rot90(Parse(model).labels(upright), -1, (-2, -1))
    found = labels[..., 12:76, 18:82]
    assert (found == expected)[..., 1:-1, 1:-1].float().mean() > 0.99


def test_of_places_that_overlap_the_first_counts(model: Portrait, photo: Tensor) -> None:
    first, second = PLACES["overlap"]
    one, two = (FramedParse(Parse(model), Stub(place))(photo) for place in (first, second))
    both = FramedParse(Parse(model), Stub(first, second))(photo)
    assert torch.equal(both, torch.where(one > 0, one, two))
    assert ((one > 0) & (two > 0) & (one != two)).any()


def test_photos_of_a_batch_have_their_own_places(model: Portrait) -> None:
    photos = torch.rand(2, 3, 80, 130)
    parse = FramedParse(Parse(model), Stub(LEFT))
    labels = parse(photos)
    for index in range(2):
        assert torch.equal(labels[index : index + 1], parse(photos[index : index + 1]))
    known = parse(photos, [(RIGHT,), (LEFT, RIGHT)])
    assert torch.equal(known[:1], FramedParse(Parse(model), RIGHT)(photos[:1]))
    assert torch.equal(known[1:], FramedParse(Parse(model), Stub(LEFT, RIGHT))(photos[1:]))


@pytest.mark.parametrize(
    ("which", "chosen"), [("largest", (LEFT,)), (1, (LEFT,)), (2, (RIGHT,)), ("all", (LEFT, RIGHT))]
)
def test_which_is_parsed(model: Portrait, photo: Tensor, which: Any, chosen: tuple[Box, ...]) -> None:
    labels = FramedParse(Parse(model), Stub(LEFT, RIGHT), which)(photo)
    assert torch.equal(labels, FramedParse(Parse(model), Stub(*chosen))(photo))


def test_large_places_go_back_in_bands_without_a_seam(
    monkeypatch: pytest.MonkeyPatch, model: Portrait, photo: Tensor, places: tuple[FrameLike, ...]
) -> None:
    parse = FramedParse(Parse(model), Stub(*places))
    whole = parse(photo)
    monkeypatch.setattr("mbu_ops.frames.parts.BAND", 700)
    assert (parse(photo) == whole).float().mean() > 0.9999


def test_reading_takes_no_gradients(model: Portrait, photo: Tensor) -> None:
    labels = FramedParse(Parse(model), LEFT)(photo.requires_grad_())
    assert not labels.requires_grad
    with pytest.raises(ShapeError, match="batch dimension"):
        FramedParse(Parse(model), LEFT)(photo[0])


@pytest.mark.parametrize("kind", [FramedParse, FramedReshape])
def test_nothing_found_and_too_large_a_number(kind: Any, model: Portrait, photo: Tensor) -> None:
    op = (Parse if kind is FramedParse else Reshape)(model)
    labels = () if kind is FramedParse else (torch.zeros(1, 1, 80, 130, dtype=torch.uint8),)
    with pytest.raises(FrameError, match="found none"):
        kind(op, Stub())(photo, *labels)
    with pytest.raises(FrameError, match="at least 3 objects, found 2"):
        kind(op, Stub(LEFT, RIGHT), 3)(photo, *labels)
    for which in (0, "first", None, True):
        with pytest.raises(ConfigurationError, match="expected 'all', 'largest' or a number"):
            kind(op, LEFT, which)


# -- editing --------------------------------------------------------------------------------------------------------


def read_and_edit(model: Portrait, *places: FrameLike, which: Any = "all") -> tuple[FramedParse, FramedReshape]:
    stub = Stub(*places)
    return FramedParse(Parse(model), stub), FramedReshape(Reshape(model), stub, which)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_unedited_labels_return_the_photo_bit_for_bit(
    model: Portrait, photo: Tensor, places: tuple[FrameLike, ...], dtype: torch.dtype
) -> None:
    parse, edit = read_and_edit(model, *places)
    assert torch.equal(edit(photo, parse(photo).to(dtype)), photo)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_so_they_do_in_every_dtype(model: Portrait, photo: Tensor, dtype: torch.dtype) -> None:
    parse, edit = read_and_edit(model, TURNED, RIGHT)
    photo = photo.to(dtype)
    labels = parse(photo)
    assert torch.equal(edit(photo, labels), photo)
    labels[..., 28:40, 24:36] = MOUTH
    result = edit(photo, labels)
    assert result.dtype == dtype
    assert not torch.equal(result, photo)
    assert torch.equal(crop(result, RIGHT.sides), crop(photo, RIGHT.sides))


def test_so_do_those_of_a_batch(model: Portrait) -> None:
    photos = torch.rand(2, 3, 80, 130)
    parse, edit = read_and_edit(model, TURNED, RIGHT)
    assert torch.equal(edit(photos, parse(photos)), photos)


def test_an_edited_box_is_what_the_op_makes_of_it(model: Portrait, photo: Tensor) -> None:
    parse, edit = read_and_edit(model, LEFT)
    labels = parse(photo)
    labels[..., 20:30, 15:28] = MOUTH
    result = edit(photo, labels)
    expected = Reshape(model)(crop(photo, LEFT.sides), crop(labels, LEFT.sides))
    torch.testing.assert_close(crop(result, LEFT.sides), expected)
    assert not torch.equal(result, photo)


def test_an_edit_in_one_place_leaves_the_other_and_all_else_untouched(model: Portrait, photo: Tensor) -> None:
    for first, second in ((LEFT, RIGHT), (TURNED, UPRIGHT), (TURNED, RIGHT)):
        parse, edit = read_and_edit(model, first, second)
        labels = parse(photo)
        labels[..., 28:40, 24:36] = MOUTH
        result = edit(photo, labels)
        changed = (result != photo).any(1, keepdim=True)
        assert changed[..., 30:38, 26:34].all()
        assert not (changed & ~touched(photo, first)).any()
        rows, columns = changed[0, 0].nonzero().T
        assert rows.min() > 28 - 12
        assert columns.max() < 36 + 12


def test_both_places_can_be_edited_at_once(model: Portrait, photo: Tensor) -> None:
    parse, edit = read_and_edit(model, LEFT, RIGHT)
    own, results = parse(photo), []
    for parts in ([LEFT], [RIGHT], [LEFT, RIGHT]):
        labels = own.clone()
        for box in parts:
            labels[..., box.top + 8 : box.top + 18, box.left + 8 : box.left + 18] = MOUTH
        results.append(edit(photo, labels))
    one, two, both = results
    assert torch.equal(both, torch.where(touched(photo, LEFT), one, two))
    assert not torch.equal(one, photo)
    assert not torch.equal(two, photo)


def test_a_turned_place_changes_within_its_square(model: Portrait, photo: Tensor) -> None:
    _, edit = read_and_edit(model, TURNED)
    result = edit(photo, torch.full((1, 1, 80, 130), MOUTH))
    changed = (result != photo).any(1, keepdim=True)
    assert not (changed & ~inside(TURNED, photo, -0.01)).any()
    assert changed[inside(TURNED, photo, 6)].float().mean() > 0.9


def test_what_is_painted_elsewhere_or_unspecified_is_ignored(model: Portrait, photo: Tensor) -> None:
    parse, edit = read_and_edit(model, LEFT)
    labels = parse(photo)
    labels[~touched(photo, LEFT)] = MOUTH
    assert torch.equal(edit(photo, labels), photo)
    assert torch.equal(edit(photo, torch.full_like(labels, UNSPECIFIED)), photo)


def test_which_is_edited(model: Portrait, photo: Tensor) -> None:
    labels = torch.full((1, 1, 80, 130), MOUTH, dtype=torch.uint8)
    for which, chosen, other in ((1, LEFT, RIGHT), (2, RIGHT, LEFT), ("largest", LEFT, RIGHT)):
        result = read_and_edit(model, LEFT, RIGHT, which=which)[1](photo, labels)
        assert torch.equal(crop(result, other.sides), crop(photo, other.sides))
        assert torch.equal(result, read_and_edit(model, chosen)[1](photo, labels))
        assert not torch.equal(result, photo)


def test_photos_of_a_batch_are_edited_by_their_own_labels(model: Portrait) -> None:
    photos = torch.rand(2, 3, 80, 130)
    parse, edit = read_and_edit(model, TURNED)
    labels = parse(photos)
    labels[1, :, 28:40, 24:36] = MOUTH
    result = edit(photos, labels)
    assert torch.equal(result[0], photos[0])
    assert torch.equal(result[1:], edit(photos[1:], labels[1:]))
    assert not torch.equal(result[1], photos[1])


def test_gradients_reach_the_photo(model: Portrait, photo: Tensor) -> None:
    _, edit = read_and_edit(model, TURNED, RIGHT)
    edit(photo.requires_grad_(), torch.full((1, 1, 80, 130), MOUTH)).square().sum().backward()
    assert photo.grad is not None
    assert photo.grad.isfinite().all()
    assert (photo.grad != 0).float().mean() > 0.9


@pytest.mark.parametrize(
    ("labels", "error", "says"),
    [
        (torch.zeros(1, 1, 130, 80, dtype=torch.uint8), ShapeError, r"photos' size \(80, 130\), one for each of the 1"),
        (torch.zeros(1, 1, 40, 65, dtype=torch.uint8), ShapeError, "photos' size"),
        (torch.zeros(2, 1, 80, 130, dtype=torch.uint8), ShapeError, "one for each of the 1"),
        (torch.zeros(80, 130, dtype=torch.uint8), ShapeError, r"labels\[None, None\]"),
        (torch.zeros(1, 1, 80, 130), DTypeError, "whole numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    model: Portrait, photo: Tensor, labels: Tensor, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        FramedReshape(Reshape(model), LEFT)(photo, labels)
