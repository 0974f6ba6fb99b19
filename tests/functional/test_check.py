"""What each check refuses; that every op calls them is OpTester's business."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mbu_ops.errors import DeviceError, DTypeError, ShapeError
from mbu_ops.functional.check import check_code, check_fits, check_image, check_labels


def test_image_error_names_the_argument() -> None:
    with pytest.raises(ShapeError, match=r"expected guide of shape \(B, 3, H, W\), got \(3, 4, 4\).*guide\[None\]"):
        check_image(torch.rand(3, 4, 4), "guide")
    with pytest.raises(ShapeError, match=r"got \(4,\)"):
        check_image(torch.rand(4))


@pytest.mark.parametrize("shape", [(4, 2, 2), (0, 4, 2, 2), (4,), (), (1, 5, 2, 2), (1, 4, 4, 4)])
def test_code_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\(N, 4, 2, 2\)"):
        check_code(torch.rand(shape), (4, 2, 2))
    check_code(torch.rand(3, 4, 2, 2), (4, 2, 2))


def test_code_dtype() -> None:
    with pytest.raises(DTypeError, match=r"torch.int64"):
        check_code(torch.zeros(1, 4, 2, 2, dtype=torch.int64), (4, 2, 2))


def test_fits() -> None:
    image = torch.rand(3, 3, 2, 2)
    for count in (1, 3):
        check_fits(image, torch.rand(count, 4, 2, 2), "code")
    with pytest.raises(ShapeError, match="one code for all images or one for each of the 3, got 2"):
        check_fits(image, torch.rand(2, 4, 2, 2), "code")
    with pytest.raises(DeviceError, match="device cpu, got meta"):
        check_fits(image, torch.rand(1, 4, 2, 2, device="meta"), "code")


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.bool])
def test_labels_are_whole_numbers(kind: torch.dtype) -> None:
    check_labels(torch.zeros(2, 1, 3, 4, dtype=kind))


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.complex64])
def test_labels_that_are_shares_are_refused(kind: torch.dtype) -> None:
    with pytest.raises(DTypeError, match=rf"expected mask of whole numbers, .* got {kind}: use Parse\.labels"):
        check_labels(torch.zeros(2, 1, 3, 4, dtype=kind), "mask")


@pytest.mark.parametrize("labels", [None, [[0, 1]], np.zeros((1, 1, 2, 2), np.uint8)])
def test_labels_that_are_no_tensor_are_refused(labels: object) -> None:
    with pytest.raises(DTypeError, match=rf"expected labels to be a torch\.Tensor, got {type(labels).__name__}"):
        check_labels(labels)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (1, 3, 4, 4), (0, 1, 4, 4), (1, 1, 0, 4), (1, 1, 4, 0), ()])
def test_labels_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected labels of shape \(B, 1, H, W\).*labels\[None, None\]"):
        check_labels(torch.zeros(shape, dtype=torch.uint8))
