"""The kit must catch what it promises to catch: each op here breaks one promise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mbu_ops.ops.edit import Edit
from mbu_ops.ops.remove import Remove
from mbu_ops.testing import OpTester


class LeaksOutside(Remove):
    def edit(self, image: Tensor) -> Edit:
        edit = super().edit(image)
        return edit._replace(image=edit.image + 1e-6)


class MixesTheBatch(Remove):
    def edit(self, image: Tensor) -> Edit:
        edit = super().edit(image)
        return edit._replace(image=edit.image + 1e-3 * image.mean())


class WrongGradient(Remove):
    def edit(self, image: Tensor) -> Edit:
        edit = super().edit(image)
        return edit._replace(image=edit.image + edit.image.detach() * 0.1)


class Detached(Remove):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).detach().requires_grad_()


class ReadsValues(Remove):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) * (1.0 if image.max().item() <= 1 else 0.5)


class WritesInput(Remove):
    def forward(self, image: Tensor) -> Tensor:
        result = super().forward(image)
        image.mul_(0.5)
        return result


class ForgetsDType(Remove):
    def edit(self, image: Tensor) -> Edit:
        return Edit(*(part.float() for part in super().edit(image)))


class SavesGuides(Remove):
    def __init__(self, model: object) -> None:
        super().__init__(model)
        self.register_buffer("extra", torch.zeros(1))


class Unchecked(Remove):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image if image.ndim == 4 else image[None])


CASES: list[tuple[type[Remove], Callable[[OpTester], object]]] = [
    (LeaksOutside, lambda kit: kit.test_outside_mask_identical(torch.float32)),
    (MixesTheBatch, lambda kit: kit.test_batched_equals_single()),
    (WrongGradient, lambda kit: kit.test_gradcheck()),
    (Detached, lambda kit: kit.test_gradients_reach_everything()),
    (ReadsValues, lambda kit: kit.test_compile()),
    (WritesInput, lambda kit: kit.test_input_untouched()),
    (ForgetsDType, lambda kit: kit.test_half(torch.float16)),
    (SavesGuides, lambda kit: kit.test_state_dict()),
]


@pytest.mark.parametrize(("broken", "check"), CASES, ids=[broken.__name__ for broken, _ in CASES])
def test_kit_catches(broken: type[Remove], check: Callable[[OpTester], object]) -> None:
    def kit(op_class: type[Remove]) -> OpTester:
        return type("Kit", (OpTester,), {"op_class": op_class})()

    check(kit(Remove))
    with pytest.raises((AssertionError, RuntimeError)):
        check(kit(broken))


def test_kit_catches_missing_checks() -> None:
    kit = type("Kit", (OpTester,), {"op_class": Unchecked})()
    from mbu_ops.errors import ShapeError

    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        kit.test_errors(torch.rand(3, 24, 20), ShapeError, "batch dimension")
