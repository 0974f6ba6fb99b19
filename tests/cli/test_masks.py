"""`mbu-ops parse`, `edit` and `generate`: masks out of photos, photos to fit them, and what is wrong with either."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mbu_ops import images
from mbu_ops.frames.box import Box
from mbu_ops.frames.parts import FramedReshape
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import Reshape
from mbu_ops.testing import tiny_parsing
from mbu_ops_cli.app import run

from ..pictures import draw, touch
from ..tiny_faces import ANATOMY, save_network
from .conftest import pixels_of
from .masks import labels_of, tensor

MOUTH = 3
WHOLE = ["--family", "dolls", "--device", "cpu"]


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_network(tmp_path_factory.mktemp("parser") / "parser.safetensors", tiny_parsing())


def write_mask(path: Path, labels: Tensor) -> Path:
    images.write_labels(path, labels[0, 0].to(torch.uint8).numpy(), ANATOMY.colours, overwrite=True)
    return path


def painted(photo: Path, portraits: str, where: tuple[slice, slice] = (slice(12, 22), slice(10, 24))) -> Path:
    """A photo's own mask in which somebody painted a mouth."""
    labels = Parse.from_pretrained(portraits).labels(tensor(photo))
    labels[..., where[0], where[1]] = MOUTH
    return write_mask(photo.with_name("mask.png"), labels)


