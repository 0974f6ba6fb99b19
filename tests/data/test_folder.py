"""Folders of pictures: what is skipped, what is an error, what a batch holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.data.domains import Domains
from mbu_ops.data.folder import held_out, load_folders
from mbu_ops.errors import DataError


def fill(
    folder: Path, count: int, colour: tuple[int, int, int] = (10, 20, 30), size: tuple[int, int] = (40, 30)
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", size, colour).save(folder / f"{index}.png")
    return folder


def test_the_largest_centred_square_is_kept(tmp_path: Path) -> None:
    folder = fill(tmp_path, 8)
    picture = np.zeros((30, 50, 3), np.uint8)
    picture[:, 10:40] = 255  # exactly the centred square
    Image.fromarray(picture).save(folder / "9.png")
    pixels, files = load_folders([folder], 16)
    assert [file.path.name for file in files] == [f"{index}.png" for index in (*range(8), 9)]
    assert pixels.shape == (9, 3, 16, 16)
    assert pixels.dtype == torch.uint8
    assert pixels[-1].min() > 230  # the filter looks a little past the edge


def test_a_broken_picture_is_skipped_and_named(tmp_path: Path) -> None:
    folder = fill(tmp_path, 9)
    (folder / "broken.jpg").write_bytes((folder / "0.png").read_bytes()[:60])
    lines: list[str] = []
    assert len(load_folders([folder], 16, lines.append)[0]) == 9
    assert len(lines) == 1
    assert "broken.jpg" in lines[0]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least 8"):
        load_folders([tmp_path], 16)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not one"):
        load_folders([tmp_path / "missing"], 16)


def test_too_few_pictures_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got 7 of 7"):
        load_folders([fill(tmp_path, 7)], 16)


def test_batches_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    domains = Domains(
        without=torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8),
        with_=torch.randint(0, 256, (9, 3, 8, 8), dtype=torch.uint8),
    )
    first = domains.batch(4, seed=3, step=7)
    domains.batch(4, seed=3, step=8)
    again = domains.batch(4, seed=3, step=7)
    other = domains.batch(4, seed=3, step=8)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == (4, 3, 8, 8)
    assert float(first[0].min()) >= 0
    assert float(first[0].max()) <= 1


def test_half_of_a_batch_is_mirrored() -> None:
    ramp = torch.arange(8, dtype=torch.uint8).expand(1, 3, 8, 8).contiguous()
    domains = Domains(without=ramp, with_=ramp)
    _, drawn = domains.batch(400, seed=0, step=0)
    mirrored = (drawn[:, 0, 0, 0] > drawn[:, 0, 0, -1]).float().mean()
    assert 0.4 < float(mirrored) < 0.6
    _, plain = domains.batch(400, seed=0, step=0, flip=False)
    assert torch.equal(plain[0], ramp[0].float() / 255)


def test_unlikely_pictures_are_not_drawn() -> None:
    pixels = torch.arange(3, dtype=torch.uint8)[:, None, None, None].expand(3, 3, 4, 4).contiguous()
    domains = Domains(without=pixels, with_=pixels, without_odds=np.array([0.5, 0.0, 0.5]))
    without, _ = domains.batch(64, seed=0, step=0)
    assert set((without[:, 0, 0, 0] * 255).round().tolist()) == {0.0, 2.0}


def test_a_share_of_the_pictures_is_held_out_by_name(tmp_path: Path) -> None:
    names = [Path(f"{number}.png") for number in range(2000)]
    out = {path for path in names if held_out(path, 0.1)}
    assert 150 < len(out) < 250
    assert {path for path in names if held_out(path, 0.2)} > out  # a larger share keeps what was out, out
    assert not any(held_out(path, 0) for path in names)
    assert all(held_out(path, 1) for path in names)


def test_training_and_validation_share_no_picture_whatever_the_folder(tmp_path: Path) -> None:
    for folder in ("digits", "large"):
        (tmp_path / folder).mkdir()
        for number in range(60):
            size = 20 if folder == "digits" else 40
            Image.new("RGB", (size, size), (number, 0, 0)).save(tmp_path / folder / f"{number}.png")
    folders = [tmp_path / "digits", tmp_path / "large"]
    sets = [
        Domains.from_folders(folders, folders, 16, partition, 0.4).with_[:, 0, 0, 0].tolist()
        for partition in ("train", "validation")
    ]
    assert not set(sets[0]) & set(sets[1])
    assert sorted(sets[0] + sets[1]) == sorted([*range(60), *range(60)])
