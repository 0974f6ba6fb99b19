"""Pictures that are in memory already come out as a file would have: upright RGB, with all that a file says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from mbu_ops.errors import DTypeError, ImageFileError, ShapeError
from mbu_ops.images import ImageFile, ImageKind, read
from mbu_ops.images.memory import as_image_file, edited, in_kind_of, mask_file

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (8, 12, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "a camera"
    return tags


_YCBCR = pytest.param(
    "YCbCr",
    marks=pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="Pillow 12 cannot read its own"),
)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", _YCBCR])
def test_a_pil_image_reads_as_its_file_does(mode: str, tmp_path: Path) -> None:
    picture = PICTURE.convert(mode)
    found = as_image_file(picture)
    picture.save(tmp_path / "a.tif")
    file = read(tmp_path / "a.tif")
    assert np.array_equal(found.pixels, file.pixels)
    assert (found.alpha is None) == (file.alpha is None)
    assert found.kind.grey == file.kind.grey
    assert as_image_file(tmp_path / "a.tif").kind == file.kind
    assert picture.mode == mode


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pil_images_come_back_as_they_were(mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(RNG.integers(0, 65536, (8, 12), dtype=np.uint16))
    else:
        picture = PICTURE.convert(mode)
    file = as_image_file(picture)
    back = in_kind_of(picture, edited(file, file.to_tensor()))
    assert isinstance(back, Image.Image)
    assert back.mode == mode
    assert np.array_equal(np.asarray(back), np.asarray(picture))


def test_a_phone_s_picture_is_turned_and_its_profile_kept() -> None:
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", exif=exif(6), icc_profile=b"a profile", dpi=(300, 300))
    with Image.open(buffer) as picture:
        back = as_image_file(picture).to_pillow()
        assert picture.size == (12, 8), "what was given is left as it is"
    assert np.array_equal(np.asarray(back), np.rot90(PIXELS, -1))
    assert back.getexif().get(0x0112) is None
    assert back.getexif()[0x010F] == "a camera"
    assert back.info["icc_profile"] == b"a profile"
    assert back.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_come_back_as_they_were(dtype: type[Any]) -> None:
    array = RNG.integers(0, np.iinfo(dtype).max, (8, 12, 3), dtype=dtype)
    file = as_image_file(array[:, ::-1])
    back = in_kind_of(array, edited(file, file.to_tensor()))
    assert isinstance(back, np.ndarray)
    assert back.dtype == dtype
    assert np.array_equal(back, array[:, ::-1])


def test_16_bits_of_colour_become_8_for_pillow_alone() -> None:
    deep = ImageFile(PIXELS.astype(np.uint16) << 8, np.full((8, 12), 0xFFFF, np.uint16), ImageKind(bits=16, alpha=True))
    assert np.array_equal(np.asarray(deep.to_pillow().convert("RGB")), PIXELS)
    kept = in_kind_of(deep, edited(deep, deep.to_tensor()))
    assert isinstance(kept, ImageFile)
    assert np.array_equal(kept.pixels, deep.pixels)


def test_masks() -> None:
    file = mask_file(torch.tensor([[[0.0, 0.5, 1.0]]]))
    array, picture = in_kind_of(PIXELS, file), in_kind_of(PICTURE, file)
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [[0, 128, 255]]
    assert isinstance(picture, Image.Image)
    assert (picture.mode, picture.size) == ("L", (3, 1))


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (torch.rand(3, 4, 4), DTypeError, "got Tensor"),
        (None, DTypeError, "expected guide to be a path, a PIL image, an array .*got NoneType"),
        (np.zeros((4, 4, 3)), DTypeError, r"uint8, got float64: convert floats.*\(guide \* 255\).round\(\)"),
        (np.zeros((4, 4, 3), bool), DTypeError, "uint8, got bool"),
        (np.zeros((3, 4, 4), np.uint8), ShapeError, r"got \(3, 4, 4\): of planes.*guide.transpose\(1, 2, 0\)"),
        (np.zeros((4, 4), np.uint8), ShapeError, r"grey and alpha Image.fromarray\(guide\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), ShapeError, r"of a batch list\(guide\)"),
        (np.zeros((0, 4, 3), np.uint8), ShapeError, r"got \(0, 4, 3\)"),
        (Image.new("RGB", (0, 4)), ImageFileError, "'PIL image': expected at least one pixel, got 0 x 4"),
        (Image.new("F", (4, 4)), ImageFileError, "8 or 16 bits, got mode F"),
        ("there is none.jpg", ImageFileError, "'there is none.jpg': no such file"),
    ],
)
def test_what_is_no_picture(picture: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        as_image_file(picture, "guide")


def test_files_that_pillow_has_opened_and_cannot_load(tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "two.gif", save_all=True, append_images=[PICTURE.rotate(90)])
    with Image.open(tmp_path / "two.gif") as moving, pytest.raises(ImageFileError, match="got an animation"):
        as_image_file(moving)
    PICTURE.resize((300, 300)).save(tmp_path / "cut.jpg")
    data = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with Image.open(tmp_path / "cut.jpg") as cut, pytest.raises(ImageFileError, match=r"cut.jpg.*got a damaged one"):
        as_image_file(cut)
