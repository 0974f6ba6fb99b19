"""The editor's promises: a batch that memory does not hold is halved, and one photo without a face costs no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mbu_ops import Framed
from mbu_ops.batch.editor import Editor, Result
from mbu_ops.errors import ConfigurationError, FrameError, MBUOpsError
from mbu_ops.frames import Frame
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import tiny_mbu, tiny_presence

CPU = torch.device("cpu")
OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Scarce(nn.Module):
    """Inverts pictures; raises for batches larger than it has room for."""

    makes_mask = False

    def __init__(self, room: int, error: RuntimeError = OUT_OF_MEMORY) -> None:
        super().__init__()
        self.room = room
        self.error = error
        self.tried: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.tried.append(len(images))
        if len(images) > self.room:
            raise self.error
        return 1 - images

    def edit(self, images: Tensor) -> Edit:
        result = self(images)
        return Edit(result, torch.ones_like(result[:, :1]), result)


class Stub:
    """Finds as many frames as a photo's first value says."""

    def find(self, image: Tensor) -> tuple[Frame, ...]:
        return (Frame(8, 8, 10), Frame(20, 8, 6))[: round(image[0, 0, 0, 0].item() * 10)]


def images_of(results: Sequence[Result | MBUOpsError]) -> list[Tensor]:
    assert all(isinstance(result, Result) for result in results)
    return [result.image for result in results]


@pytest.mark.parametrize("wants_mask", [False, True])
def test_auto_halves_and_remembers(wants_mask: bool) -> None:
    op = Scarce(2)
    editor = Editor(op, CPU, wants_mask, None)
    images = torch.rand(13, 3, 4, 5)
    results = editor(images)
    torch.testing.assert_close(torch.stack(images_of(results)), 1 - images)
    assert all((result.mask is not None) == wants_mask for result in results)
    assert sum(count for count in op.tried if count <= 2) == 13, "no picture twice"
    assert editor.batch_size <= 2
    op.tried.clear()
    assert len(editor(images)) == 13
    assert max(op.tried) <= 2, "what failed once is not tried again"


def test_auto_keeps_large_batches_where_there_is_room() -> None:
    op = Scarce(100)
    assert len(Editor(op, CPU, batch_size=None)(torch.rand(13, 3, 4, 5))) == 13
    assert max(op.tried) > 2


def test_the_cpu_s_own_words_for_it() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(10**15)
    editor = Editor(Scarce(2, raised.value), CPU, batch_size=None)
    assert len(editor(torch.rand(5, 3, 4, 5))) == 5


def test_a_batch_size_that_somebody_chose_is_theirs_to_lower() -> None:
    op = Scarce(2)
    editor = Editor(op, CPU, batch_size=8)
    with pytest.raises(ConfigurationError, match=r"out of memory.*smaller --batch-size"):
        editor(torch.rand(8, 3, 4, 5))
    assert editor.batch_size == 8
    assert op.tried == [8]


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_one_picture_that_is_too_large(batch_size: int | None) -> None:
    with pytest.raises(ConfigurationError, match=r"out of memory.*too large"):
        Editor(Scarce(0), CPU, batch_size=batch_size)(torch.rand(1, 3, 4, 5))


@pytest.mark.parametrize("batch_size", [None, 4])
def test_an_error_that_is_no_lack_of_memory_is_not_taken_for_one(batch_size: int | None) -> None:
    op = Scarce(2, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        Editor(op, CPU, batch_size=batch_size)(torch.rand(4, 3, 4, 5))
    assert op.tried == [4]


@pytest.mark.parametrize("room", [2, 100])
def test_photos_without_a_face_cost_no_other(room: int) -> None:
    images = torch.rand(5, 3, 16, 30)
    for index, count in enumerate((1, 0, 2, 0, 1)):
        images[index, 0, 0, 0] = count / 10
    results = Editor(Framed(Scarce(room), Stub()), CPU, wants_mask=True, batch_size=None)(images)
    assert [isinstance(result, FrameError) for result in results] == [False, True, False, True, False]
    for index in (0, 2, 4):
        result = results[index]
        assert len(result.places) == (1, 0, 2, 0, 1)[index]
        assert all(edited for _, edited in result.places)
        expected = Framed(Scarce(100), Stub())(images[index : index + 1])[0]
        torch.testing.assert_close(result.image, expected)
        assert not torch.equal(result.image, images[index])


def test_photos_without_a_face_may_stay_as_they_are() -> None:
    images = torch.rand(2, 3, 16, 30)
    images[0, 0, 0, 0], images[1, 0, 0, 0] = 0, 0.1
    kept, edited = Editor(Framed(Scarce(100), Stub(), missing="keep"), CPU, wants_mask=True)(images)
    assert torch.equal(kept.image, images[0])
    assert not kept.mask.any()
    assert (kept.same, edited.same) == (True, False)


def test_places_say_which_was_edited() -> None:
    images = torch.full((2, 3, 16, 30), 0.2)
    results = Editor(Framed(Scarce(100), Stub(), "largest"), CPU)(images)
    assert [[edited for _, edited in result.places] for result in results] == [[True, False]] * 2
    whole = Editor(Scarce(100), CPU)(images)
    assert all(result.places == () for result in whole)


def detecting(kind: Any) -> Any:
    op = kind(tiny_mbu())
    op.detector = tiny_presence()
    return op if kind is Remove else op.bind(code=torch.rand(1, *op.model.code_shape))


@pytest.mark.parametrize("wants_mask", [False, True])
@pytest.mark.parametrize("framed", [False, True])
def test_steps_with_nothing_to_do_are_named(wants_mask: bool, framed: bool) -> None:
    chain = Chain([("remove:hat", detecting(Remove)), ("add:hat", detecting(Transfer))])
    op = Framed(chain, Stub(), "largest") if framed else chain
    images = torch.stack([torch.full((3, 16, 30), value) for value in (0.1, 0.9)])
    images[:, :, 0, 0] = 0.2  # two places
    dark, bright = Editor(op, CPU, wants_mask)(images)
    assert dark.idle == ("remove:hat",)
    assert "remove:hat" not in bright.idle
    for result, image in zip((dark, bright), images, strict=True):
        torch.testing.assert_close(result.image, op(image[None])[0])
        assert (result.mask is not None) == wants_mask
    assert not dark.same


@pytest.mark.parametrize("framed", [False, True])
def test_steps_of_a_chain_in_a_chain_are_named(framed: bool) -> None:
    inner = Chain([("add:hat", detecting(Transfer)), ("remove:hat", detecting(Remove))])
    chain = Chain([("inner", inner), ("keep", nn.Identity())])
    dark = torch.full((1, 3, 16, 30), 0.1)
    dark[:, :, 0, 0] = 0.2  # two places
    [result] = Editor(Framed(chain, Stub(), "largest") if framed else chain, CPU)(dark)
    assert isinstance(result, Result)
    assert result.idle == ("remove:hat",)
    assert not result.same


def test_a_picture_without_anything_to_do_is_the_same() -> None:
    images = torch.full((2, 3, 16, 30), 0.1)
    images[:, :, 0, 0] = 0.2
    for op in (detecting(Remove), Framed(detecting(Remove), Stub())):
        for image, result in zip(images, Editor(op, CPU)(images), strict=True):
            assert result.same
            assert torch.equal(result.image, image)
            assert not any(edited for _, edited in result.places)
