"""Labelled pictures: folders that are read, repaired and divided, and batches of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mbu_ops.data.labelled import Labelled, chosen_names, oriented
from mbu_ops.data.variation import Variation
from mbu_ops.errors import DataError
from mbu_ops.families import Anatomy, FrameSpec, PartSpec
from mbu_ops.images import write_labels

ANATOMY = Anatomy(
    (
        PartSpec("rest", "Rest", (0, 0, 0)),
        PartSpec("left_ear", "Left ear", (255, 0, 0), mirror="right_ear"),
        PartSpec("nose", "Nose", (0, 255, 0)),
        PartSpec("right_ear", "Right ear", (0, 0, 255), mirror="left_ear"),
        PartSpec("tail", "Tail", (255, 255, 0)),
    )
)
STEP = 50
"""Pictures show their labels: a part's pixels are grey, and its number times this bright."""


def labels_of(seed: int, side: int = 16) -> np.ndarray:
    """A face that looks at us, its left ear to the right."""
    random = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.uint8)
    top, left = random.integers(1, side // 2, 2)
    labels[top : top + 6, left : left + 7] = 2
    labels[top + 1 : top + 4, left : left + 2] = 3
    labels[top + 2 : top + 5, left + 5 : left + 7] = 1
    return labels


def put(folder: Path, name: str, labels: np.ndarray, suffix: str = ".png") -> None:
    """Write a picture that shows its labels, and the mask."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray((STEP * labels)[..., None].repeat(3, -1)).save(folder / "images" / f"{name}{suffix}")
    write_labels(folder / "masks" / f"{name}.png", labels, ANATOMY.colours, overwrite=True)


def fill(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        put(folder, name, labels_of(int(name.strip("f"))))
    return folder


NAMES = [f"f{number:02}" for number in range(12)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "pets", NAMES)


def agree(pictures: Labelled) -> bool:
    return torch.equal(pictures.pixels, (STEP * pictures.labels).expand(-1, 3, -1, -1))


# -- folders ----------------------------------------------------------------------------------------------------------


def test_pictures_come_with_their_masks(folder: Path) -> None:
    pictures = Labelled.from_folder(folder, ANATOMY, 16)
    assert pictures.names == tuple(NAMES)
    assert (pictures.pixels.shape, pictures.pixels.dtype) == ((12, 3, 16, 16), torch.uint8)
    assert (pictures.labels.shape, pictures.labels.dtype) == ((12, 1, 16, 16), torch.uint8)
    assert np.array_equal(pictures.labels[3, 0].numpy(), labels_of(3))
    assert agree(pictures)
    assert pictures.resolution == 16


def test_masks_of_other_sizes_are_cut_and_resized_as_their_pictures(folder: Path) -> None:
    labels = np.zeros((24, 40), np.uint8)
    labels[6:18, 14:26] = 4  # in the middle half of the centred square
    put(folder, "wide", labels)
    write_labels(folder / "masks" / "wide.png", labels.repeat(3, 0).repeat(3, 1), ANATOMY.colours, overwrite=True)
    pictures = Labelled.from_folder(folder, ANATOMY, 8)
    found = pictures.labels[pictures.names.index("wide"), 0]
    expected = torch.zeros(8, 8, dtype=torch.uint8)
    expected[2:6, 2:6] = 4
    assert torch.equal(found, expected)
    shown = pictures.pixels[pictures.names.index("wide"), 0]
    assert ((shown > 2 * STEP) == (expected > 0)).all()


@pytest.mark.parametrize("missing", ["images", "masks", ""])
def test_other_layouts_are_refused(folder: Path, missing: str) -> None:
    (folder / missing).rename(folder.parent / "elsewhere")
    with pytest.raises(DataError, match=rf"with images/ and masks/, got .*pets', which has no {missing or 'images'}/"):
        Labelled.from_folder(folder, ANATOMY, 16)


@pytest.mark.parametrize("part", ["images", "masks"])
def test_empty_folders_are_refused(folder: Path, part: str) -> None:
    for file in (folder / part).iterdir():
        file.unlink()
    with pytest.raises(DataError):
        Labelled.from_folder(folder, ANATOMY, 16, report=lambda _line: None)


def test_pictures_without_masks_are_skipped_and_named(folder: Path) -> None:
    for name in ("f03", "f07"):
        (folder / "masks" / f"{name}.png").unlink()
    (folder / "images" / "f05.png").unlink()  # a mask without a picture is of no use
    lines: list[str] = []
    pictures = Labelled.from_folder(folder, ANATOMY, 16, report=lines.append)
    assert pictures.names == tuple(name for name in NAMES if name not in ("f03", "f05", "f07"))
    assert [line.split("images/")[1] for line in lines] == [
        f"{name}.png has no mask masks/{name}.png" for name in ("f03", "f07")
    ]
    assert agree(pictures)


def test_what_is_broken_is_skipped_and_named(folder: Path) -> None:
    (folder / "images" / "f01.png").write_bytes(b"no picture")
    (folder / "masks" / "f04.png").write_bytes(b"no mask")
    Image.new("RGB", (16, 16), (1, 2, 3)).save(folder / "masks" / "f09.png")
    lines: list[str] = []
    pictures = Labelled.from_folder(folder, ANATOMY, 16, report=lines.append)
    assert pictures.names == tuple(name for name in NAMES if name not in ("f01", "f04", "f09"))
    assert len(lines) == 3
    assert all(line.startswith("skipped: ") for line in lines)
    assert ["f01" in lines[0], "f04" in lines[1], "(1, 2, 3)" in lines[2]] == [True] * 3
    assert agree(pictures), "the others keep their own masks"


def test_masks_of_another_family_are_refused(folder: Path) -> None:
    for file in (folder / "masks").iterdir():
        Image.new("L", (16, 16), 5).save(file)
    with pytest.raises(DataError, match=r"at least 8 pictures with masks of 5 parts, got 0 of"):
        Labelled.from_folder(folder, ANATOMY, 16)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least 8"):
        Labelled.from_folder(fill(tmp_path, NAMES[:7]), ANATOMY, 16)


def test_a_picture_may_be_of_any_kind(folder: Path) -> None:
    put(folder, "photo", labels_of(40), ".bmp")
    assert "photo" in Labelled.from_folder(folder, ANATOMY, 16).names


def test_the_first_few_can_be_read(folder: Path) -> None:
    assert Labelled.from_folder(folder, ANATOMY, 16, limit=9).names == tuple(NAMES[:9])


# -- what is left out -------------------------------------------------------------------------------------------------


def test_the_share_that_is_left_out_is_exact_and_the_rest_is_trained_on(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(40)]
    read = {
        partition: Labelled.from_folder(fill(tmp_path, names), ANATOMY, 16, partition, 0.25)
        for partition in ("train", "validation")
    }
    assert {name: len(one.names) for name, one in read.items()} == {"train": 30, "validation": 10}
    assert not set(read["train"].names) & set(read["validation"].names)
    assert agree(read["validation"])
    assert [one.source for one in read.values()] == [f"{tmp_path.name} (train)", f"{tmp_path.name} (validation)"]


def test_names_alone_decide_what_is_left_out(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(40)]
    folders = fill(tmp_path / "one", names), fill(tmp_path / "two", reversed(names))
    for file in (folders[1] / "images").iterdir():  # other files of the same names
        file.rename(file.with_suffix(".bmp"))
    one, two = (Labelled.from_folder(folder, ANATOMY, 16, "validation", 0.3).names for folder in folders)
    assert one == two


@pytest.mark.parametrize("holdout", [0.0, 0.1, 0.125, 0.34, 0.9])
def test_a_larger_share_keeps_what_was_out(holdout: float) -> None:
    names = [f"face{number}" for number in range(101)]
    out, kept = (chosen_names(names, holdout, partition) for partition in ("validation", "train"))
    assert len(out) == round(101 * holdout)
    assert sorted(out + kept) == sorted(names)
    assert kept == [name for name in names if name in set(kept)], "in the order of the names"
    assert set(out) <= set(chosen_names(names, min(1, holdout + 0.1), "validation"))
    assert set(chosen_names(names[::-1], holdout, "validation")) == set(out)


# -- left and right ---------------------------------------------------------------------------------------------------


def test_pictures_mirrored_without_renaming_are_repaired(folder: Path) -> None:
    for name in ("f02", "f06"):
        put(folder, name, np.fliplr(labels_of(int(name[1:]))))
    put(folder, "f08", np.zeros((16, 16), np.uint8))  # shows neither side
    lines: list[str] = []
    pictures = Labelled.from_folder(folder, ANATOMY, 16, report=lines.append)
    assert lines == ["2 of 12 pictures were mirrored without their names: left and right were exchanged"]
    order = np.array(ANATOMY.mirrored_order, np.uint8)
    for number, labels in enumerate(pictures.labels[:, 0].numpy()):
        mirrored, plain = order[np.fliplr(labels_of(number))], labels_of(number)
        expected = mirrored if number in (2, 6) else np.zeros_like(plain) if number == 8 else plain
        assert np.array_equal(labels, expected), number


def sided(*sides: tuple[int, int]) -> Tensor:
    """Pictures of one row with two ears, or one, or none; by their columns, the left one's first."""
    labels = torch.full((len(sides), 1, 1, 6), 4, dtype=torch.uint8)
    for row, (left, right) in zip(labels[:, 0, 0], sides, strict=True):
        for column, number in ((left, 1), (right, 3)):
            if column >= 0:
                row[column] = number
    return labels


def test_most_pictures_decide_which_side_is_left() -> None:
    for usual in (1, -1):
        labels = sided((5, 0)[::usual], (3, 2)[::usual], (1, 4)[::usual], (-1, 5)[::usual], (-1, -1))
        found, count = oriented(labels, ANATOMY)
        assert count == 1
        assert torch.equal(found, sided((5, 0)[::usual], (3, 2)[::usual], (4, 1)[::usual], (-1, 5)[::usual], (-1, -1)))


def test_nothing_is_exchanged_where_nothing_tells_the_sides() -> None:
    for labels in (sided((5, 0), (0, 5)), sided((-1, 2), (4, -1)), sided((-1, -1))):
        found, count = oriented(labels, ANATOMY)
        assert count == 0
        assert torch.equal(found, labels)


def test_parts_without_sides_are_never_exchanged() -> None:
    plain = Anatomy(tuple(replace(part, mirror=None) for part in ANATOMY.parts))
    labels = sided((5, 0), (5, 1), (0, 5))
    assert torch.equal(oriented(labels, plain)[0], labels)


# -- batches ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures() -> Labelled:
    labels = torch.from_numpy(np.stack([labels_of(seed) for seed in range(10)]))[:, None]
    pixels = (STEP * labels).expand(-1, 3, -1, -1).contiguous()
    return Labelled(pixels, labels, ANATOMY, tuple(NAMES[:10]), source="drawn", holdout=0.25)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_batches_depend_on_seed_and_step_alone(pictures: Labelled, strength: float) -> None:
    varied, state = pictures.varied(strength, blurs=True), torch.get_rng_state()
    first = varied.batch(6, seed=3, step=7)
    assert torch.equal(torch.get_rng_state(), state), "nobody else's randomness is used up"
    torch.rand(5)
    others = [varied.batch(6, seed=3, step=8), varied.batch(6, seed=4, step=7)]
    again = varied.batch(6, seed=3, step=7)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(torch.equal(first[0], other[0]) for other in others)
    pixels, labels = first
    assert (pixels.shape, pixels.dtype) == ((6, 3, 16, 16), torch.float32)
    assert (labels.shape, labels.dtype) == ((6, 1, 16, 16), torch.uint8)
    assert float(pixels.min()) >= 0
    assert float(pixels.max()) <= 1


def test_mirrored_parts_are_renamed(pictures: Labelled) -> None:
    single = replace(pictures, pixels=pictures.pixels[:1], labels=pictures.labels[:1])
    pixels, labels = single.batch(200, seed=0, step=0)
    order = torch.tensor(ANATOMY.mirrored_order, dtype=torch.uint8)
    mirrored = order[single.labels[0].long()].flip(-1)
    flips = [torch.equal(one, mirrored) for one in labels]
    for flipped, image, label in zip(flips, pixels, labels, strict=True):
        shown = single.pixels[0].float() / 255
        assert torch.equal(image, shown.flip(-1) if flipped else shown)
        assert flipped or torch.equal(label, single.labels[0])
    assert 70 < sum(flips) < 130
    plain = single.batch(20, seed=0, step=0, flip=False)[1]
    assert torch.equal(plain, single.labels.expand(20, -1, -1, -1))


def test_variation_is_switched_off_by_0(pictures: Labelled) -> None:
    assert pictures.variation is None
    assert pictures.varied(0.5, blurs=True).variation == Variation(0.5, blurs=True)
    assert pictures.varied(0.5).varied(0).variation is None
    plain, varied = pictures.batch(4, 0, 0), pictures.varied(0.5).batch(4, 0, 0)
    assert not torch.equal(plain[0], varied[0])
    assert not torch.equal(plain[1], varied[1])


def test_examples_are_neither_drawn_nor_varied(pictures: Labelled) -> None:
    pixels, labels = pictures.varied(1.0).examples(3)
    assert torch.equal(pixels, pictures.pixels[:3].float() / 255)
    assert torch.equal(labels, pictures.labels[:3])
    assert len(pictures.examples(100)[0]) == 10


def test_more_pictures_are_added_behind(pictures: Labelled) -> None:
    other = replace(pictures, pixels=pictures.pixels[:2] // 2, names=("a", "b"), labels=pictures.labels[:2])
    both = pictures.varied(0.3).with_more(replace(other, source="generated", holdout=0.0))
    assert both.names == (*NAMES[:10], "a", "b")
    assert torch.equal(both.pixels[10:], other.pixels)
    assert torch.equal(both.labels[10:], other.labels)
    assert both.facts == {"source": "drawn + generated", "holdout": 0.25, "pictures": 12, "variation": 0.3}
    assert len(pictures.pixels) == 10


def test_a_frame_of_the_family_is_cut_from_pictures_and_masks(tmp_path: Path) -> None:
    for index, name in enumerate(NAMES):
        put(tmp_path, name, np.pad(labels_of(index), ((0, 0), (3, 5))))
    whole = Labelled.from_folder(tmp_path, ANATOMY, 16)
    top = FrameSpec("top", within="face", x=0.5, y=0.25, width=0.5, height=0.5)
    pictures = Labelled.from_folder(tmp_path, ANATOMY, (8, 8), frame=top)
    assert torch.equal(pictures.labels, whole.labels[..., :8, 4:12])
    assert torch.equal(pictures.pixels, whole.pixels[..., :8, 4:12])
    assert (pictures.size, pictures.resolution) == ((8, 8), 8)
    assert pictures.facts == whole.facts | {"frame": "top"}
    wide = Labelled.from_folder(tmp_path, ANATOMY, (16, 24), frame=FrameSpec("all", within="face", width=1.5))
    assert set(wide.labels.unique().tolist()) <= set(range(5))
    assert torch.equal(wide.labels[..., 4:20], whole.labels)
    same = Labelled.from_folder(tmp_path, ANATOMY, 16, frame=FrameSpec("face"))
    assert torch.equal(same.labels, whole.labels)
    assert same.facts == whole.facts


def test_facts_are_what_json_holds(pictures: Labelled) -> None:
    facts = {"source": "drawn", "holdout": 0.25, "pictures": 10, "variation": 0.0}
    assert pictures.facts == json.loads(json.dumps(pictures.facts)) == facts
    assert pictures.with_aids({"regions"}) is pictures
