"""Edits of decoded files: the same as those of whole photos, of which only what is around the places is a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbu_ops import Framed
from mbu_ops.batch.editor import Editor, Result, find_in
from mbu_ops.errors import FrameError, ImageFileError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.frames import Box, Frame
from mbu_ops.images import ImageFile, ImageKind
from mbu_ops.limits import Limits, limited
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import tiny_mbu, tiny_native_dial

CPU = torch.device("cpu")
PLACES = (Frame(70, 60, 50, 10), Frame(110, 70, 44, -20, yaw=30.0), Frame(292, 190, 40, 80), Frame(260, 30, 24))
"""Two that meet, one that the border cuts, and one alone."""


class Known:
    """Finds what it is told, and remembers the sizes of the photos that it was shown."""

    def __init__(self, places: Sequence[Any], largest: object = None) -> None:
        self.places = places
        self.shown: list[tuple[int, ...]] = []
        if largest is not None:
            self.largest = largest

    def find(self, image: Tensor) -> Sequence[Any]:
        self.shown.append(tuple(image.shape[-2:]))
        return self.places


def photo(height: int = 200, width: int = 300, dtype: Any = np.uint8) -> ImageFile:
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.random((1, 3, 25, 38), np.float32))
    fine = nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)[0].permute(1, 2, 0)
    top = np.iinfo(dtype).max
    return ImageFile((fine.numpy() * top).round().astype(dtype), None, ImageKind(bits=8 * np.dtype(dtype).itemsize))


def step(kind: str) -> nn.Module:
    """Return one whose frame is no whole face, or whose pixels move."""
    torch.manual_seed(3)
    return Remove(tiny_mbu()) if kind == "mbu" else Remove(tiny_native_dial())


def assert_masks_match(samples: Any, mask: Any) -> None:
    assert samples.dtype == np.uint8
    assert np.abs(samples - mask[0].mul(255).round().numpy()).max() <= 1, "but for rounding"


@pytest.mark.parametrize("kinds", [["mbu"], ["native"], ["native", "mbu"]])
@pytest.mark.parametrize("wants_mask", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_windows_are_edited_as_whole_photos_are(kinds: list[str], wants_mask: bool, dtype: Any) -> None:
    chain = Chain([(kind, step(kind)) for kind in kinds])
    file, editor = photo(dtype=dtype), Editor(Framed(chain, Known(PLACES)), CPU, wants_mask)
    before = file.pixels.copy()
    [result], [whole] = editor.edit_files([file]), editor(file.to_tensor()[None])
    assert isinstance(result, Result)
    assert isinstance(whole, Result)
    assert isinstance(whole.image, Tensor)
    top = np.iinfo(dtype).max
    expected = (whole.image * top).round().permute(1, 2, 0).numpy().astype(np.int64)
    assert np.abs(result.image - expected).max() <= max(1, top // 20_000), "but for rounding"
    assert (result.image != before).any()
    assert np.array_equal(file.pixels, before), "the photo itself stays as it was"
    assert result.places == whole.places
    assert (result.mask is not None) == wants_mask
    if wants_mask:
        assert_masks_match(result.mask, whole.mask)
        untouched = (whole.mask[0] == 0).numpy()
        assert np.array_equal(np.asarray(result.image)[untouched], before[untouched])


def test_masks_of_all_windows_are_in_one() -> None:
    editor = Editor(Framed(Segment(tiny_mbu()), Known(PLACES)), CPU)
    file = photo()
    [result], [whole] = editor.edit_files([file]), editor(file.to_tensor()[None])
    assert isinstance(result, Result)
    assert isinstance(whole, Result)
    assert result.image is None
    assert_masks_match(result.mask, whole.mask)
    assert isinstance(whole.mask, Tensor)
    assert whole.mask.any()


def test_only_what_is_around_places_becomes_a_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    whole = ImageFile.to_tensor

    def to_tensor(self: ImageFile, *args: Any) -> Tensor:
        seen.append(self.height * self.width)
        return whole(self, *args)

    monkeypatch.setattr(ImageFile, "to_tensor", to_tensor)
    editor = Editor(Framed(step("mbu"), Known([Frame(20, 16, 10)], largest=100)), CPU)
    [result] = editor.edit_files([photo(1600, 2400)])
    assert isinstance(result, Result)
    assert sum(seen) < 1600 * 2400 / 20
    [(found, _)] = result.places
    assert found == Frame(160, 128, 80)


@pytest.mark.parametrize(
    ("largest", "size"),
    [(None, (90, 120)), (40, (90, 120)), (20, (45, 60)), (13, (30, 40)), (1, (2, 3)), (0, (90, 120)), ("9", (90, 120))],
)
def test_aligners_see_no_more_than_they_look_at(largest: object, size: tuple[int, int]) -> None:
    aligner = Known([Frame(1, 1, 2)], largest)
    [place] = find_in(aligner, photo(90, 120))
    assert aligner.shown == [size]
    assert place.x == 120 // size[1]


def test_photos_with_a_side_of_a_few_pixels_are_shrunk_no_further() -> None:
    aligner = Known([], largest=1)
    assert list(find_in(aligner, photo(2, 500))) == []
    assert aligner.shown == [(1, 250)]


def test_boxes_need_no_search() -> None:
    box = Box(10, 20, 60, 90)
    file, op = photo(), step("mbu")
    [result] = Editor(Framed(op, box), CPU).edit_files([file])
    assert isinstance(result, Result)
    expected = Framed(op, box)(file.to_tensor()[None])[0].mul(255).round().permute(1, 2, 0).detach().numpy()
    assert np.array_equal(result.image, expected)
    assert result.places == ((box, True),)


def test_photos_without_places() -> None:
    file, op = photo(), step("mbu")
    [error] = Editor(Framed(op, Known([])), CPU).edit_files([file])
    assert isinstance(error, FrameError)
    [kept] = Editor(Framed(op, Known([]), missing="keep"), CPU, wants_mask=True).edit_files([file])
    assert isinstance(kept, Result)
    assert kept.same
    assert kept.image is file.pixels
    assert kept.mask is not None
    assert not kept.mask.any()


def test_faces_that_fill_a_photo_are_held_to_its_memory() -> None:
    editor = Editor(Framed(step("mbu"), Known([Frame(150, 100, 200)])), CPU)
    with limited(Limits(max_memory=1_000_000)):
        [error] = editor.edit_files([photo()])
    assert isinstance(error, ImageFileError)
    assert "what is edited in 300 x 200 pixels needs about 0.0 GB; shrink it, or raise max_memory" in str(error)


def test_whole_pictures_share_batches() -> None:
    shapes: list[tuple[int, ...]] = []

    class Inverts(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            shapes.append(tuple(image.shape))
            return 1 - image

    files = [photo(20, 30)] * 3
    results = Editor(Inverts(), CPU).edit_files(files)
    assert shapes == [(3, 3, 20, 30)]
    assert all(isinstance(result, Result) for result in results)


def test_a_frame_of_a_step_beside_its_place_is_in_the_window() -> None:
    below = FrameSpec("below", within="face", y=1.5, width=0.8, height=0.6)
    op = step("mbu")
    assert isinstance(op, Remove)
    op.frame = below
    place = Frame(70, 50, 40)
    file = photo()
    [result] = Editor(Framed(op, Known([place])), CPU).edit_files([file])
    assert isinstance(result, Result)
    changed = (np.asarray(result.image) != file.pixels).any(2).nonzero()
    assert changed[0].min() >= place.part(below).rectangle.bounds(200, 300)[1] > 50 + 20
    assert below != WHOLE_FRAME
