"""`mbu-ops train --method native`: pairs made of two folders, shown before and learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mbu_ops
from mbu_ops.methods import mbu, native, native_dial
from mbu_ops.ops.adjust import Adjust
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer
from mbu_ops.training.recipe import slow_precision
from mbu_ops_cli.app import run

from .conftest import training_of

SHORT = ["--config", "tiny", "--steps", "2", "--batch-size", "2", "--threads", "1"]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mbu.CONFIGS, "tiny", mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2))
    small = native.NativeConfig(resolution=32, height=16, channels=8, patch=2, removal_dilation=1)
    monkeypatch.setitem(native.CONFIGS, "tiny", small)
    monkeypatch.setitem(native_dial.CONFIGS, "tiny", replace(small, flow=True))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures with a white square and twelve without it; weights that find something in them."""
    home = tmp_path_factory.mktemp("native")
    random = np.random.default_rng(0)
    for name in ("with", "without"):
        (home / name).mkdir()
        for index in range(12):
            pixels = random.integers(0, 200, (20, 20, 3), dtype=np.uint8)
            if name == "with":
                pixels[5:9, 5:15] = 255
            Image.fromarray(pixels).save(home / name / f"{index}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mbu.CONFIGS, "tiny", mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2))
        assert run([*command(home, home / "finder"), "--method", "mbu", "--coarse-steps", "0"]) == 0
    return home


def command(folders: Path, out: Path, *more: str) -> list[str]:
    places = ["--with", str(folders / "with"), "--without", str(folders / "without"), "--out", str(out)]
    return ["train", *places, *SHORT, *more]


def test_two_folders_become_a_remover(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--method", "native", "--masks-from", str(folders / "finder"), "--learning-rate-decay", "0.5"]
    assert run(command(folders, tmp_path / "out", *more)) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / "out" / "weights.safetensors")
    assert Remove.from_pretrained(tmp_path / "out").model.config.size == (16, 32)
    training = training_of(tmp_path / "out")
    assert training["pictures"]["pairs"] == {"cut": 1.0}
    assert training["settings"]["learning_rate_decay"] == 0.5
    assert (tmp_path / "out" / "samples" / "step_000002.png").exists()
    more[-2:] = ["--resume", "--learning-rate-decay", "0.5", "--steps", "3"]
    assert run(command(folders, tmp_path / "out", *more)) == 0


def test_other_weights_edits_can_be_learnt_from(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finder = str(folders / "finder")
    more = ["--method", "native", "--masks-from", finder, "--edits", f"add:{finder}", "--pair", "edited=1", "--preview"]
    assert run(command(folders, tmp_path / "out", *more)) == 0
    assert Image.open(tmp_path / "out" / "pairs.png").size == (8 * 32, 6 * 16)
    assert f"editing pictures: add:{finder}" in capsys.readouterr().err


def test_pairs_are_shown_before_hours_are_spent(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--method", "native", "--masks-from", str(folders / "finder"), "--pair", "cut=2", "--preview"]
    assert run(command(folders, tmp_path / "out", *more)) == 0
    sheet = tmp_path / "out" / "pairs.png"
    assert capsys.readouterr().out.strip() == str(sheet)
    assert Image.open(sheet).size == (8 * 32, 6 * 16)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pairs.png"]


def test_hand_made_masks_need_no_weights(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    white = np.zeros((20, 20), np.uint8)
    white[5:9, 5:15] = 255
    for index in range(12):
        Image.fromarray(white).save(masks / f"{index}.png")
    more = ["--method", "native", "--masks", str(masks)]
    assert run(command(folders, tmp_path / "out", *more)) == 0
    training = training_of(tmp_path / "out")
    assert training["pictures"]["masks"] == "12 made by hand"
    (masks / "7.png").unlink()
    capsys.readouterr()
    assert run(command(folders, tmp_path / "other", *more)) == 2
    assert "for each of 12 pictures with the content, got 11: name weights" in capsys.readouterr().err
    more += ["--masks-from", str(folders / "finder")]
    assert run(command(folders, tmp_path / "both", *more)) == 0
    training = training_of(tmp_path / "both")
    assert training["pictures"]["masks"] == f"11 made by hand, {folders / 'finder'}"


def test_masks_that_the_family_derives_go_first(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bags on white tell their handles by the silhouette: all but those on grey, which the weights must find."""
    large = native.NativeConfig(resolution=64, height=64, channels=8, patch=2, removal_dilation=1)
    monkeypatch.setitem(native.CONFIGS, "tiny", large)
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        for index in range(12):
            pixels = np.full((128, 128, 3), 120 if index == 3 else 255, np.uint8)
            pixels[60:120, 20:108] = 20 + 10 * index
            if name == "with":
                for rows, columns in (((20, 60), (40, 48)), ((20, 60), (80, 88)), ((20, 28), (40, 88))):
                    pixels[slice(*rows), slice(*columns)] = 20 + 10 * index
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    more = ["--method", "native", "--masks-from", str(folders / "finder"), "--family", "handbags"]
    assert run(command(tmp_path, tmp_path / "out", *more, "--attribute", "handle")) == 0
    training = training_of(tmp_path / "out")
    assert training["pictures"]["masks"] == f"11 derived by the family, {folders / 'finder'}"


def test_what_follows_guides_is_trained(folders: Path, tmp_path: Path) -> None:
    more = ["--method", "native_guided", "--masks-from", str(folders / "finder")]
    assert run(command(folders, tmp_path / "out", *more)) == 0
    add = Transfer.from_pretrained(tmp_path / "out")
    add.presence = 0.0
    photo, guide = torch.rand(2, 1, 3, 40, 60)
    assert add(photo, guide).shape == photo.shape
    more[-2:] += ["--resume", "--steps", "3"]
    assert run(command(folders, tmp_path / "out", *more)) == 0


def test_a_dial_is_trained_and_goes_on(folders: Path, tmp_path: Path) -> None:
    more = ["--method", "native_dial", "--masks-from", str(folders / "finder")]
    assert run(command(folders, tmp_path / "out", *more)) == 0
    adjust = Adjust.from_pretrained(tmp_path / "out")
    photo = torch.rand(1, 3, 16, 32)
    assert torch.equal(adjust(photo, 0.0), photo)
    assert mbu_ops.chain(f"add:{tmp_path / 'out'}")(photo).shape == photo.shape  # without a guide
    more[-2:] += ["--resume", "--steps", "3"]
    assert run(command(folders, tmp_path / "out", *more)) == 0


def test_a_dial_learns_from_what_the_family_bends(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Serious faces in the shape of smiling ones, and the other way, beside what is cut out of photos."""
    finder = ["--masks-from", str(folders / "finder"), "--preview"]
    smiles = ["--family", "faces", "--attribute", "smile", "--no-align", *finder]
    assert run(command(folders, tmp_path / "dial", "--method", "native_dial", *smiles)) == 0
    assert Image.open(tmp_path / "dial" / "pairs.png").size == (8 * 32, 12 * 16)
    # neither networks that move nothing nor contents without a shape are given any
    assert run(command(folders, tmp_path / "remover", "--method", "native", *smiles)) == 0
    assert Image.open(tmp_path / "remover" / "pairs.png").size == (8 * 32, 6 * 16)
    smiles[3] = "facial_hair"
    assert run(command(folders, tmp_path / "beard", "--method", "native_dial", *smiles)) == 0
    assert Image.open(tmp_path / "beard" / "pairs.png").size == (8 * 32, 9 * 16)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("capability", "precision", "told"), [("AVX2", "bf16", True), ("AVX2", "no", False), ("AMX", "bf16", False)]
)
def test_a_precision_that_the_processor_has_not_is_told(
    monkeypatch: pytest.MonkeyPatch, capability: str, precision: str, told: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert ("slower in bfloat16" in (slow_precision(precision) or "")) == told


def test_a_dial_begins_with_a_remover(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finder = ["--masks-from", str(folders / "finder")]
    assert run(command(folders, tmp_path / "remover", "--method", "native", *finder)) == 0
    more = ["--method", "native_dial", *finder, "--from", str(tmp_path / "remover"), "--loss", "less=0"]
    assert run(command(folders, tmp_path / "dial", *more)) == 0
    remover, dial = (Remove.from_pretrained(tmp_path / name) for name in ("remover", "dial"))
    photo = torch.rand(1, 3, 16, 32)
    torch.testing.assert_close(dial.edit(photo).raw, remover.edit(photo).raw)
    more[1] = "native"
    more[5] = str(folders / "finder")
    assert run(command(folders, tmp_path / "wrong", *more[:6])) == 2
    assert "expected weights of native" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--method", "mbu", "--preview"], "Method mbu has no option --preview"),
        (["--method", "mbu", "--pair", "cut=1"], "Method mbu has no option --pair"),
        (["--method", "mbu", "--masks-from", "faces/glasses"], "Method mbu has no option --masks-from"),
        (["--method", "native"], "name some by --masks-from"),
        (["--method", "mbu", "--masks", "masks"], "Method mbu has no option --masks"),
        (["--method", "native", "--masks", "nowhere"], "expected a folder of masks, got 'nowhere'"),
        (["--method", "native", "--masks-from", "none"], "none"),
        (["--method", "native", "--masks-from", "FINDER", "--pair", "cut"], "KIND=SHARE"),
        (["--method", "native", "--masks-from", "FINDER", "--pair", "glued=1"], "expected a kind of pairs"),
        (["--method", "native", "--masks-from", "FINDER", "--pair", "edited=1"], "give --edits STEP and --pair"),
        (["--method", "native", "--masks-from", "FINDER", "--edits", "add:glasses"], "give --edits STEP and --pair"),
        (["--method", "mbu", "--edits", "add:glasses"], "Method mbu has no option --edits"),
        (["--method", "native", "--masks-from", "FINDER", "--pair", "cut=0"], "share above 0"),
        (["--method", "native", "--masks-from", "FINDER", "--pair", "drawn=1"], "a family that draws"),
        (["--method", "native", "--masks-from", "faces/glasses/native_guided-lite"], "by --masks-from"),
        (["--method", "native", "--hard-masks", "--masks-from", "FINDER"], "Method native has no option --hard-masks"),
    ],
)
def test_what_cannot_work_is_named(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    more = [str(folders / "finder") if word == "FINDER" else word for word in more]
    assert run(command(folders, tmp_path / "out", *more)) in (2, 3)  # wrong usage, or no such weights
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out" / "state.safetensors").exists()


@pytest.mark.slow
def test_of_drawn_pictures_both_sides_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    square = native.NativeConfig(resolution=32, height=32, channels=8, patch=2)
    monkeypatch.setitem(native.CONFIGS, "square", square)
    drawn = ["train", "--attribute", "avatars/glasses", "--pictures", "10", *SHORT, "--config", "square"]
    learns = ["--method", "native_guided", "--pair", "known=1", "--out", str(tmp_path / "out")]
    assert run([*drawn, *learns]) == 0
    assert "drawing each content on somebody else" in capsys.readouterr().err
    training = training_of(tmp_path / "out")
    assert training["pictures"]["pairs"] == {"known": 1.0}
    assert training["pictures"]["masks"] == "drawn by the family"


def test_of_photos_nobody_knows_both_sides(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--method", "native", "--pair", "known=1", "--masks-from", str(folders / "finder")]
    assert run(command(folders, tmp_path / "out", *more)) == 2
    assert "expected pictures that their family draws" in capsys.readouterr().err
