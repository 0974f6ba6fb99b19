"""Methods that move pixels, of the photo and of the guide, through everything that ops promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import kornia.augmentation as K
import pytest
import torch
from torch import Tensor, nn

from mbu_ops import Framed, Remove, Transfer
from mbu_ops.errors import ConfigurationError
from mbu_ops.families import FrameSpec
from mbu_ops.frames import Box, Frame
from mbu_ops.functional.layer import Layer, Moved, moved
from mbu_ops.functional.mask import resize
from mbu_ops.methods.base import Networks
from mbu_ops.methods.config import NetworkConfig
from mbu_ops.methods.info import MethodInfo
from mbu_ops.ops.bound import Bound, Chain
from mbu_ops.testing import OpTester


@dataclass(frozen=True, slots=True)
class ShiftConfig(NetworkConfig):
    """Sizes of a method that shifts."""

    resolution: int = 16


class Shift(Networks):
    """Shifts what it removes, and takes what it adds from the guide's own pixels; a few weights say how far."""

    info: ClassVar[MethodInfo] = MethodInfo(
        "shift", frozenset({"remove", "transfer"}), "no:Objective", refines=False, mirrors=False
    )
    configs: ClassVar = {"paper": ShiftConfig(removal_dilation=1)}
    taken = True

    def __init__(self, config: ShiftConfig | str = "paper", seed: int = 0) -> None:
        super().__init__(config)
        self.flow = nn.Conv2d(3, 2, 4, 4)
        self.mask = nn.Conv2d(3, 1, 3, 1, 1)
        generator = torch.Generator().manual_seed(seed)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.3, generator=generator)

    @property
    def code_shape(self) -> tuple[int, int, int]:
        return 3, 4, 4

    def encode_guide(self, guide: Tensor) -> Tensor:
        return resize(guide, (4, 4))

    def soft_mask(self, image: Tensor) -> Tensor:
        at = torch.linspace(-1, 1, image.shape[-1]).to(image)
        disc = torch.exp(-4 * (at[:, None] ** 2 + at**2))
        return torch.sigmoid(12 * disc - 6 + 2 * torch.tanh(self.mask(image)))

    def remove(self, image: Tensor) -> Layer:
        flow, mask = 0.1 * torch.tanh(self.flow(image)), self.soft_mask(image)
        return moved(0.9 * image, mask, 0.8 * torch.ones_like(mask), flow, image)

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        mask = self.soft_mask(image)
        flow = 0.1 * torch.tanh(self.flow(image))
        half = 0.5 * torch.ones_like(mask)
        bias = 0.2 * resize(code, (16, 16))
        return Layer(mask, bias, Moved(0.3 * half, flow), Moved(half, -flow) if self.taken else None)


class TestRemoveThatMoves(OpTester):
    op_class = Remove

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Shift:
        return Shift(seed=seed).to(dtype).eval()


class TestTransferOfTheGuidesOwnPixels(OpTester):
    op_class = Transfer
    guides = 1

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Shift:
        return Shift(seed=seed).to(dtype).eval()


@pytest.fixture
def model() -> Shift:
    return Shift().eval()


def test_a_code_alone_holds_no_pixels(model: Shift) -> None:
    add, image, guide = Transfer(model), torch.rand(1, 3, 40, 30), torch.rand(1, 3, 50, 60)
    code = add.encode(guide)
    with pytest.raises(ConfigurationError, match="expected a guide picture"):
        add.bind(code=code)(image)
    assert torch.equal(Bound(add, code=code, guide=guide)(image), add(image, guide))


def test_the_guides_pixels_are_as_fine_as_the_guide(model: Shift) -> None:
    add, image = Transfer(model), torch.full((1, 3, 128, 128), 0.5)
    fine = (torch.arange(128) % 2).float().expand(1, 3, 128, 128).contiguous()
    soft = resize(resize(fine, (16, 16)), (128, 128))
    sharp, blurred = (add.edit(image, guide) for guide in (fine, soft))
    assert sharp.raw.diff(dim=-1).abs().mean() > 10 * blurred.raw.diff(dim=-1).abs().mean()


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("place", [Frame(50, 44, 60, 20), Box(20, 10, 90, 80)])
def test_faces_in_photos(model: Shift, views: int, place: Frame | Box) -> None:
    photo, guide = torch.rand(2, 3, 90, 110), torch.rand(1, 3, 50, 60)
    chain = Chain([("remove", Remove(model)), ("add", Transfer(model).bind(guide))])
    framed = Framed(chain, place, views=views)
    edit, result = framed.edit(photo, [[place]] * 2), framed(photo, [[place]] * 2)
    torch.testing.assert_close(edit.image, result)
    outside = (edit.mask == 0).expand_as(photo)
    assert torch.equal(result[outside], photo[outside])
    assert not torch.allclose(result, photo, atol=0.05)


def test_a_chain_of_frames_sees_the_true_result_of_the_step_before(model: Shift) -> None:
    photo = torch.rand(1, 3, 90, 110)
    upper, lower = Remove(model), Remove(model)
    upper.frame = FrameSpec("upper", within="whole", y=0.3, height=0.5)
    lower.frame = FrameSpec("lower", within="whole", y=0.6, height=0.6)
    face = Frame(50, 44, 60, 20)
    both = Framed(Chain([("one", upper), ("two", lower)]), face)(photo, [[face]])
    one = Framed(upper, face)(photo, [[face]])
    torch.testing.assert_close(both, Framed(lower, face)(one, [[face]]))
    touched = Framed(upper, face).edit(photo, [[face]]).mask > 0
    left, top, right, bottom = face.part(upper.frame).bounds(photo)
    assert touched.any()
    touched[..., top:bottom, left:right] = False
    assert not touched.any(), "each step changes its own frame"


def test_a_frame_outside_the_photo_is_left_alone(model: Shift) -> None:
    photo, face = torch.rand(1, 3, 90, 110), Frame(50, -10, 60)
    op = Remove(model)
    op.frame = FrameSpec("upper", within="whole", y=0.2, height=0.3)
    assert torch.equal(Framed(op, face)(photo, [[face]]), photo)
    op.frame = FrameSpec("lower", within="whole", y=0.8, height=0.3)
    assert not torch.equal(Framed(op, face)(photo, [[face]]), photo)


def test_guides_for_each_image_do_not_go_with_photos(model: Shift) -> None:
    photo, face = torch.rand(2, 3, 90, 110), Frame(50, 44, 60)
    add = Transfer(model)
    two = torch.rand(2, 3, 30, 30)
    for bound in (add.bind(two), add.bind(code=add.encode(two))):
        with pytest.raises(ConfigurationError, match="expected one guide, code, strength or mask for all places"):
            Framed(bound, face)(photo, [[face]] * 2)


def test_gradients_go_through_moved_pixels(model: Shift) -> None:
    photo = torch.rand(1, 3, 12, 14, dtype=torch.float64, requires_grad=True)
    face = Frame(7, 6, 9, 15)
    framed = Framed(Remove(model.double()), face)
    assert torch.autograd.gradcheck(lambda one: framed(one, [[face]]), photo, atol=1e-4, fast_mode=True)


def test_kornia_takes_it_in(model: Shift) -> None:
    image, bound = torch.rand(2, 3, 40, 30), Transfer(model).bind(torch.rand(1, 3, 20, 20))
    assert torch.equal(K.ImageSequential(bound, Remove(model))(image), Remove(model)(bound(image)))
