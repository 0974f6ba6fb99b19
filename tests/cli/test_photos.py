"""`mbu-ops chain` on any photo, with real weights: faces are edited where they are, what cannot be edited is told.

docs/photos.md has the table of what becomes of bad input in words.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import mbu_ops
from mbu_ops.frames import Frame
from mbu_ops.images import ImageFile, ImageKind, encode, read
from mbu_ops_cli.app import run

from ..portraits import head_on_texture, portrait, texture
from .conftest import pixels_of

NO_FACE = "expected a face"
WRITTEN = {
    "cmyk.jpg",
    "crowd.png",
    "cut.png",
    "deep.png",
    "one.png",
    "palette.png",
    "phone.jpg",
}
FAILED = {
    "animated.gif": "only for pictures, and this is a video or an animation",
    "bomb.png": "expected at most 100 million pixels",
    "dot.png": NO_FACE,
    "empty.jpg": "expected an image, got an empty file",
    "line.png": NO_FACE,
    "none.png": NO_FACE,
    "text.jpg": "expected a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC image",
    "truncated.jpg": "expected a whole image, got a damaged one",
}


def bomb() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def draw_all(folder: Path) -> None:
    """Write one picture of each kind."""
    one = head_on_texture(420, 360, (60, 40, 300))
    one.save(folder / "one.png")
    texture(300, 280, 1).save(folder / "none.png")
    crowd = [(x * 110 + 5, y * 110 + 5, 100) for y in range(4) for x in range(5)]
    head_on_texture(550, 440, *crowd).save(folder / "crowd.png")
    portrait().crop((180, 0, 400, 300)).save(folder / "cut.png")
    Image.new("RGB", (1, 1), "red").save(folder / "dot.png")
    Image.new("RGB", (1, 30_000), "red").save(folder / "line.png")
    one.convert("CMYK").save(folder / "cmyk.jpg", quality=92)
    deep = np.asarray(one).astype(np.uint16) * 256 + np.random.default_rng(0).integers(0, 256, (360, 420, 3), np.uint16)
    (folder / "deep.png").write_bytes(encode(deep, ImageFile(deep, None, ImageKind("PNG", bits=16))))
    one.quantize(200).save(folder / "palette.png", transparency=3)
    one.save(folder / "animated.gif", save_all=True, append_images=[one.rotate(90)])
    buffer = io.BytesIO()
    one.save(buffer, "JPEG")
    (folder / "truncated.jpg").write_bytes(buffer.getvalue()[: buffer.tell() // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "bomb.png").write_bytes(bomb())
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: shown turned by a quarter
    one.rotate(90, expand=True).save(folder / "phone.jpg", exif=exif, quality=92)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("photos")
    draw_all(made)
    return made


@pytest.fixture(scope="module")
def done(folder: Path) -> tuple[int, dict[str, Any], Path]:
    """Exit code, report and results of one run over the folder."""
    out, stdout = folder.parent / f"{folder.name}-results", io.StringIO()
    with contextlib.redirect_stdout(stdout):
        code = run(
            ["chain", "remove:smile", "-i", str(folder), "-o", str(out), "--save-boxes", "--save-mask", "--json"]
        )
    return code, json.loads(stdout.getvalue()), out


Edited = Callable[[str], tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]]


@pytest.fixture
def edited(folder: Path, done: tuple[int, dict[str, Any], Path]) -> Edited:
    """Return a function from a name to the picture upright, its result, its mask and its boxes."""
    out = done[2]

    def get(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        boxes = json.loads((out / f"{name}.boxes.json").read_text())
        return read(folder / name).pixels, read(out / name).pixels, pixels_of(out / f"{name}.mask.png"), boxes

    return get


def away(pixels: np.ndarray, faces: list[dict[str, Any]]) -> np.ndarray:
    """Where no face's frame is, as ``(H, W)``."""
    outside = np.ones(pixels.shape[:2], bool)
    for face in faces:
        x, y = zip(*face["corners"], strict=True)
        top, left = max(0, math.floor(min(y))), max(0, math.floor(min(x)))
        outside[top : math.ceil(max(y)) + 1, left : math.ceil(max(x)) + 1] = False
    return outside


def test_what_can_be_edited_is_written_and_the_rest_is_told(
    done: tuple[int, dict[str, Any], Path], folder: Path
) -> None:
    code, report, out = done
    assert code == 1
    assert {Path(entry["input"]).name for entry in report["written"]} == WRITTEN
    assert {Path(entry["input"]).name for entry in report["failed"]} == set(FAILED)
    expected = {f"{name}{suffix}" for name in WRITTEN for suffix in ("", ".mask.png", ".boxes.json")}
    assert {path.name for path in out.iterdir()} == expected
    assert {path.name for path in folder.iterdir()} == WRITTEN | set(FAILED)


