"""`mbu_ops.edit`: pictures in, the same kind of pictures out, with the command line's pixels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import mbu_ops
from mbu_ops.batch import pictures
from mbu_ops.errors import (
    ChainSyntaxError,
    ConfigurationError,
    DTypeError,
    FrameError,
    ImageFileError,
    ShapeError,
    WeightsError,
)
from mbu_ops.frames import Box
from mbu_ops.frames.chains import assemble_on_photos
from mbu_ops.images import ImageFile, ImageKind, encode, read
from mbu_ops.testing import tiny_native_guided
from mbu_ops.weights import WeightsInfo, save
from mbu_ops_cli.app import run

from ..portraits import head_on_texture, texture

SIZE = 210, 180
PHOTO = head_on_texture(*SIZE, (30, 20, 150))
EMPTY = texture(120, 90, 1)
WHOLE = Box(0, 0, 200, 170)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of the eyes of faces, which put on and take off."""
    path, model = tmp_path_factory.mktemp("weights") / "glasses.safetensors", tiny_native_guided()
    config = model.config_to_dict(model.config)
    info = WeightsInfo("native_guided", config, model.config.resolution, "faces", ("glasses",), frame="eyes")
    save(path, model, info, dtype=torch.float32)
    return path


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each chain that is built from now on."""
    found: list[object] = []

    def assemble(*given: Any, **options: Any) -> Any:
        found.append(given)
        return assemble_on_photos(*given, **options)

    monkeypatch.setattr(pictures, "assemble_on_photos", assemble)
    return found


def draw_all(folder: Path) -> None:
    """Write a photo in several kinds of file."""
    PHOTO.save(folder / "one.png")
    PHOTO.convert("L").save(folder / "grey.png")
    deep = np.asarray(PHOTO).astype(np.uint16) * 256 + np.random.default_rng(0).integers(
        0, 256, (*SIZE[::-1], 3), np.uint16
    )
    (folder / "deep.png").write_bytes(encode(deep, ImageFile(deep, None, ImageKind("PNG", bits=16))))
    PHOTO.quantize(200).save(folder / "palette.png", transparency=3)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: shown turned by a quarter
    PHOTO.rotate(90, expand=True).save(folder / "phone.jpg", exif=exif, quality=92)


@pytest.mark.filterwarnings("ignore::mbu_ops.errors.GuideWarning")
def test_pixels_are_the_command_line_s(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    draw_all(tmp_path / "in")
    head_on_texture(300, 300, (0, 0, 300)).save(tmp_path / "ref.jpg")
    steps = [f"add:{weights}@{tmp_path / 'ref.jpg'}", f"remove:{weights}"]
    args = ["-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--save-mask", "--batch-size", "1"]
    assert run(["chain", *steps, *args, "--device", "cpu"]) == 0
    for path in sorted((tmp_path / "in").iterdir()):
        file, out = read(path), tmp_path / "out" / path.name
        result, mask = mbu_ops.edit(steps, file, with_mask=True, device="cpu")
        assert encode(result.pixels, file) == out.read_bytes(), path.name
        assert np.array_equal(mask.pixels, read(f"{out}.mask.png").pixels)
        assert (result.pixels != file.pixels).any()
        shown = mbu_ops.edit(steps, path, device="cpu")
        assert shown == result.to_pillow(), "a path is a PIL image"
        with Image.open(path) as opened:
            if path.name != "deep.png":  # of which Pillow has the upper 8 bits alone
                assert mbu_ops.edit(steps, opened, device="cpu") == shown


def test_each_kind_of_picture_comes_back_as_it_is(weights: Path, tmp_path: Path) -> None:
    PHOTO.save(tmp_path / "a.png")
    array = np.asarray(PHOTO)
    given = (
        PHOTO,
        array,
        array.astype(np.uint16) * 257,
        read(tmp_path / "a.png"),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
    )
    image, small, deep, file, *paths = mbu_ops.edit(f"remove:{weights}", given, views=1)
    assert [type(one) for one in (image, *paths)] == [Image.Image] * 3
    assert (small.dtype, deep.dtype, file.pixels.dtype) == (np.uint8, np.uint16, np.uint8)
    for one in (np.asarray(image), file.pixels, *map(np.asarray, paths)):
        assert np.array_equal(one, small)
    assert np.abs(deep / 257 - small).max() <= 0.51
    assert (small != array).any()


def test_masks(weights: Path) -> None:
    array = np.asarray(PHOTO)
    result, mask = mbu_ops.edit(f"remove:{weights}", array, views=1, with_mask=True)
    assert mask.shape == array.shape[:2]
    assert np.abs(result[mask == 0].astype(int) - array[mask == 0]).max() <= 1
    (pair,) = mbu_ops.edit(f"remove:{weights}", [PHOTO], views=1, with_mask=True)
    assert [one.mode for one in pair] == ["RGB", "L"]
    assert np.array_equal(np.asarray(pair[1]), mask)
    found = mbu_ops.edit(f"segment:{weights}", array, views=1)
    assert (found.shape, found.dtype) == (array.shape[:2], np.uint8)
    with pytest.raises(ConfigurationError, match="segment makes the mask itself: leave with_mask out"):
        mbu_ops.edit(f"segment:{weights}", array, with_mask=True)


def test_photos_without_a_face(weights: Path) -> None:
    with pytest.raises(FrameError, match=r"expected a face in the photo, found none.*missing=\"keep\"") as raised:
        mbu_ops.edit(f"remove:{weights}", [PHOTO, EMPTY], views=1)
    assert raised.value.__notes__ == ["in picture 1 of 2, counted from 0"]
    edited, kept = mbu_ops.edit(f"remove:{weights}", [PHOTO, EMPTY], views=1, missing="keep")
    assert kept == EMPTY
    assert edited != PHOTO


def test_where_to_edit(weights: Path) -> None:
    step, array = f"remove:{weights}", np.asarray(EMPTY)
    boxed = mbu_ops.edit(step, array, box=Box(10, 10, 70, 60), views=1)
    outside = np.ones(array.shape[:2], bool)
    outside[10:60, 10:70] = False
    assert np.array_equal(boxed[outside], array[outside])
    assert (boxed != array).any()
    whole = mbu_ops.edit(step, array, align=False)
    with torch.inference_mode():
        image = torch.from_numpy(array.copy()).permute(2, 0, 1)[None] / 255
        expected = mbu_ops.chain(step)(image)[0].mul(255).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(whole.astype(int) - expected).max() <= 1
    two = head_on_texture(330, 180, (20, 20, 150), (200, 40, 110))
    smaller = np.asarray(mbu_ops.edit(step, two, which=2, views=1))
    assert np.array_equal(smaller[:, :160], np.asarray(two)[:, :160])
    assert not np.array_equal(smaller, np.asarray(two))


def test_chains_are_built_once_and_few_are_kept(weights: Path, tmp_path: Path, built: list[object]) -> None:
    array, own = np.asarray(EMPTY), tmp_path / "own.safetensors"  # that no other test has used
    own.write_bytes(weights.read_bytes())

    def count(steps: str, **options: Any) -> int:
        mbu_ops.edit(steps, array, box=Box(0, 0, 100, 80), views=1, **options)
        return len(built)

    step = f"add:{own}"
    assert [count(step), count(step), count(f" {step} ")] == [1, 1, 1]
    assert [count(step, missing="keep"), count(step, with_mask=True), count(step)] == [2, 3, 3]
    guide = {str(own): Image.fromarray(array)}
    assert [count(step, guides=guide), count(step, guides={str(own): array.copy()})] == [4, 4]
    guide[str(own)].putpixel((0, 0), (1, 2, 3))
    assert count(step, guides=guide) == 5
    assert [count(step), count(step, missing="keep")] == [5, 6], "the one that was not used for longest is gone"


def test_what_changes_on_disk_is_read_anew(weights: Path, tmp_path: Path, built: list[object]) -> None:
    array, box = np.asarray(EMPTY), Box(0, 0, 100, 80)
    own, guide = tmp_path / "own.safetensors", tmp_path / "guide.png"
    own.write_bytes(weights.read_bytes())
    EMPTY.save(guide)
    before = mbu_ops.edit(f"add:{own}@{guide}", array, box=box)
    EMPTY.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(guide)
    assert not np.array_equal(mbu_ops.edit(f"add:{own}@{guide}", array, box=box), before)
    os.utime(own, ns=(1, 1))
    mbu_ops.edit(f"add:{own}@{guide}", array, box=box)
    assert len(built) == 3


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (
            torch.rand(1, 3, 20, 20),
            DTypeError,
            r"got a torch.Tensor: call the op itself, mbu_ops.chain\('remove:smile'\)",
        ),
        ([PHOTO, torch.rand(3, 20, 20)], DTypeError, "mbu_ops.Framed around it"),
        (np.zeros((20, 20, 3)), DTypeError, r"array of uint8, got float64: convert.*\(picture \* 255\).round\(\)"),
        (np.zeros((20, 20), np.uint8), ShapeError, r"expected picture as an array \(H, W, 3\), RGB, got \(20, 20\)"),
        (np.zeros((2, 20, 20, 3), np.uint8), ShapeError, "of a batch list"),
        (None, DTypeError, "expected picture to be a path.*got NoneType"),
        ([], ConfigurationError, "at least one picture, got an empty list"),
        ("nowhere.jpg", ImageFileError, "'nowhere.jpg': no such file"),
    ],
)
def test_what_is_no_picture(picture: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        mbu_ops.edit("remove:smile", picture, box=WHOLE)


def test_what_cannot_be_done(weights: Path, tmp_path: Path) -> None:
    EMPTY.save(tmp_path / "bare.png")
    cases: list[tuple[str, dict[str, Any], type[Exception], str]] = [
        ("transmogrify:smile", {}, ChainSyntaxError, "transmogrify"),
        ("remove:smiel", {}, mbu_ops.errors.FamilyError, "Did you mean 'smile'"),
        (f"add:{weights}@{tmp_path / 'bare.png'}", {}, FrameError, "expected a face in the guide picture of 'add:"),
        (f"add:{weights}@nowhere.png", {}, ImageFileError, "'nowhere.png': no such file"),
        (f"add:{weights},guide=99", {}, WeightsError, "default guides 0 to 13, got guide 99"),
        (f"add:{weights}", {"guides": {str(weights): torch.rand(1, 3, 9, 9)}}, DTypeError, "got a torch.Tensor"),
        ("remove:smile", {"guides": {"smile": 1}}, ConfigurationError, "no step that lacks one uses it"),
        ("remove:smile", {"align": False, "which": 2}, ConfigurationError, "which=2 needs photos to be searched"),
        ("remove:smile", {"align": False, "box": WHOLE}, ConfigurationError, "box says where to edit already"),
        ("remove:smile", {"missing": "skip"}, ConfigurationError, "missing to be 'raise' or 'keep'"),
    ]
    for steps, options, error, message in cases:
        with pytest.raises(error, match=message):
            mbu_ops.edit(steps, PHOTO, **options)


def test_an_op_that_is_given_a_picture_names_edit() -> None:
    for picture in (PHOTO, np.asarray(PHOTO), "photo.jpg"):
        with pytest.raises(DTypeError, match=r"image to be a torch.Tensor.*call mbu_ops.edit\(steps, picture\)"):
            mbu_ops.Remove(tiny_native_guided())(picture)
