"""Turning an attribute up and down: every promise of an op, and those of a dial."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mbu_ops
from mbu_ops.errors import DeviceError, DTypeError, ShapeError, UnsupportedVerbError
from mbu_ops.methods.maae import MAAE
from mbu_ops.ops.adjust import Adjust
from mbu_ops.ops.bound import Bound
from mbu_ops.ops.look import Look
from mbu_ops.testing import OpTester, tiny_maae


class TestAdjust(OpTester):
    """With a strength for each image, so that its gradient is checked too."""

    op_class = Adjust

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> MAAE:
        return tiny_maae(seed, dtype)

    def make_inputs(
        self, batch: int = 2, height: int = 24, width: int = 20, dtype: torch.dtype = torch.float32
    ) -> tuple[Any, ...]:
        return *super().make_inputs(batch, height, width, dtype), torch.linspace(1, -0.9, batch).to(dtype)

    def one_in(self, op: Any, inputs: tuple[Any, ...]) -> nn.Module:
        return op.bind(self._one(inputs[1]))


@pytest.fixture
def model() -> MAAE:
    return tiny_maae()


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (7, 40), (90, 33)])
@pytest.mark.parametrize("threshold", [0.0, 0.1])
def test_strength_0_returns_the_image_bit_for_bit(model: MAAE, size: tuple[int, int], threshold: float) -> None:
    image = torch.rand(3, 3, *size)
    adjust = Adjust(model, Look(threshold=threshold))
    for strength in (0.0, -0.0, torch.tensor(0.0), torch.zeros(3)):
        assert torch.equal(adjust(image, strength), image)
    assert not torch.equal(adjust(image, 1.0), image)


def test_each_image_has_a_strength_of_its_own(model: MAAE) -> None:
    image = torch.rand(4, 3, 20, 24)
    strengths = torch.tensor([0.0, 1.0, -1.0, 0.5])
    together = Adjust(model)(image, strengths)
    assert torch.equal(together[0], image[0])
    for index, strength in enumerate(strengths.tolist()):
        alone = Adjust(model)(image[index : index + 1], strength)
        torch.testing.assert_close(together[index : index + 1], alone)
    assert not torch.allclose(together[1], Adjust(model)(image[1:2], 0.5)[0])


def test_a_number_and_a_scalar_tensor_mean_all_images(model: MAAE) -> None:
    image = torch.rand(3, 3, 20, 24)
    expected = Adjust(model)(image, torch.full((3,), 0.7))
    for strength in (0.7, torch.tensor(0.7), torch.tensor([0.7]), torch.tensor(0.7, dtype=torch.float64)):
        torch.testing.assert_close(Adjust(model)(image, strength), expected)


def test_full_strengths_are_the_methods_transfer_and_removal(model: MAAE) -> None:
    image, guide = torch.rand(2, 3, 20, 24), torch.rand(2, 3, 9, 9)
    assert torch.equal(Adjust(model)(image, 1.0), mbu_ops.Transfer(model)(image, guide))
    removed = mbu_ops.Remove(model, Look(threshold=0.1, dilation=0))(image)
    torch.testing.assert_close(Adjust(model)(image, -1.0), removed)
    assert not torch.equal(Adjust(model)(image, 1.0), Adjust(model)(image, -1.0))


def test_more_strength_changes_more(model: MAAE) -> None:
    image = torch.rand(8, 3, 16, 16)
    changes = [
        (Adjust(model, Look(threshold=0.0))(image, strength) - image).abs().mean() for strength in (0.25, 0.5, 1.0)
    ]
    assert 0 < changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("bound", [False, True])
def test_gradients_reach_the_strength_of_each_image(model: MAAE, bound: bool) -> None:
    image = torch.rand(2, 3, 20, 24)
    strength = torch.tensor([0.8, -0.9], requires_grad=True)
    result = Adjust(model).bind(strength)(image) if bound else Adjust(model)(image, strength)
    (gradient,) = torch.autograd.grad(result[1].square().mean(), strength)
    assert gradient[0] == 0
    assert gradient[1] != 0


def test_bound_strengths_are_a_number_or_a_tensor_and_1_by_default(model: MAAE) -> None:
    image = torch.rand(2, 3, 20, 24)
    assert torch.equal(Adjust(model).bind()(image), Adjust(model)(image, 1.0))
    assert torch.equal(Adjust(model).bind(-0.5)(image), Adjust(model)(image, -0.5))
    code = Adjust(model).encode(torch.tensor([0.3, 0.6]))
    assert code.shape == (2, 1, 1, 1)
    assert torch.equal(Bound(Adjust(model), code=code)(image), Adjust(model)(image, torch.tensor([0.3, 0.6])))


@pytest.mark.parametrize(
    ("strength", "error", "says"),
    [
        (torch.ones(2, 1), ShapeError, r"a number or a tensor of shape \(B,\), got shape \(2, 1\)"),
        (torch.ones(3), ShapeError, "expected one strength for all images or one for each of the 2, got 3"),
        (torch.ones(2, dtype=torch.int64), DTypeError, "strength"),
        (torch.ones(2, device="meta"), DeviceError, "device"),
    ],
)
def test_strengths_that_do_not_fit_are_refused(
    model: MAAE, strength: Tensor, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Adjust(model)(torch.rand(2, 3, 20, 24), strength)


def test_methods_without_a_dial_are_refused() -> None:
    with pytest.raises(UnsupportedVerbError, match="expected a method that can adjust, got mbu"):
        Adjust(mbu_ops.testing.tiny_mbu())
