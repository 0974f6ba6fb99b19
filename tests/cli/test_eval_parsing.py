"""`mbu-ops eval-parsing`: figures and sheets of parsers, and what cannot be measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from mbu_ops.data.labelled import Labelled
from mbu_ops.evaluation.parsing import measure_parsing
from mbu_ops.families import Anatomy, FamilySpec, PartSpec, discovery, refresh
from mbu_ops.images import write_labels
from mbu_ops.ops.parse import Parse
from mbu_ops.testing import tiny_parsing, tiny_portrait
from mbu_ops.weights import WeightsInfo, save
from mbu_ops_cli.app import run

COLOURS = ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
NAMES = ("rest", "left_eye", "right_eye", "mouth", "skin")
ANATOMY = Anatomy(tuple(PartSpec(name, name, colour) for name, colour in zip(NAMES, COLOURS, strict=True)))


@pytest.fixture(autouse=True)
def _owls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A family of five parts, as a plugin would bring it."""
    module = ModuleType("fake_owls")
    module.family = FamilySpec("owls", anatomy=ANATOMY)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_owls", module)
    monkeypatch.setitem(discovery.BUILT_IN[discovery.FAMILIES], "owls", "fake_owls:family")
    refresh()
    yield
    monkeypatch.undo()
    refresh()


@pytest.fixture
def owls(tmp_path: Path) -> Path:
    """Forty pictures of noise, with masks of squares."""
    folder = tmp_path / "owls"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    for index in range(40):
        pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        labels = random.integers(0, 5, (4, 4)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels).save(folder / "images" / f"owl{index}.png")
        write_labels(folder / "masks" / f"owl{index}.png", labels, COLOURS)
    return folder


def parser(folder: Path, seed: int) -> str:
    model = tiny_parsing(seed)
    path = folder / f"parser{seed}.safetensors"
    save(path, model, WeightsInfo("parsing", model.config_to_dict(model.config), 32, attributes=NAMES))
    return str(path)


def arguments(owls: Path, *weights: str) -> list[str]:
    named = [word for name in weights for word in ("--weights", name)]
    return ["eval-parsing", "--labelled", str(owls), "--family", "owls", "--resolution", "32", *named]


def test_figures_are_the_library_s(owls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = parser(owls, 0)
    assert run([*arguments(owls, weights), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    figures = measure_parsing(Parse.from_pretrained(weights).labels, Labelled.from_folder(owls, ANATOMY, 32))
    assert said == {weights: json.loads(json.dumps(asdict(figures)))}
    assert figures.accuracy.count == 40
    accuracy = figures.accuracy
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert 0 < accuracy.low < accuracy.value < accuracy.high < 1


def test_several_weights_are_listed_with_a_line_for_each_figure(owls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [parser(owls, seed) for seed in (0, 1)]
    assert run(arguments(owls, *names)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * (1 + 2 + 5)
    for start, name in ((0, names[0]), (8, names[1])):
        titles = ["pixels named right", "mean overlap of the parts", *(f"overlap, {part}" for part in NAMES)]
        assert lines[start] == name
        for line, title in zip(lines[start + 1 :], titles, strict=False):
            assert line.strip().startswith(title)
            assert line.endswith("n=40")
    assert lines[1] != lines[9]


def test_only_what_training_left_out_is_measured(owls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments(owls, parser(owls, 0)), "--holdout", "0.25", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out).values()
    assert said["accuracy"]["count"] == 10


def test_masks_that_portrait_networks_read_are_measured_too(owls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_portrait()
    info = WeightsInfo("portrait", model.config_to_dict(model.config), 32, attributes=("eyes", "mouth", "skin", "face"))
    save(owls / "portrait.safetensors", model, info)
    assert run([*arguments(owls, str(owls / "portrait.safetensors")), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out).values()
    assert [figure["name"] for figure in said["overlaps"]] == [f"overlap_{name}" for name in NAMES]


def test_networks_see_their_own_size_and_answers_are_measured_at_another(
    owls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for more in (["--resolution", "16"], ["--resolution", "48"], []):
        command = [word for word in arguments(owls, parser(owls, 0)) if word not in ("--resolution", "32")]
        assert run([*command, *more, "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out).popitem()[1])
    assert len({one["accuracy"]["value"] for one in said}) == 3


def test_a_sheet_shows_pictures_masks_and_answers(owls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = parser(owls, 0)
    sheet = owls / "sheet.png"
    sheet.write_bytes(b"an older one")
    assert run([*arguments(owls, weights, parser(owls, 1)), "--sheet", str(sheet)]) == 0
    with Image.open(sheet) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (4 * 32, 8 * 32, 3)
    names = sorted(path.stem for path in (owls / "images").iterdir())[:8]
    for column, name in enumerate(names):
        there = slice(32 * column, 32 * column + 32)
        assert np.array_equal(pixels[:32, there], np.asarray(Image.open(owls / "images" / f"{name}.png")))
        mask = Image.open(owls / "masks" / f"{name}.png").convert("RGB")
        assert np.array_equal(pixels[32:64, there], np.asarray(mask))
    shown = {tuple(colour) for colour in pixels[64:].reshape(-1, 3).tolist()}
    assert shown == set(COLOURS)
    assert not np.array_equal(pixels[64:96], pixels[96:])


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_what_cannot_be_used_is_named_beside_the_figures(
    owls: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    (owls / "masks" / "owl7.png").write_bytes(b"no mask")
    (owls / "masks" / "owl8.png").unlink()
    assert run([*arguments(owls, parser(owls, 0)), *more]) == 0
    said = capsys.readouterr()
    assert "n=38" in said.out or '"count": 38' in said.out
    assert "skipped" not in said.out
    assert "owl7.png" in said.err
    assert "owl8.png" in said.err


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (["--family", "handbags"], 2, "names no parts"),
        (["--family", "owl"], 2, "Did you mean 'owls'"),
        (["--family", "faces"], 2, "tells 5 parts apart, the family's masks 19"),
        (["--holdout", "0.1"], 2, "at least 8 pictures with masks of 5 parts, got 4"),
        (["--holdout", "1"], 2, "holdout"),
        (["--holdout", "nan"], 2, "not a finite number"),
        (["--resolution", "8"], 2, "resolution"),
        (["--labelled", "NOWHERE"], 2, "expected a folder with images/ and masks/"),
        (["--weights", "NOWHERE"], 3, "no such file or folder"),
        (["--weights", "HATS"], 2, "expected a method that can parse, got mbu"),
        (["--weights", "owls/rest"], 2, "owls"),
        (["--sheet", "SHEET.txt"], 2, "SHEET.txt"),
    ],
)
def test_what_cannot_be_measured_is_named(
    owls: Path, hats: str, capsys: pytest.CaptureFixture[str], change: list[str], code: int, says: str
) -> None:
    places = {"NOWHERE": str(owls / "nowhere"), "HATS": hats, "SHEET.txt": str(owls / "SHEET.txt")}
    assert run([*arguments(owls, parser(owls, 0)), *(places.get(word, word) for word in change)]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert not said.out


@pytest.mark.parametrize("left_out", ["--labelled", "--weights"])
def test_pictures_and_weights_are_needed(owls: Path, capsys: pytest.CaptureFixture[str], left_out: str) -> None:
    command = arguments(owls, parser(owls, 0))
    place = command.index(left_out)
    assert run(command[:place] + command[place + 2 :]) == 2
    assert left_out in capsys.readouterr().err
