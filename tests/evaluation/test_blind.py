"""Blind sheets: who is shown, what is shown, and what the answers come to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from mbu_ops.errors import DataError
from mbu_ops.evaluation.blind import Camera, Key, Photo, Shown, people_of, read_answers, score, take_pictures
from mbu_ops.evaluation.blind_photos import photos_of_celeba, photos_of_folders
from mbu_ops.evaluation.blind_sheet import page, write_blind_sheet
from mbu_ops.families import AttributeSpec, FrameSpec
from mbu_ops.frames.frame import Frame

STEP = "remove:dot"


class Paint(nn.Module):
    """Makes everything grey."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.full_like(image, 0.5)


class Middle:
    """Finds a square of 8 pixels in the middle of wide photos, and nothing in others."""

    def find(self, image: torch.Tensor) -> list[Frame]:
        height, width = image.shape[-2:]
        return [Frame(width / 2, height / 2, 8)] if width > height else []


def draw(path: Path, width: int = 24, height: int = 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.name.encode())
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Ten people, each photographed with a smile and without."""
    for number in range(10):
        for face in ("smile", "neutral"):
            draw(tmp_path / "people" / f"{number:03}_{face}.png")
    return tmp_path / "people"


def key_of(*words: str) -> Key:
    pictures = {
        f"{number:03}": {"shown": word, "step": None if word == "real" else STEP, "source": "x.png"}
        for number, word in enumerate(words, 1)
    }
    return Key("ab12", pictures, {})


def test_people_are_told_by_their_names() -> None:
    assert people_of([Path("a/IMG_1.jpg"), Path("a/IMG_2.jpg")]) == ["IMG_1", "IMG_2"]
    assert people_of([Path("with/7.jpg")]) == people_of([Path("without/7.png")]) == ["7"]


def test_real_pictures_are_the_photo_s_own_pixels_and_edited_ones_differ_in_the_frame(people: Path) -> None:
    photo = Photo(people / "003_smile.png", "003")
    camera = Camera({STEP: Paint()}, Middle(), FrameSpec("half", within="doll", width=0.5, height=0.5))
    real, edited = camera.take(photo), camera.take(photo, STEP)
    with Image.open(photo.path) as file:
        own = torch.from_numpy(np.asarray(file)[8:12, 10:14].copy()).permute(2, 0, 1)
    assert torch.equal(real.pixels, own)
    assert edited.pixels.shape == own.shape
    assert not torch.equal(edited.pixels, own)
    assert (real.word, edited.word, edited.step) == ("real", "edited", STEP)


def test_known_frames_are_shown_as_far_as_the_photo_reaches(people: Path) -> None:
    photo = Photo(people / "000_smile.png", "0", (-0.25, 0.0, 0.5, 0.5))
    assert Camera({}).take(photo).pixels.shape == (3, 10, 12)


def test_an_edit_that_changes_nothing_is_no_edit(people: Path) -> None:
    assert Camera({"none": nn.Identity()}).take(Photo(people / "000_smile.png", "0"), "none") is None


def test_large_faces_are_shrunk_real_or_edited(tmp_path: Path) -> None:
    photo = Photo(draw(tmp_path / "large.png", 2048, 1024), "large")
    camera = Camera({STEP: Paint()})
    assert camera.take(photo).pixels.shape == camera.take(photo, STEP).pixels.shape == (3, 512, 1024)


def test_nobody_is_shown_twice_and_half_is_real(people: Path) -> None:
    real = photos_of_folders([people / "*_neutral.png"], 0)
    edited = photos_of_folders([people / "*_smile.png"], 1)
    camera = Camera({STEP: Paint(), "other": Paint()}, Middle())
    shown = take_pictures(camera, real, edited, [STEP, "other"], 2, 3, pytest.fail)
    assert sorted(str(one.step) for one in shown) == ["None"] * 4 + ["other"] * 2 + [STEP] * 2
    assert len({Path(one.source).name[:3] for one in shown}) == 8
    assert all(("neutral" in one.source) == (one.step is None) for one in shown)
    again = take_pictures(camera, real, edited, [STEP, "other"], 2, 3, pytest.fail)
    assert [one.source for one in again] == [one.source for one in shown]
    other = take_pictures(camera, real, edited, [STEP, "other"], 2, 4, pytest.fail)
    assert [one.source for one in other] != [one.source for one in shown]


def test_sheets_of_one_seed_do_not_have_their_real_pictures_at_the_same_numbers(people: Path) -> None:
    camera = Camera({STEP: Paint()}, Middle())
    orders = set()
    for start in range(5):
        real, edited = (photos_of_folders([people / f"*_{face}.png"], start) for face in ("neutral", "smile"))
        shown = take_pictures(camera, real, edited, [STEP], 4, 3, pytest.fail)
        orders.add(tuple(one.word for one in shown))
    assert len(orders) > 1


def test_photos_that_cannot_be_used_are_told_and_others_taken(people: Path, tmp_path: Path) -> None:
    (people / "torn.png").write_text("no picture")
    bad = [Photo(people / "torn.png", "torn"), Photo(draw(tmp_path / "tall.png", 10, 20), "tall")]
    real = photos_of_folders([people / "*_neutral.png"], 0)
    told: list[str] = []
    shown = take_pictures(Camera({STEP: Paint()}, Middle()), real, [*bad, real[-1]], [STEP], 1, 0, told.append)
    assert len(shown) == 2
    assert len(told) == 2
    assert "torn.png" in told[0]
    assert "found none" in told[1]
    with pytest.raises(DataError, match="too few to edit: add photos, or lower --count"):
        take_pictures(Camera({STEP: Paint()}, Middle()), real, bad, [STEP], 1, 0, told.append)
    with pytest.raises(DataError, match="no such file"):
        photos_of_folders([tmp_path / "nowhere"], 0)


def test_labelled_real_photos_are_spread_as_those_to_edit(tmp_path: Path) -> None:
    rows, people = [], []
    for number in range(40):
        glasses, man = number < 10, number < 9 or number % 2 == 0
        rows.append(f"{number:06}.jpg {1 if glasses else -1} {1 if man else -1}")
        people.append(f"{number:06}.jpg {number // 2}")
    (tmp_path / "img").mkdir()
    (tmp_path / "list_attr.txt").write_text("\n".join(["40", "Eyeglasses Male", *rows]))
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(f"{row.split()[0]} 1" for row in rows))
    (tmp_path / "identity_CelebA.txt").write_text("\n".join(people))
    rules = {"with_rule": (("Eyeglasses",),), "without_rule": (("!Eyeglasses",),)}
    attribute = AttributeSpec("glasses", "Glasses", balance=("Male",), **rules)
    men = []
    for seed in range(20):
        real, edited = photos_of_celeba([tmp_path], attribute, "with", "validation", seed)
        assert {int(photo.path.stem) for photo in edited} == set(range(10))
        assert {int(photo.path.stem) for photo in real} == set(range(10, 40))
        assert real[0].frame is not None
        assert real[0].person.startswith("identity ")
        men += [int(photo.path.stem) % 2 == 0 for photo in real[:3]]
    assert np.mean(men) > 0.75  # half of those who could be shown are men, and nine of ten of those edited
    (tmp_path / "identity_CelebA.txt").write_text("no identity here")
    with pytest.raises(DataError, match=r"expected lines such as '000001.jpg 2880'"):
        photos_of_celeba([tmp_path], attribute, "with", "validation", 0)


def test_the_folder_does_not_hold_the_key(tmp_path: Path) -> None:
    shown = [
        Shown(torch.full((3, 16, 12 + index), index, dtype=torch.uint8), STEP if index % 2 else None, f"s{index}.png")
        for index in range(5)
    ]
    key = write_blind_sheet(tmp_path / "<b>", shown, {"seed": 3})
    folder = tmp_path / "<b>"
    assert sorted(file.name for file in folder.iterdir()) == ["answers.txt", "page.html", "pictures", "sheet.png"]
    assert sorted(file.name for file in (folder / "pictures").iterdir()) == [
        f"00{number}.png" for number in range(1, 6)
    ]
    text = (folder / "page.html").read_text()
    assert "<title>&lt;b&gt;" in text
    assert key.sheet in text
    assert "{" + "known}" not in text
    assert not any(word in text for word in (STEP, "s1.png", "http:", "https:"))
    with Image.open(folder / "pictures" / "002.png") as file:
        assert file.size == (13, 16)
        assert file.getpixel((0, 0)) == (1, 1, 1)
        assert not file.info
    (tmp_path / "key.json").write_text(key.to_json())
    again = Key.read(tmp_path / "key.json")
    assert again == key
    assert again.facts == {"seed": 3}
    assert [picture["shown"] for picture in key.pictures.values()] == ["real", "edited", "real", "edited", "real"]


def test_many_pictures_fill_several_sheets(tmp_path: Path) -> None:
    shown = [Shown(torch.zeros(3, 500, 700, dtype=torch.uint8), None, "x.png")] * 13
    write_blind_sheet(tmp_path / "sheet", shown, {})
    grids = sorted((tmp_path / "sheet").glob("sheet*.png"))
    assert [grid.name for grid in grids] == ["sheet-1.png", "sheet-2.png"]
    for grid in grids:
        with Image.open(grid) as file:
            assert max(file.size) <= 2048


def test_names_cannot_leave_the_page_s_script() -> None:
    assert "</script><script>" not in page("</script><script>", "a", ["</script><script>"])


@pytest.mark.parametrize(
    "text",
    [
        "001 real\n002 edited\n",
        "# mine\nsheet ab12\n001,Real\n\n002.png; EDITED\n",
        '{"sheet": "ab12", "answers": {"001": "real", "002": "edited"}}',
    ],
)
def test_answers_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "answers").write_text(text)
    assert read_answers(tmp_path / "answers", key_of("real", "real")) == {"001": "real", "002": "edited"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("001 real", "an answer for each of the 2 pictures, got none for 002"),
        ("001 real\n002 real\n001 real", "one answer for the picture 001, got two"),
        ("001 real\n003 real", "pictures 001 to 002, got '003'"),
        ("001 real\n002 ?", "expected 'real' or 'edited' of the picture 002, got '?'"),
        ("001 real 002 real", "got the line"),
        ("sheet cd34\n001 real\n002 real", "answers the sheet 'cd34', the key is of 'ab12'"),
        ('{"sheet": "cd34", "answers": {}}', "answers the sheet 'cd34'"),
        ('{"sheet": "ab12", "answers": {"001": "real", "001": "edited", "002": "real"}}', "got two"),
        ('{"sheet": "ab12", "answers": {"001": 1, "002": "real"}}', "picture 001, got 1"),
        ('{"sheet": "ab12", "answers": ["001"]}', r"expected answers\.json"),
        ('{"sheet": "ab12", "answers": 1}', r"expected answers\.json"),
        ('{"answers": {}}', r"expected answers\.json"),
        ("{torn", r"expected answers\.json"),
    ],
)
def test_answers_that_cannot_be_counted(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "answers").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_answers(tmp_path / "answers", key_of("real", "edited"))


def test_answers_and_keys_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected answers\.json"):
        read_answers(tmp_path / "nowhere", key_of("real"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"expected answers\.json"):
        read_answers(tmp_path / "bytes", key_of("real"))
    for text in ("", "[]", "{}", '{"sheet": "a", "pictures": {"001": {"shown": "real", "step": "x"}}}'):
        (tmp_path / "key.json").write_text(text)
        with pytest.raises(DataError, match="expected the key"):
            Key.read(tmp_path / "key.json")


@given(st.lists(st.tuples(st.sampled_from(["real", "edited"]), st.sampled_from(["real", "edited"])), min_size=1))
def test_the_score_counts_what_was_said(pairs: list[tuple[str, str]]) -> None:
    key = key_of(*(word for word, _ in pairs))
    figures = {
        figure.name: figure for figure in score(key, dict(zip(key.pictures, (said for _, said in pairs), strict=True)))
    }
    assert figures["told_apart"].value == np.mean([word == said for word, said in pairs])
    for kind, name in (("real", "real"), ("edited", STEP)):
        called = [said == "edited" for word, said in pairs if word == kind]
        figure = figures.get(f"{name}_called_edited")
        assert (figure is None) == (not called)
        if figure is not None:
            assert figure.count == len(called)
            assert figure.value == np.mean(called)
            assert figure.low <= figure.value <= figure.high


def test_keys_are_plain_json(tmp_path: Path) -> None:
    key = key_of("real", "edited")
    assert json.loads(key.to_json())["pictures"]["002"]["step"] == STEP