@pytest.mark.parametrize("name", FAILED)
def test_each_failure_says_what_was_expected(name: str, done: tuple[int, dict[str, Any], Path]) -> None:
    (error,) = (entry["error"] for entry in done[1]["failed"] if Path(entry["input"]).name == name)
    assert FAILED[name] in error
    assert "\n" not in error
    assert "Traceback" not in error


def test_in_words_each_failure_is_a_line_with_its_file(
    folder: Path, done: tuple[int, dict[str, Any], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--existing", "skip", "--save-mask", "--save-boxes"]
    assert run(["chain", "remove:smile", "-i", str(folder), "-o", str(done[2]), *args]) == 1
    captured = capsys.readouterr()
    assert not captured.out
    lines = [line for line in captured.err.splitlines() if line.startswith("mbu-ops: failed: ")]
    assert len(lines) == len(FAILED)
    for name, expected in FAILED.items():
        (line,) = (line for line in lines if name in line)
        assert expected in line
    assert "--no-align" in next(line for line in lines if "none.png" in line)
    assert f"{len(WRITTEN)} skipped (results exist), {len(FAILED)} failed" in captured.err


@pytest.mark.parametrize("name", ["one.png", "cut.png", "palette.png", "deep.png", "crowd.png"])
def test_outside_the_faces_every_sample_is_the_photo_s(name: str, edited: Edited) -> None:
    before, after, mask, boxes = edited(name)
    assert (boxes["width"], boxes["height"]) == before.shape[1::-1] == mask.shape[::-1]
    outside = away(before, boxes["faces"])
    assert outside.any()
    assert np.array_equal(before[outside], after[outside])
    assert not mask[outside].any()
    assert (mask > 200).any()
    assert (before[mask > 200] != after[mask > 200]).any()
    if before.dtype == np.uint8:
        assert (np.abs(before[mask == 0].astype(int) - after[mask == 0]) <= 1).all()


@pytest.mark.parametrize("name", ["one.png", "cmyk.jpg", "palette.png", "deep.png", "phone.jpg"])
def test_the_face_is_found_whatever_file_it_is_in(name: str, edited: Edited) -> None:
    _, _, _, boxes = edited(name)
    (face,) = boxes["faces"]
    assert (boxes["width"], boxes["height"]) == (420, 360)
    assert (face["x"], face["y"]) == pytest.approx((210, 152), abs=10)
    assert face["side"] == pytest.approx(181, abs=10)
    assert face["edited"] is True


def test_a_crowd(edited: Edited) -> None:
    before, after, mask, boxes = edited("crowd.png")
    assert len(boxes["faces"]) >= 18
    changed = 0
    for y in range(4):
        for x in range(5):
            head = slice(y * 110 + 5, y * 110 + 105), slice(x * 110 + 5, x * 110 + 105)
            changed += bool((mask[head] > 128).any() and np.abs(before[head].astype(int) - after[head]).max() > 10)
    assert changed >= 18


def test_a_face_that_the_border_cuts(edited: Edited) -> None:
    _, _, _, boxes = edited("cut.png")
    (face,) = boxes["faces"]
    assert (face["x"], face["y"]) == pytest.approx((45, 112), abs=10)
    assert min(x for x, _ in face["corners"]) < 0


def test_16_bits_stay_16_bits(done: tuple[int, dict[str, Any], Path], edited: Edited) -> None:
    assert read(done[2] / "deep.png").kind.bits == 16
    before, after, mask, _ = edited("deep.png")
    assert before.dtype == after.dtype == np.uint16
    # the mask file has 8 bits: what it calls 0 may be half of one of its steps
    assert np.abs(before[mask == 0].astype(int) - after[mask == 0]).max() <= 0.5 / 255 * 65535 + 1
    assert len(np.unique(after[mask > 128] % 256)) > 100, "edited pixels have 16 bits too"


def test_transparent_pixels_stay_transparent(folder: Path, done: tuple[int, dict[str, Any], Path]) -> None:
    before, after = read(folder / "palette.png"), read(done[2] / "palette.png")
    assert before.alpha is not None
    assert after.alpha is not None
    assert set(np.unique(before.alpha)) == {0, 255}
    assert np.array_equal(before.alpha, after.alpha)


def test_a_phone_s_photo_is_edited_upright(
    folder: Path, done: tuple[int, dict[str, Any], Path], edited: Edited
) -> None:
    with Image.open(done[2] / "phone.jpg") as result:
        assert (result.format, result.size) == ("JPEG", (420, 360))
        assert ImageOps.exif_transpose(result).size == (420, 360), "no tag turns it once more"
    upright = np.asarray(head_on_texture(420, 360, (60, 40, 300))).astype(int)
    before, after, mask, _ = edited("phone.jpg")
    for pixels in (before, after):
        assert np.abs(pixels[mask == 0] - upright[mask == 0]).mean() < 4


def test_cmyk_becomes_rgb(done: tuple[int, dict[str, Any], Path], edited: Edited) -> None:
    with Image.open(done[2] / "cmyk.jpg") as result:
        assert (result.format, result.mode) == ("JPEG", "RGB")
    before, after, mask, _ = edited("cmyk.jpg")
    assert np.abs(before[mask == 0].astype(int) - after[mask == 0]).mean() < 4


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A photo with a middle, a large and a small face."""
    path = tmp_path / "three.png"
    head_on_texture(760, 330, (10, 40, 220), (240, 10, 300), (560, 60, 150)).save(path)
    return path


@pytest.mark.parametrize(("face", "chosen"), [("largest", [0]), ("1", [0]), ("2", [1]), ("3", [2]), ("all", [0, 1, 2])])
def test_face_chooses_and_boxes_tell(face: str, chosen: list[int], three: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    args = ["-i", str(three), "-o", str(out), "--face", face, "--save-boxes"]
    assert run(["chain", "remove:smile", *args]) == 0
    boxes = json.loads((tmp_path / "out.png.boxes.json").read_text())
    faces = boxes["faces"]
    assert [one["side"] for one in faces] == sorted((one["side"] for one in faces), reverse=True)
    assert [one["side"] for one in faces] == pytest.approx([181, 133, 90], abs=10)
    assert [index for index, one in enumerate(faces) if one["edited"]] == chosen
    before, after = pixels_of(three), pixels_of(out)
    outside = away(before, [faces[index] for index in chosen])
    assert np.array_equal(before[outside], after[outside])
    for index in chosen:
        inside = ~away(before, [faces[index]])
        assert not np.array_equal(before[inside], after[inside])


def test_boxes_are_what_the_python_aligner_finds(three: Path, tmp_path: Path) -> None:
    assert run(["chain", "remove:smile", "-i", str(three), "-o", f"{tmp_path}/out.png", "--save-boxes"]) == 0
    faces = json.loads((tmp_path / "out.png.boxes.json").read_text())["faces"]
    frames = mbu_ops.aligner("faces").find(read(three).to_tensor()[None])
    assert len(frames) == len(faces) == 3
    for frame, face in zip(frames, faces, strict=True):
        assert isinstance(frame, Frame)
        assert (frame.x, frame.y, frame.side) == pytest.approx((face["x"], face["y"], face["side"]), abs=0.1)
        assert np.allclose(frame.corners, face["corners"], atol=0.1)
        assert 0 < face["score"] <= 1


def test_a_face_number_that_a_photo_lacks_fails_that_photo_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    head_on_texture(420, 360, (60, 40, 300)).save(tmp_path / "in" / "one.png")
    head_on_texture(420, 360, (10, 40, 200), (220, 40, 180)).save(tmp_path / "in" / "two.png")
    args = ["-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--face", "2"]
    assert run(["chain", "remove:smile", *args]) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["two.png"]
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("mbu-ops: failed: "))
    assert "one.png" in line
    assert "at least 2 faces, found 1" in line


@pytest.mark.parametrize("step", ["remove:smile", "remove:smile,method=maae"])
def test_without_looking_for_faces_the_whole_picture_is_edited(tmp_path: Path, step: str) -> None:
    cut = tmp_path / "cut.png"
    portrait().crop((135, 22, 315, 202)).save(cut)
    assert run(["chain", step, "--no-align", "-i", str(cut), "-o", str(tmp_path / "out.png")]) == 0
    op = mbu_ops.chain([step])
    with torch.inference_mode():
        expected = op(read(cut).to_tensor()[None])[0]
    expected = expected.mul(255).round().permute(1, 2, 0).numpy()
    assert np.abs(pixels_of(tmp_path / "out.png") - expected).max() <= 1
    assert np.abs(pixels_of(tmp_path / "out.png").astype(int) - pixels_of(cut)).max() > 20


def test_segment_marks_every_face(three: Path, tmp_path: Path) -> None:
    assert run(["chain", "segment:smile", "-i", str(three), "-o", f"{tmp_path}/mask.png", "--save-boxes"]) == 0
    mask, faces = pixels_of(tmp_path / "mask.png"), json.loads((tmp_path / "mask.png.boxes.json").read_text())["faces"]
    assert mask.shape == (330, 760)
    assert not mask[away(mask, faces)].any()
    assert all(mask[~away(mask, [face])].max() > 128 for face in faces)
