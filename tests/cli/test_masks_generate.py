"""`mbu-ops generate`: faces made from masks; and what aligners find for it, for `parse` and for `edit`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mbu_ops import images
from mbu_ops.data.labelled import Labelled
from mbu_ops.frames.box import Box
from mbu_ops.frames.parts import FramedParse
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import Generate
from mbu_ops_cli.app import run

from ..pictures import draw
from ..tiny_faces import ANATOMY, face_labels, fill_folder, save_network
from .conftest import pixels_of
from .masks import labels_of, near, tensor

LEFT, RIGHT = Box(4, 2, 30, 28), Box(34, 6, 52, 30)
DOLLS = ["--family", "dolls", "--device", "cpu"]
Change = Callable[..., None]


class Finder:
    """Finds two boxes, the larger first; in pictures of an odd height nothing, or trouble."""

    def __init__(self, trouble: Any = None) -> None:
        self.trouble = trouble

    def find(self, image: Tensor) -> Any:
        if image.shape[-2] % 2 == 0:
            return LEFT, RIGHT
        if isinstance(self.trouble, BaseException):
            raise self.trouble
        return () if self.trouble is None else self.trouble


# -- generate -------------------------------------------------------------------------------------------------------


@pytest.fixture
def generate(dolls: Change, mask: Path, portraits: str, tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a face with further options."""

    def call(*options: str, code: int = 0) -> Path:
        out = tmp_path / "made.png"
        command = ["generate", "--mask", str(mask), "-o", str(out), "--weights", portraits, *DOLLS, *options]
        assert run(command) == code
        return out

    return call


@pytest.mark.parametrize("number", [None, 0, 2])
def test_faces_have_a_default_look(
    generate: Callable[..., Path], mask: Path, portraits: str, number: int | None
) -> None:
    op = Generate.from_pretrained(portraits)
    assert op.guides is not None
    expected = op(labels_of(mask), op.guides[number or 0][None])
    assert near(generate() if number is None else generate("--guide", str(number)), expected)
    assert expected.shape == (1, 3, 32, 32)


def test_faces_look_like_a_photo(generate: Callable[..., Path], mask: Path, photo: Path, portraits: str) -> None:
    op = Generate.from_pretrained(portraits)
    expected = op(labels_of(mask), op.encode(tensor(photo)))
    assert near(generate("--like", str(photo)), expected)


