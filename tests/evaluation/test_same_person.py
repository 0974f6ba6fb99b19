"""Edits beside the photo that was really taken, on photos whose other half is known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from mbu_ops.errors import DataError, FrameError, ImageFileError, MBUOpsError
from mbu_ops.evaluation.figures import Figure
from mbu_ops.evaluation.same_person import TRANSFORMS, compared, fine_detail, measure_people, people_sheet, read_people

SHIFT = [[1.0, 0.0, 8.0], [0.0, 1.0, 16.0]]
SIZE = (48, 64)


def write(folder: Path, names: Sequence[str] = ("001", "002", "003"), matrix: list[list[float]] = SHIFT) -> Path:
    """Photos of noise, each with a target that lies 8 pixels to the right and 16 down, and is other noise."""
    random = np.random.default_rng(0)
    for name in names:
        Image.fromarray(random.integers(60, 200, (80, 80, 3), dtype=np.uint8)).save(folder / f"{name}_smile.jpg")
        Image.fromarray(random.integers(60, 200, (*SIZE, 3), dtype=np.uint8)).save(folder / f"{name}_target.png")
    (folder / TRANSFORMS).write_text(json.dumps(dict.fromkeys(names, matrix)))
    return folder


def by_name(figures: Sequence[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def same(photo: Tensor) -> Tensor:
    return photo


def targets(people: Any) -> Callable[[Tensor], Tensor]:
    """An edit that puts each person's target into the photo, given in the people's order."""
    waiting = iter(people)

    def edit(photo: Tensor) -> Tensor:
        pixels = torch.from_numpy(np.array(Image.open(next(waiting).target))).permute(2, 0, 1) / 255
        edited = photo.clone()
        edited[0, :, 16 : 16 + SIZE[0], 8 : 8 + SIZE[1]] = pixels
        return edited

    return edit


def test_untouched_photos_are_as_near_as_they_are(tmp_path: Path) -> None:
    people = read_people(write(tmp_path))
    told = []
    found = by_name(measure_people(people, same, lambda: told.append(1)))
    assert len(told) == 3
    assert found["pairs_psnr"].value == found["pairs_psnr_untouched"].value < 20
    assert found["pairs_detail"].value == found["pairs_detail_untouched"].value
    assert found["pairs_sharpness"].value == pytest.approx(1)
    assert all(figure.count == 3 and figure.low <= figure.value <= figure.high for figure in found.values())


def test_the_true_photo_itself_is_nearest(tmp_path: Path) -> None:
    people = read_people(write(tmp_path))
    found = by_name(measure_people(people, targets(people)))
    untouched = found["pairs_psnr_untouched"].value
    # light is matched by what lies there before, so it is near and not equal
    assert found["pairs_psnr"].value > untouched + 10
    assert found["pairs_detail"].value > 0.99
    assert abs(found["pairs_detail_untouched"].value) < 0.2
    assert found["pairs_sharpness"].value == pytest.approx(found["pairs_sharpness_target"].value, rel=1e-3)


def test_what_lies_in_the_targets_place_is_compared(tmp_path: Path) -> None:
    (person, *_) = read_people(write(tmp_path))
    crops = compared(person, lambda photo: 1 - photo)
    photo = torch.from_numpy(np.array(Image.open(person.photo))).permute(2, 0, 1)[None] / 255
    place = photo[..., 16 : 16 + SIZE[0], 8 : 8 + SIZE[1]]
    light = crops.before - place
    assert torch.allclose(light, light[..., :1, :1].expand_as(light), atol=1e-5)
    assert torch.allclose(crops.after - light, 1 - place, atol=1e-5)
    top = SIZE[0] // 8
    for channel in range(3):
        medians = [crop[0, channel, :top].median() for crop in (crops.before, crops.target)]
        assert torch.allclose(*medians)


def test_a_blur_is_less_sharp(tmp_path: Path) -> None:
    people = read_people(write(tmp_path))
    found = by_name(measure_people(people, lambda photo: torch.nn.functional.avg_pool2d(photo, 3, 1, 1)))
    assert found["pairs_sharpness"].high < 0.6


def test_a_flat_edit_has_no_detail(tmp_path: Path) -> None:
    found = by_name(measure_people(read_people(write(tmp_path)), torch.zeros_like))
    assert found["pairs_detail"].value == 0
    assert found["pairs_sharpness"].value == pytest.approx(0, abs=1e-4)


def test_a_target_may_lie_turned_and_scaled(tmp_path: Path) -> None:
    (person, *_) = read_people(write(tmp_path, matrix=[[0.0, -0.5, 60.0], [0.5, 0.0, 10.0]]))
    crops = compared(person, same)
    photo = torch.from_numpy(np.array(Image.open(person.photo))).permute(2, 0, 1)[None] / 255
    shown = crops.before - (crops.before[..., 0, 0] - photo[..., 10, 60])[..., None, None]
    assert torch.allclose(shown[..., 20, 40], photo[..., 30, 50], atol=1e-5)


def test_fine_detail_is_what_a_blur_takes_away() -> None:
    step = torch.zeros(1, 3, 16, 16)
    step[..., 8:] = 1
    detail = fine_detail(step)
    assert detail[..., :5].abs().max() < 1e-6
    assert detail[..., 7:9].abs().min() > 0.2


def test_a_sheet_shows_before_after_and_target(tmp_path: Path) -> None:
    people = read_people(write(tmp_path))
    assert people_sheet(people, same).shape == (3, 3 * SIZE[0], 3 * SIZE[1])
    assert people_sheet(people * 4, same).shape == (3, 3 * SIZE[0], 8 * SIZE[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[]", r"got \[\]"),
        ("{}", r"got \{\}"),
        ('{"001": 3}', "two rows"),
        ('{"001": [[1, 0, 0]]}', "two rows"),
        ('{"001": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}', "two rows"),
        ('{"001": [[1, 0], [0, 1]]}', "two rows of three numbers"),
        ('{"001": [[1, 0, "a"], [0, 1, 0]]}', "two rows of three numbers"),
        ('{"001": [[1, 0, true], [0, 1, 0]]}', "two rows of three numbers"),
        ('{"001": [[NaN, 0, 0], [0, 1, 0]]}', "finite"),
        ('{"001": [[1, 0, 1e999], [0, 1, 0]]}', "finite"),
        ('{"001": [[1, 0, 1e9], [0, 1, 0]]}', "finite"),
        ('{"001": [[1, 1, 0], [1, 1, 0]]}', "covers"),
        ('{"../001": [[1, 0, 0], [0, 1, 0]]}', "begins no file name"),
        ('{"": [[1, 0, 0], [0, 1, 0]]}', "begins no file name"),
        ("[" * 100000, "recursion|nested|depth"),
        ("\udce4", "codec|decode|utf"),
    ],
)
def test_transforms_that_are_none_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path)
    (tmp_path / TRANSFORMS).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=TRANSFORMS) as caught:
        read_people(tmp_path)
    assert re.search(reason, str(caught.value), re.IGNORECASE)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=4), lambda x: st.lists(x, max_size=3)))
def test_any_transform_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, rows: object) -> None:
    folder = write(tmp_path_factory.mktemp("people"), names=("001",))
    (folder / TRANSFORMS).write_text(json.dumps({"001": rows}))
    with pytest.raises(DataError, match=r"two rows|finite|covers"):
        read_people(folder)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=TRANSFORMS):
        read_people(tmp_path)
    write(tmp_path)
    (tmp_path / "002_target.png").unlink()
    with pytest.raises(DataError, match=r"002_target\.png"):
        read_people(tmp_path)
    (tmp_path / "001_smile.jpg").unlink()
    with pytest.raises(DataError, match=r"001_smile\.jpg"):
        read_people(tmp_path)


@pytest.mark.parametrize("name", ["001_smile.jpg", "001_target.png"])
def test_pictures_that_are_none_are_named(tmp_path: Path, name: str) -> None:
    (person, *_) = read_people(write(tmp_path))
    (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(ImageFileError, match=name):
        compared(person, same)


def test_targets_outside_their_photo_are_named(tmp_path: Path) -> None:
    (person, *_) = read_people(write(tmp_path, matrix=[[1, 0, 500], [0, 1, 0]]))
    with pytest.raises(DataError, match=r"001_target\.png.*outside"):
        compared(person, same)


def test_targets_of_a_few_pixels_are_named(tmp_path: Path) -> None:
    (person, *_) = read_people(write(tmp_path))
    Image.new("RGB", (15, 40)).save(person.target)
    with pytest.raises(DataError, match="at least 16 pixels"):
        compared(person, same)


def test_photos_in_which_nothing_is_found_are_named(tmp_path: Path) -> None:
    (person, *_) = read_people(write(tmp_path))

    def none(photo: Tensor) -> None:
        raise FrameError("found none")

    with pytest.raises(FrameError, match=r"001_smile\.jpg.*found none"):
        compared(person, none)
    assert issubclass(FrameError, MBUOpsError)
