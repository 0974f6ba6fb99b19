"""`mbu-ops eval-portrait`: figures and sheets of tiny networks, and what cannot be measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from mbu_ops.evaluation.networks import image_features
from mbu_ops.methods.parsing import Parsing
from mbu_ops.methods.portrait import Portrait
from mbu_ops.testing import tiny_parsing, tiny_portrait
from mbu_ops.testing.tiny import TINY_PARSING, TINY_PORTRAIT
from mbu_ops_cli.app import run

from ..tiny_faces import fill_folder, save_network
from .conftest import pixels_of

pytest.importorskip("torchmetrics")

FIGURES = {"psnr", "psnr_foreground", "agreement_real", "agreement_paired", "agreement", "kid_paired", "kid", "fid"}
FIGURES |= {f"outside_{name}{kind}" for name in ("eyes", "mouth", "skin") for kind in ("", "_op")}


class Colours(nn.Module):
    """Describes pictures by what is left of them in four pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


@pytest.fixture(autouse=True)
def _light(dolls: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_features, "pretrained", Colours)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_folder(tmp_path_factory.mktemp("labelled") / "dolls", 40)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_network(tmp_path_factory.mktemp("judge") / "judge.safetensors", tiny_parsing(seed=5))


@pytest.fixture
def command(pictures: Path, judge: str, portraits: str) -> list[str]:
    measured = ["--labelled", str(pictures), "--family", "dolls", "--holdout", "0.5", "--judge", judge]
    return ["eval-portrait", *measured, "--weights", portraits, "--pairs", "8"]


def test_figures_are_printed_and_given_as_json(
    command: list[str], portraits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [portraits]
    figures = {figure["name"]: figure for figure in found[portraits]}
    assert set(figures) == FIGURES
    assert {figures[name]["count"] for name in ("psnr", "agreement_real", "outside_skin_op")} == {20}
    assert figures["agreement"]["count"] == 8
    assert all(0 <= figures[name]["value"] <= 1 for name in figures if name.startswith("agreement"))
    assert run(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == portraits
    assert len(lines) == 1 + len(FIGURES)
    assert f"{figures['psnr']['value']:.1f} dB" in next(line for line in lines if "put together again" in line)


def test_sheets_show_every_content(command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "sheets"
    assert run([*command, "--out", str(out)]) == 0
    sheets = sorted(path.name for path in out.iterdir())
    assert sheets == ["swap_eyes.png", "swap_face.png", "swap_mouth.png", "swap_skin.png"]
    assert all(pixels_of(out / name).shape == (9 * 32, 9 * 32, 3) for name in sheets)
    assert run([*command, "--out", str(out)]) == 0, "sheets are replaced"


@pytest.mark.slow
def test_several_weights_have_folders_of_their_own(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where files of two runs have one name."""
    names = []
    for seed in (1, 2):
        (tmp_path / f"run{seed}").mkdir()
        names.append(save_network(tmp_path / f"run{seed}" / "weights.safetensors", tiny_portrait(seed)))
    out = tmp_path / "sheets"
    command[command.index("--weights") + 1] = names[0]
    assert run([*command, "--weights", names[1], "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == names
    assert found[names[0]] != found[names[1]]
    assert len(list(out.rglob("swap_face.png"))) == 2


def test_few_pictures_make_smaller_sheets(command: list[str], tmp_path: Path) -> None:
    """Eight are the fewest that are read: four sources and four targets."""
    command[command.index("--labelled") + 1] = str(fill_folder(tmp_path / "few", 16))
    assert run([*command, "--out", str(tmp_path / "sheets")]) == 0
    assert len(list((tmp_path / "sheets").iterdir())) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--holdout", "0"], 2, "expected --holdout above 0"),
        (["--holdout", "1"], 2, "--holdout"),
        (["--pairs", "3"], 2, "--pairs"),
        (["--labelled", "nowhere"], 2, "nowhere"),
        (["--family", "unicorns"], 2, "unicorns"),
        (["--judge", "./nowhere.safetensors"], 3, "no such file"),
        (["--weights", "./nowhere.safetensors"], 3, "no such file"),
    ],
)
def test_what_cannot_be_measured_is_named(
    command: list[str], arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, *arguments]) == code
    assert says in capsys.readouterr().err


def test_weights_of_other_methods_are_refused(
    command: list[str], judge: str, hats: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--weights", judge]) == 3
    assert "expected weights of method 'portrait', got 'parsing'" in capsys.readouterr().err
    command[command.index("--judge") + 1] = hats
    assert run(command) == 2
    assert "expected a method that can parse, got mbu" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--judge", "--weights"])
def test_networks_that_know_other_parts_are_refused(
    command: list[str], option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their numbers mean something else: figures would be there, and mean nothing."""
    other: Any = Parsing(replace(TINY_PARSING, parts=4))
    if option == "--weights":
        other = Portrait(replace(TINY_PORTRAIT, part_components=(1, 2, 3, 4, 5, 5)))
    command[command.index(option) + 1] = save_network(tmp_path / "other.safetensors", other)
    assert run(command) == 2
    assert "parts" in capsys.readouterr().err
