"""Masks of parts as files: what pixels mean in each kind of PNG, and what is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from mbu_ops.errors import ImageFileError, MBUOpsError, ShapeError
from mbu_ops.families import get_family
from mbu_ops.images import encode_labels, read_labels, write_labels

COLOURS = [(0, 0, 0), (240, 190, 150), (0, 80, 255), (255, 255, 255), (120, 60, 20)]
LABELS = np.array([[0, 1, 2], [3, 4, 4]], np.uint8)
Labels = NDArray[np.uint8]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mask.png"


def shown(labels: Labels = LABELS) -> Labels:
    """The labels as a picture in their colours."""
    return np.array(COLOURS, np.uint8)[labels]


def with_palette(indices: Labels, palette: list[tuple[int, int, int]]) -> Image.Image:
    picture = Image.new("P", indices.shape[::-1])
    picture.putdata(indices.ravel().tolist())
    picture.putpalette([value for colour in palette for value in colour])
    return picture


def png(width: int, height: int, data: bytes, bits: int = 8) -> bytes:
    """A grey PNG file whose header says what it likes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


# -- there and back ---------------------------------------------------------------------------------------------------


@st.composite
def masks(draw: st.DrawFn) -> tuple[Labels, list[tuple[int, int, int]]]:
    """Any mask of any number of parts, with colours of their own."""
    colours = draw(st.lists(st.tuples(*3 * [st.integers(0, 255)]), min_size=2, max_size=255, unique=True))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, len(colours) - 1))), colours


@given(masks())
@settings(max_examples=60, deadline=None)
def test_what_is_written_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, mask: tuple[Labels, list[tuple[int, int, int]]]
) -> None:
    labels, colours = mask
    path = tmp_path_factory.getbasetemp() / "there-and-back.png"
    write_labels(path, labels, colours, overwrite=True)
    again = read_labels(path, colours)
    assert again.dtype == np.uint8
    assert np.array_equal(again, labels)


def test_people_see_the_colours_and_programs_the_numbers(path: Path) -> None:
    write_labels(path, LABELS, COLOURS)
    with Image.open(path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "P", (3, 2))
        assert np.array_equal(np.asarray(picture), LABELS)
        assert np.array_equal(np.asarray(picture.convert("RGB")), shown())


def test_all_parts_of_faces_survive(path: Path) -> None:
    anatomy = get_family("faces").anatomy
    labels = np.arange(19, dtype=np.uint8).reshape(1, 19).repeat(3, 0)
    write_labels(path, labels, anatomy.colours)
    assert np.array_equal(read_labels(path, anatomy.colours), labels)


@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.bool_])
def test_labels_of_other_kinds_are_written_as_numbers(path: Path, kind: type) -> None:
    labels: NDArray[Any] = np.array([[0, 1, 1]], kind)
    write_labels(path, labels, COLOURS)
    assert read_labels(path, COLOURS).tolist() == [[0, 1, 1]]


def test_labels_that_lie_apart_in_memory_are_written(path: Path) -> None:
    write_labels(path, LABELS.T[::-1], COLOURS)
    assert np.array_equal(read_labels(path, COLOURS), LABELS.T[::-1])


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_palette_in_another_order_is_read_by_colour(path: Path) -> None:
    """Paint programs number the colours anew when they save."""
    order = [4, 2, 0, 3, 1]
    with_palette(np.argsort(order).astype(np.uint8)[LABELS], [COLOURS[number] for number in order]).save(path)
    with Image.open(path) as picture:
        assert not np.array_equal(np.asarray(picture), LABELS)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


def test_colours_that_no_pixel_shows_do_not_matter(path: Path) -> None:
    palette = [(9, 9, 9), COLOURS[2], (8, 8, 8), COLOURS[1]]
    with_palette(np.array([[1, 3, 1]], np.uint8), palette).save(path)
    assert read_labels(path, COLOURS).tolist() == [[2, 1, 2]]


def test_a_palette_of_other_colours_is_read_by_number(path: Path) -> None:
    with_palette(LABELS, [(number, 50, 7) for number in range(5)]).save(path)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


def test_another_program_s_palette_may_begin_with_black(path: Path) -> None:
    """Most do: its background is ours."""
    with_palette(LABELS, [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]).save(path)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


def test_one_strange_colour_does_not_turn_colours_into_numbers(path: Path) -> None:
    """Renumbered by a paint program, with one pixel smoothed: reading numbers would name everything wrong."""
    order = [4, 2, 0, 3, 1]
    indices = np.argsort(order).astype(np.uint8)[LABELS]
    indices[1, 0] = 5
    palette = [*(COLOURS[number] for number in order), (130, 100, 80)]
    with_palette(indices, palette).save(path)
    with pytest.raises(ImageFileError, match=r"\(130, 100, 80\) at column 0, row 1"):
        read_labels(path, [*COLOURS, (1, 1, 1)])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_is_read_by_number(path: Path, kind: type) -> None:
    Image.fromarray(LABELS.astype(kind)).save(path)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_is_read_by_number(path: Path, bits: int) -> None:
    """Decoders stretch it to 255; the file says 0 and 1."""
    path.write_bytes(png(2, 1, bytes([0, 1 << 8 - 2 * bits]), bits))
    assert read_labels(path, COLOURS).tolist() == [[0, 1]]


def test_grey_with_transparency_is_read_by_number(path: Path) -> None:
    Image.fromarray(np.dstack([LABELS, np.full_like(LABELS, 255)]), "LA").save(path)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_read_as_parts(path: Path, mode: str) -> None:
    Image.fromarray(shown()).convert(mode).save(path)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


def test_transparency_means_nothing(path: Path) -> None:
    pixels = np.dstack([shown(), np.arange(6, dtype=np.uint8).reshape(2, 3)])
    Image.fromarray(pixels).save(path)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