def test_the_look_is_that_of_the_largest_face(
    generate: Callable[..., Path],
    dolls: Change,
    mask: Path,
    photo: Path,
    portraits: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dolls(Finder(), noun="old doll")
    op = Generate.from_pretrained(portraits)
    expected = op(labels_of(mask), op.encode(LEFT.cut(tensor(photo))))
    made = generate("--like", str(photo))
    assert near(made, expected)
    made.unlink()
    assert not near(generate("--like", str(photo), "--no-align"), expected)
    empty = draw(photo.with_name("empty.png"), (56, 41))
    assert "found none" not in capsys.readouterr().err
    generate("--like", str(empty), "--existing", "overwrite", code=2)
    assert "expected an old doll, found none; choose another photo, or --no-align" in capsys.readouterr().err


def test_faces_stand_before_a_background(
    generate: Callable[..., Path], mask: Path, photo: Path, portraits: str
) -> None:
    op = Generate.from_pretrained(portraits)
    made = generate("--background", str(photo))
    assert near(made, op(labels_of(mask), None, tensor(photo)))
    before = pixels_of(made)
    generate("--existing", "overwrite")
    assert not np.array_equal(pixels_of(made), before)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--like", "photo.png", "--guide", "0"], 2, "expected --like PHOTO or --guide N, got both"),
        (["--guide", "3"], 3, "holds 3 default looks, numbered from 0, got 3: use --like"),
        (["--guide", "-1"], 2, "--guide"),
        (["--like", "nowhere.png"], 2, "nowhere.png"),
        (["--background", "nowhere.png"], 2, "nowhere.png"),
        (["--weights", "./nowhere.safetensors"], 3, "no such file"),
        (["--face", "1"], 2, "--face"),
        (["-o", "made.txt"], 2, "made.txt"),
    ],
)
def test_generate_says_what_is_wrong(
    generate: Callable[..., Path],
    options: list[str],
    code: int,
    says: str,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    generate(*options, code=code)
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_weights_without_looks_ask_for_a_photo(
    generate: Callable[..., Path], photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = save_network(tmp_path / "bare.safetensors", guides=0)
    generate("--weights", bare, code=3)
    assert "holds 0 default looks" in capsys.readouterr().err
    assert generate("--weights", bare, "--like", str(photo)).exists()


# -- many ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(dolls: Change, portraits: str, tmp_path: Path) -> Callable[..., Path]:
    """A function that makes faces of sixteen labelled ones, into a folder of that name."""
    labelled = fill_folder(tmp_path / "labelled", 16)

    def call(name: str, *options: str, code: int = 0) -> Path:
        command = ["generate", "--labelled", str(labelled), "-o", str(tmp_path / name), "--weights", portraits]
        assert run([*command, *DOLLS, *options]) == code
        return tmp_path / name

    return call


def test_labelled_faces_are_made_of_labelled_faces(many: Callable[..., Path], tmp_path: Path) -> None:
    old, made = (Labelled.from_folder(folder, ANATOMY, 32) for folder in (tmp_path / "labelled", many("made")))
    assert torch.equal(made.labels, old.labels), "masks are taken in turn"
    assert not torch.equal(made.pixels, old.pixels)
    half = Labelled.from_folder(many("half", "--holdout", "0.5"), ANATOMY, 32)
    assert torch.equal(half.labels, Labelled.from_folder(tmp_path / "labelled", ANATOMY, 32, holdout=0.5).labels)
    more = Labelled.from_folder(many("more", "--count", "20"), ANATOMY, 32)
    assert torch.equal(more.labels, old.labels[torch.arange(20) % 16])
    assert torch.equal(more.pixels[:16], made.pixels)
    other = Labelled.from_folder(many("other", "--seed", "1"), ANATOMY, 32)
    assert torch.equal(other.labels, made.labels)
    assert not torch.equal(other.pixels, made.pixels)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mask", "face.png"], "expected --mask FILE or --labelled FOLDER, one of the two"),
        (["--like", "photo.png"], "--labelled brings its own looks and backgrounds: leave --like out"),
        (["--guide", "0"], "leave --guide out"),
        (["--background", "photo.png"], "leave --background out"),
        (["--labelled", "nowhere"], "nowhere"),
        (["-o", "labelled"], "holds something: choose another one"),
        (["-o", "labelled/images/0.png"], "choose another one"),
        (["--count", "0"], "--count"),
        (["--seed", "-1"], "--seed"),
        (["--holdout", "1"], "--holdout"),
    ],
)
def test_what_does_not_go_with_many_is_refused(
    many: Callable[..., Path],
    options: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    many("made", *options, code=2)
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("options", [["--count", "3"], ["--holdout", "0.5"]])
def test_what_goes_with_many_alone(
    generate: Callable[..., Path], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = generate(*options, code=2)
    assert "--holdout and --count go with --labelled" in capsys.readouterr().err
    assert not made.exists()


# -- aligners -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "boxes"),
    [
        ([], (LEFT, RIGHT)),
        (["--face", "largest"], (LEFT,)),
        (["--face", "2"], (RIGHT,)),
        (["--no-align"], (Box(0, 0, 56, 40),)),
    ],
)
def test_faces_that_are_found_are_parsed(
    dolls: Change, options: list[str], boxes: tuple[Box, ...], photo: Path, portraits: str, tmp_path: Path
) -> None:
    dolls(Finder())
    out = tmp_path / "mask.png"
    assert run(["parse", "-i", str(photo), "-o", str(out), "--weights", portraits, *DOLLS, *options]) == 0
    expected = FramedParse(Parse.from_pretrained(portraits), boxes[0])(tensor(photo), [boxes])
    assert torch.equal(labels_of(out), expected)


def test_an_edit_of_one_face_leaves_the_other(dolls: Change, photo: Path, portraits: str, tmp_path: Path) -> None:
    dolls(Finder())
    mask, out = tmp_path / "mask.png", tmp_path / "result.png"
    command = ["--weights", portraits, *DOLLS]
    assert run(["parse", "-i", str(photo), "-o", str(mask), *command]) == 0
    labels = labels_of(mask)
    labels[..., 10:24, :] = 3
    images.write_labels(mask, labels[0, 0].numpy(), ANATOMY.colours, overwrite=True)
    edit = ["edit", "-i", str(photo), "--mask", str(mask), "-o", str(out), "--existing", "overwrite", *command]
    for face, seen in ((["--face", "1"], (True, False)), (["--face", "2"], (False, True)), ([], (True, True))):
        assert run([*edit, *face]) == 0
        changed = (pixels_of(out) != pixels_of(photo)).any(-1)
        assert (changed[:, :30].any(), changed[:, 34:].any()) == seen
        assert not changed[:, 30:34].any()


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (None, "found none"),
        (RuntimeError("no luck"), "no luck"),
        (KeyError("x"), "KeyError"),
        ([(1, 2, 3, 4)], "tuple"),
    ],
    ids=["nothing", "runtime", "key", "tuple"],
)
def test_an_aligners_trouble_costs_the_photo_it_had_it_with(
    dolls: Change, trouble: Any, says: str, portraits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dolls(Finder(trouble))
    for index, height in enumerate((40, 41, 42)):
        draw(tmp_path / "photos" / f"{index}.png", (56, height), index)
    out = tmp_path / "masks"
    assert run(["parse", "-i", str(tmp_path / "photos"), "-o", str(out), "--weights", portraits, *DOLLS]) == 1
    said = capsys.readouterr().err
    assert "2 written, 0 skipped, 1 failed" in said
    assert says in said
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "2.png"]


def test_an_aligners_trouble_ends_an_edit_and_a_look_in_words(
    dolls: Change,
    generate: Callable[..., Path],
    mask: Path,
    portraits: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dolls(Finder(RuntimeError("no luck")))
    photo = draw(tmp_path / "odd.png", (32, 41))
    images.write_labels(tmp_path / "odd_mask.png", np.zeros((41, 32), np.uint8), ANATOMY.colours)
    out = tmp_path / "result.png"
    command = ["edit", "-i", str(photo), "--mask", str(tmp_path / "odd_mask.png"), "-o", str(out)]
    assert run([*command, "--weights", portraits, *DOLLS]) == 3
    assert "no luck" in capsys.readouterr().err
    generate("--like", str(photo), code=3)
    assert "no luck" in capsys.readouterr().err


def test_a_mask_that_is_not_cut_to_its_frame_is_told(
    dolls: Change, mask: Path, portraits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "generate",
        *DOLLS,
        "--weights",
        portraits,
        "-o",
        str(tmp_path / "made.png"),
        "--existing",
        "overwrite",
        "--mask",
    ]
    assert run([*command, str(mask)]) == 0
    assert "note" not in capsys.readouterr().err
    far = np.pad(face_labels(1)[0, 0].numpy(), 100)
    images.write_labels(tmp_path / "far.png", far, ANATOMY.colours)
    assert run([*command, str(tmp_path / "far.png")]) == 0
    told = capsys.readouterr().err
    assert "far.png" in told
    assert "--no-align" in told