# -- parse ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("dolls")
def test_a_photos_parts_are_written_in_their_colours(
    photo: Path, parser: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mask.png"
    assert run(["parse", "-i", str(photo), "-o", str(out), "--weights", parser, *WHOLE]) == 0
    assert "1 written, 0 skipped, 0 failed" in capsys.readouterr().err
    expected = Parse.from_pretrained(parser).labels(tensor(photo))
    assert torch.equal(labels_of(out).long(), expected)
    with Image.open(out) as picture:
        assert (picture.mode, picture.size) == ("P", (56, 40))
        colours = np.array(ANATOMY.colours)[expected[0, 0].numpy()]
        assert np.array_equal(np.asarray(picture.convert("RGB")), colours)


@pytest.mark.usefixtures("dolls")
def test_a_folder_of_photos_is_mirrored(
    photos: Path, portraits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "masks"
    command = ["parse", "-i", str(photos), "-o", str(out), "--weights", portraits, *WHOLE]
    assert run(command) == 0
    assert "5 written" in capsys.readouterr().err
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    assert written == ["0.png", "1.png", "2.png", "trip/a.png", "trip/deep/b.png"]
    assert labels_of(out / "trip" / "deep" / "b.png").shape == (1, 1, 30, 16)


@pytest.mark.usefixtures("dolls")
def test_masks_that_exist_are_kept_skipped_or_replaced(
    photos: Path, parser: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "masks"
    (out / "trip").mkdir(parents=True)
    (out / "1.png").write_bytes(b"mine")
    command = ["parse", "-i", str(photos), "-o", str(out), "--weights", parser, *WHOLE]
    assert run(command) == 2
    assert "exist already" in capsys.readouterr().err
    assert [path.name for path in out.rglob("*.png")] == ["1.png"]
    assert run([*command, "--existing", "skip"]) == 0
    assert "4 written, 1 skipped, 0 failed" in capsys.readouterr().err
    assert (out / "1.png").read_bytes() == b"mine"
    assert run([*command, "--existing", "overwrite"]) == 0
    assert "5 written, 0 skipped" in capsys.readouterr().err
    assert labels_of(out / "1.png").shape == (1, 1, 20, 24)


@pytest.mark.usefixtures("dolls")
def test_a_broken_photo_costs_itself_alone(
    photos: Path, parser: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "1.png").write_bytes(b"\x89PNG and no more")
    out = tmp_path / "masks"
    assert run(["parse", "-i", str(photos), "-o", str(out), "--weights", parser, *WHOLE]) == 1
    said = capsys.readouterr().err
    assert "4 written, 0 skipped, 1 failed" in said
    assert "1.png" in said
    assert not (out / "1.png").exists()


@pytest.mark.usefixtures("dolls")
def test_photos_whose_masks_would_share_a_name_and_files_that_are_none_are_told(
    photos: Path, parser: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(photos / "1.jpg")
    touch(photos, "a.avi")
    out = tmp_path / "masks"
    assert run(["parse", "-i", str(photos), "-o", str(out), "--weights", parser, *WHOLE]) == 1
    said = capsys.readouterr().err
    assert said.count("would both be written to") == 2
    assert "4 written, 0 skipped, 2 failed, 1 not read: 1 .avi (unsupported format)" in said
    assert not (out / "1.png").exists()


@pytest.mark.parametrize(("inputs", "out"), [("-", "mask.png"), ("photo.png", "-")])
@pytest.mark.usefixtures("dolls", "photo")
def test_pipes_are_refused(
    inputs: str,
    out: str,
    parser: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["parse", "-i", inputs, "-o", out, "--weights", parser, *WHOLE]) == 2
    assert "got -: masks are not piped" in capsys.readouterr().err
    assert not (tmp_path / "mask.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-o", "mask.jpg"], 2, "a mask is written as PNG"),
        (["-o", "mask.png", "--no-align", "--face", "1"], 2, "--face chooses among what is found"),
        (["-o", "mask.png", "--face", "0"], 2, "expected --face all, largest or a number from 1"),
        (["-o", "mask.png", "--face", "2"], 1, "expected at least 2 objects, found 1"),
        (["-o", "mask.png", "--family", "unicorns"], 2, "unicorns"),
        (["-o", "mask.png", "--existing", "ask"], 2, "ask"),
        (["-o", "mask.png", "--weights", "./nowhere.safetensors"], 3, "no such file"),
        (["-o", "mask.png", "--weights", "dolls/unicorn"], 2, "unicorn"),
        (["-o", "mask.png", "--device", "abacus"], 2, "abacus"),
        (["-o", "photo.png"], 2, "photo.png"),
        ([], 2, "-o"),
    ],
)
@pytest.mark.usefixtures("dolls", "photo")
def test_parse_says_what_is_wrong(
    arguments: list[str],
    code: int,
    says: str,
    parser: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert run(["parse", "-i", "photo.png", "--weights", parser, *WHOLE, *arguments]) == code
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


# -- edit -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("dolls")
def test_an_unedited_mask_gives_the_photo_back(
    photo: Path, portraits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, out = tmp_path / "mask.png", tmp_path / "result.png"
    assert run(["parse", "-i", str(photo), "-o", str(mask), "--weights", portraits, *WHOLE]) == 0
    assert run(["edit", "-i", str(photo), "--mask", str(mask), "-o", str(out), "--weights", portraits, *WHOLE]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert np.array_equal(pixels_of(out), pixels_of(photo))


@pytest.mark.usefixtures("dolls")
def test_an_edited_mask_redraws_what_was_painted(photo: Path, portraits: str, tmp_path: Path) -> None:
    mask, out = painted(photo, portraits), tmp_path / "result.png"
    assert run(["edit", "-i", str(photo), "--mask", str(mask), "-o", str(out), "--weights", portraits, *WHOLE]) == 0
    changed = (pixels_of(out) != pixels_of(photo)).any(-1)
    assert changed[13:21, 11:23].mean() > 0.9
    assert not changed[33:].any()
    assert not changed[:, 38:].any()
    everything = Box(0, 0, 56, 40)
    expected = FramedReshape(Reshape.from_pretrained(portraits), everything)(tensor(photo), labels_of(mask))
    assert np.abs(pixels_of(out) - 255 * expected[0].detach().movedim(0, -1).numpy()).max() < 0.51


@pytest.mark.usefixtures("dolls")
def test_masks_may_be_grey_numbers_and_photos_keep_their_kind(portraits: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 4), dtype=np.uint8)
    photo, mask, out = (tmp_path / name for name in ("photo.png", "mask.png", "result.png"))
    Image.fromarray(pixels).save(photo)
    Image.fromarray(np.full((40, 56), MOUTH, np.uint8)).save(mask)
    assert run(["edit", "-i", str(photo), "--mask", str(mask), "-o", str(out), "--weights", portraits, *WHOLE]) == 0
    result = pixels_of(out)
    assert np.array_equal(result[..., 3], pixels[..., 3])
    assert not np.array_equal(result[..., :3], pixels[..., :3])


def spoil(kind: str, mask: Path) -> None:
    if kind == "missing":
        mask.unlink()
    elif kind == "jpeg":
        Image.open(mask).convert("RGB").save(mask, "JPEG")
    elif kind == "broken":
        mask.write_bytes(mask.read_bytes()[:60])
    elif kind == "colour":
        picture = Image.open(mask).convert("RGB")
        picture.putpixel((7, 5), (1, 2, 3))
        picture.save(mask)
    elif kind == "number":
        Image.fromarray(np.full((40, 56), 5, np.uint8)).save(mask)
    elif kind == "size":
        Image.open(mask).resize((40, 56)).save(mask)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "mask.png"),
        ("jpeg", "expected a mask as a PNG file"),
        ("broken", "expected a mask as a PNG file"),
        ("colour", "got (1, 2, 3) at column 7, row 5"),
        ("number", "expected numbers of parts from 0 to 4"),
        ("size", "expected a mask of the photo's size, 56 x 40, got 40 x 56"),
    ],
)
@pytest.mark.usefixtures("dolls")
def test_masks_that_cannot_be_used(
    kind: str, says: str, photo: Path, portraits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, out = painted(photo, portraits), tmp_path / "result.png"
    spoil(kind, mask)
    assert run(["edit", "-i", str(photo), "--mask", str(mask), "-o", str(out), "--weights", portraits, *WHOLE]) == 2
    assert says in capsys.readouterr().err
    if kind != "size":  # faces are made from masks of any size
        assert run(["generate", "--mask", str(mask), "-o", str(out), "--weights", portraits, *WHOLE]) == 2
        assert says in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.usefixtures("dolls")
def test_results_are_replaced_only_when_asked(
    photo: Path, portraits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, out = painted(photo, portraits), tmp_path / "result.png"
    for command in (["edit", "-i", str(photo)], ["generate"]):
        command += ["--mask", str(mask), "-o", str(out), "--weights", portraits, *WHOLE]
        out.write_bytes(b"mine")
        assert run(command) == 2
        assert "exists already; add --existing overwrite" in capsys.readouterr().err
        assert run([*command, "--existing", "skip"]) == 0
        assert "was left as it is" in capsys.readouterr().err
        assert out.read_bytes() == b"mine"
        assert run([*command, "--overwrite"]) == 0  # as it was called before
        assert "--overwrite is called --existing overwrite by now" in capsys.readouterr().err
        out.write_bytes(b"mine")
        assert run([*command, "--existing", "overwrite"]) == 0
        assert pixels_of(out).ndim == 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-i", "nowhere.png"], 2, "nowhere.png"),
        (["-o", "result.txt"], 2, "result.txt"),
        (["--no-align", "--face", "largest"], 2, "--face chooses among what is found"),
        (["--face", "2"], 2, "expected at least 2 objects, found 1"),
        (["--weights", "./nowhere.safetensors"], 3, "no such file"),
        (["--family", "unicorns"], 2, "unicorns"),
    ],
)
@pytest.mark.usefixtures("dolls")
def test_edit_says_what_is_wrong(
    arguments: list[str],
    code: int,
    says: str,
    photo: Path,
    portraits: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    painted(photo, portraits)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    command = ["edit", "-i", "photo.png", "--mask", "mask.png", "-o", "result.png", "--weights", portraits, *WHOLE]
    assert run([*command, *arguments]) == code
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
