from __future__ import annotations

import numpy as np
import pytest
import torch

from mbu_ops.images import ImageFile, ImageKind, encode, read

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
EVERY_SHORT = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_eight_bits_survive_the_way_to_a_tensor_and_back(dtype: torch.dtype) -> None:
    image = ImageFile(EVERY_BYTE, None, ImageKind())
    tensor = image.to_tensor(dtype)
    assert tensor.dtype == dtype
    assert tensor.shape == (3, 16, 16)
    assert tensor.is_contiguous()
    assert tensor.min() == 0
    assert tensor.max() == 1
    assert np.array_equal(read(encode(tensor, image)).pixels, EVERY_BYTE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sixteen_bits_survive_the_way_to_a_tensor_and_back(dtype: torch.dtype) -> None:
    image = ImageFile(EVERY_SHORT, None, ImageKind(grey=True, bits=16))
    assert np.array_equal(read(encode(image.to_tensor(dtype), image)).pixels, EVERY_SHORT)


def test_sixteen_bits_do_not_overflow_float16() -> None:
    tensor = ImageFile(EVERY_SHORT, None, ImageKind()).to_tensor(torch.float16)
    assert tensor.isfinite().all()
    assert tensor.max() == 1


def test_channels_keep_their_order_and_float32_is_the_default() -> None:
    pixels = np.zeros((2, 5, 3), np.uint8)
    pixels[..., 2] = 255
    image = ImageFile(pixels, None, ImageKind())
    tensor = image.to_tensor()
    assert tensor.dtype == torch.float32
    assert tensor[2].eq(1).all()
    assert tensor[:2].eq(0).all()
    assert (image.height, image.width) == (2, 5)


def test_the_tensor_is_a_copy() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    ImageFile(pixels, None, ImageKind()).to_tensor().fill_(1)
    assert not pixels.any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_show_themselves_in_notebooks(dtype: type[np.uint8] | type[np.uint16]) -> None:
    alpha = np.full((1500, 500), np.iinfo(dtype).max, dtype)
    alpha[:, :250] = 0
    file = ImageFile(np.zeros((1500, 500, 3), dtype), alpha, ImageKind(alpha=True))
    shown = read(file._repr_png_())
    assert (shown.height, shown.width) == (1024, 341)
    assert shown.alpha[0, 0] == 0
    assert shown.alpha[0, -1] == 255
    assert read(ImageFile(EVERY_SHORT, None, ImageKind(grey=True, bits=16))._repr_png_()).kind.bits == 8