def test_colours_between_parts_are_named_with_their_place(path: Path) -> None:
    pixels = shown()
    pixels[1, 2] = (119, 60, 20)
    Image.fromarray(pixels).save(path)
    with pytest.raises(ImageFileError, match=r"mask\.png: .*\(119, 60, 20\) at column 2, row 1 \(16\.7% of") as caught:
        read_labels(path, COLOURS)
    assert "without smoothing" in str(caught.value)


@pytest.mark.parametrize("colour", [(0, 0, 1), (255, 255, 254), (241, 0, 0)])
def test_colours_beyond_and_between_all_parts_are_strange(path: Path, colour: tuple[int, int, int]) -> None:
    Image.new("RGB", (2, 1), colour).save(path)
    with pytest.raises(ImageFileError, match=r"at column 0, row 0 \(100\.0% of"):
        read_labels(path, COLOURS[:3])


@pytest.mark.parametrize(("kind", "value"), [(np.uint8, 5), (np.uint8, 255), (np.uint16, 256), (np.uint16, 65535)])
def test_numbers_of_no_part_are_refused(path: Path, kind: type, value: int) -> None:
    Image.fromarray(np.array([[0, value]], kind)).save(path)
    with pytest.raises(ImageFileError, match=rf"numbers of parts from 0 to 4, or the parts' colours, got {value}"):
        read_labels(path, COLOURS)


def test_a_foreign_palette_s_numbers_of_no_part_are_refused(path: Path) -> None:
    with_palette(np.array([[0, 5]], np.uint8), [(number, 50, 7) for number in range(6)]).save(path)
    with pytest.raises(ImageFileError, match=r"from 0 to 4, .* got 5"):
        read_labels(path, COLOURS)


def test_a_foreign_palette_may_hold_a_few_of_the_parts_colours_elsewhere(path: Path) -> None:
    """As CelebAMask-HQ's own does: black is its background's too, and its lower lip has our glasses' yellow."""
    palette = [(0, 0, 0), (204, 0, 0), (76, 153, 0), COLOURS[2], (51, 51, 255)]
    with_palette(LABELS, palette).save(path)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)


# -- files that are none ----------------------------------------------------------------------------------------------


def test_missing_files_and_folders_are_named(path: Path) -> None:
    with pytest.raises(ImageFileError, match=r"mask\.png'?: no such file"):
        read_labels(path, COLOURS)
    path.mkdir()
    with pytest.raises(ImageFileError, match=r"mask\.png'?: .* got a folder"):
        read_labels(path, COLOURS)


def test_files_that_are_no_png_are_refused(path: Path) -> None:
    write_labels(path, np.tile(LABELS, (40, 40)), COLOURS)
    whole = path.read_bytes()
    Image.fromarray(shown()).save(path, format="JPEG")
    jpeg = path.read_bytes()
    for content in (b"", b"no picture", whole[:8], whole[:40], whole[: len(whole) // 2], jpeg, png(3, 2, b"")):
        path.write_bytes(content)
        with pytest.raises(ImageFileError, match=r"mask\.png: expected a mask as a PNG file"):
            read_labels(path, COLOURS)


def test_damage_in_the_middle_is_noticed(path: Path) -> None:
    random = np.random.default_rng(0)
    write_labels(path, random.integers(0, 5, (64, 64)).astype(np.uint8), COLOURS)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match=r"mask\.png"):
        read_labels(path, COLOURS)


def test_large_masks_are_refused_before_they_are_decoded(path: Path) -> None:
    path.write_bytes(png(300, 200, b"no pixels at all"))  # only its header can be read
    with pytest.raises(ImageFileError, match=r"at most 0\.05 million pixels, got 300 x 200"):
        read_labels(path, COLOURS, max_pixels=50_000)
    write_labels(path, np.zeros((2, 3), np.uint8), COLOURS, overwrite=True)
    assert read_labels(path, COLOURS, max_pixels=6).shape == (2, 3)
    with pytest.raises(ImageFileError, match="got 3 x 2"):
        read_labels(path, COLOURS, max_pixels=5)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 40_000, 2**31 - 1])
def test_a_header_that_claims_a_huge_picture_is_refused(path: Path, side: int) -> None:
    path.write_bytes(png(side, side, b"\0" * 100))
    with pytest.raises(ImageFileError, match=r"mask\.png"):
        read_labels(path, COLOURS)


# -- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mask.jpg", "mask.tif", "mask.gif", "mask"])
def test_masks_are_written_as_png_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageFileError, match=name):
        write_labels(tmp_path / name, LABELS, COLOURS)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept_unless_told_otherwise(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(ImageFileError, match="exists already"):
        write_labels(path, LABELS, COLOURS)
    assert path.read_bytes() == b"precious"
    write_labels(path, LABELS, COLOURS, overwrite=True)
    assert np.array_equal(read_labels(path, COLOURS), LABELS)
    assert [file.name for file in path.parent.iterdir()] == ["mask.png"]


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (2, 3, 1), (0, 3), (3, 0)])
def test_labels_of_other_shapes_are_refused(path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\(height, width\)"):
        write_labels(path, np.zeros(shape, np.uint8), COLOURS)
    assert not path.exists()


@pytest.mark.parametrize("value", [5, 16, 255, 256, -1])
def test_numbers_without_a_colour_are_not_written(path: Path, value: int) -> None:
    """They would be read as other parts, or not at all."""
    with pytest.raises(MBUOpsError, match=str(value)):
        write_labels(path, np.array([[0, value]]), COLOURS)
    assert not path.exists()


def test_a_mask_is_a_few_bytes(path: Path) -> None:
    assert len(encode_labels(np.tile(LABELS, (100, 100)), COLOURS)) < 600
