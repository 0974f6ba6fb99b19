"""`mbu-ops parse`, `edit` and `generate`: the family's own weights, missing ones, and weights that cannot do it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mbu_ops import images
from mbu_ops.families import WeightSpec
from mbu_ops.methods.parsing import Parsing
from mbu_ops.methods.portrait import Portrait
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import Generate
from mbu_ops.testing import tiny_parsing
from mbu_ops.testing.tiny import TINY_PARSING, TINY_PORTRAIT
from mbu_ops_cli.app import run

from ..tiny_faces import ANATOMY, save_network
from .masks import labels_of, near, tensor

DOLLS = ["--family", "dolls", "--device", "cpu"]
Change = Callable[..., None]


def listed(path: Path, method: str, attributes: tuple[str, ...], verbs: tuple[str, ...]) -> WeightSpec:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return WeightSpec(path.stem, method, attributes, path.name, digest, len(data), "none", "no_such_package", (), verbs)


def test_a_familys_own_weights_are_the_default(
    dolls: Change, photo: Path, mask: Path, portraits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home" / "weights" / "dolls"
    home.mkdir(parents=True)
    reader = Path(save_network(home / "reader.safetensors", tiny_parsing(seed=1)))
    painter = home / "painter.safetensors"
    painter.write_bytes(Path(portraits).read_bytes())
    monkeypatch.setenv("MBU_OPS_HOME", str(tmp_path / "home"))
    specs = (
        listed(reader, "parsing", ANATOMY.names, ("parse", "segment")),
        listed(painter, "portrait", ANATOMY.contents, ("swap", "segment", "edit", "generate", "parse")),
    )
    dolls(weights=specs)
    out = tmp_path / "mask.png"
    assert run(["parse", "-i", str(photo), "-o", str(out), *DOLLS]) == 0
    assert torch.equal(labels_of(out).long(), Parse.from_pretrained(reader).labels(tensor(photo)))
    result = tmp_path / "result.png"
    assert run(["edit", "-i", str(photo), "--mask", str(out), "-o", str(result), *DOLLS]) == 0
    assert run(["generate", "--mask", str(mask), "-o", str(result), "--existing", "overwrite", *DOLLS]) == 0
    assert near(result, Generate.from_pretrained(portraits)(labels_of(mask)))


COMMANDS = {
    "parse": ["parse", "-i", "photo.png", "-o", "out.png"],
    "edit": ["edit", "-i", "photo.png", "--mask", "photo_mask.png", "-o", "out.png"],
    "generate": ["generate", "--mask", "face.png", "-o", "out.png"],
}


@pytest.fixture
def in_folder(dolls: Change, photo: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.write_labels(tmp_path / "photo_mask.png", np.zeros((40, 56), np.uint8), ANATOMY.colours)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("in_folder")
def test_missing_weights_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MBU_OPS_HOME", str(tmp_path / "nowhere"))
    assert run([*COMMANDS[name], *DOLLS]) == 3
    wanted = "dolls/background" if name == "parse" else "dolls/face"
    assert f"there are no weights for {wanted}" in capsys.readouterr().err
    assert not Path("out.png").exists()


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("in_folder")
def test_weights_that_cannot_are_named(
    name: str, hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*COMMANDS[name], *DOLLS, "--weights", hats]) == 2
    assert f"expected a method that can {name}, got mbu" in capsys.readouterr().err
    if name != "parse":
        parser = save_network(tmp_path / "parser.safetensors", tiny_parsing())
        assert run([*COMMANDS[name], *DOLLS, "--weights", parser]) == 2
        assert f"expected a method that can {name}, got parsing" in capsys.readouterr().err
    assert not Path("out.png").exists()


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("in_folder")
def test_weights_that_know_other_parts_are_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model: Any = Parsing(replace(TINY_PARSING, parts=4))
    if name != "parse":
        model = Portrait(replace(TINY_PORTRAIT, part_components=(1, 2, 3, 4, 5, 5)))
    other = save_network(tmp_path / "other.safetensors", model)
    assert run([*COMMANDS[name], *DOLLS, "--weights", other]) == 2
    count = 4 if name == "parse" else 6
    assert f"tells {count} parts apart, the family's masks 5" in capsys.readouterr().err
    assert not Path("out.png").exists()


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("in_folder")
def test_families_without_parts_have_no_masks(
    name: str, dolls: Change, portraits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dolls(anatomy=None)
    assert run([*COMMANDS[name], *DOLLS, "--weights", portraits]) == 2
    assert "the family 'dolls' names no parts that masks could show" in capsys.readouterr().err
