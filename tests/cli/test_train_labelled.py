"""`mbu-ops train --labelled`: pictures whose every pixel is named, from a folder to weights that chains use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from mbu_ops import Parse
from mbu_ops.families import get_family
from mbu_ops.images import write_labels
from mbu_ops.methods import parsing, portrait
from mbu_ops.testing.tiny import TINY_PORTRAIT
from mbu_ops.weights import load, read_info
from mbu_ops_cli.app import run

from .conftest import training_of

ANATOMY = get_family("faces").anatomy
assert ANATOMY is not None
FACES = ANATOMY
SHORT = ["--config", "tiny", "--steps", "4", "--batch-size", "4", "--threads", "1"]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # notes are not broken into lines
    sizes = parsing.ParsingConfig(32, (6, 8), patch=2)
    for name in ("tiny", "paper"):
        monkeypatch.setitem(parsing.CONFIGS, name, sizes)
    small = {"parser_resolution": 32, "parser_widths": (6, 8), "parser_patch": 2}
    shapes = portrait.PortraitConfig(
        **{name: getattr(TINY_PORTRAIT, name) for name in TINY_PORTRAIT.__dataclass_fields__} | small
    )
    monkeypatch.setitem(portrait.CONFIGS, "tiny", shapes)


def fill(folder: Path, count: int = 16, seed: int = 0) -> Path:
    """Drawn heads: hair above skin, two ears, their colours with noise."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(seed)
    for index in range(count):
        labels = np.zeros((32, 32), np.uint8)
        top, left = random.integers(2, 10, 2)
        labels[top : top + 18, left : left + 16] = 1
        labels[top : top + 6, left : left + 16] = 13
        labels[top + 8 : top + 12, left - 2 : left], labels[top + 8 : top + 12, left + 16 : left + 18] = 9, 8
        pixels = np.array(FACES.colours)[labels] + random.integers(-20, 20, (32, 32, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"head{seed}-{index}.png")
        write_labels(folder / "masks" / f"head{seed}-{index}.png", labels, FACES.colours)
    return folder


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return fill(tmp_path / "heads")


def arguments(heads: Path, *more: str, method: str = "parsing", out: str = "out") -> list[str]:
    places = ["--labelled", str(heads), "--out", str(heads.parent / out)]
    return ["train", "--method", method, *places, *SHORT, *more]


def longer(command: list[str]) -> list[str]:
    command = list(command)
    command[command.index("--steps") + 1] = "6"
    return command


# -- a run ------------------------------------------------------------------------------------------------------------


def test_a_folder_becomes_weights(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = heads.parent / "out"
    assert run(arguments(heads, "--licence", "free")) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(out / "weights.safetensors")
    assert "16 labelled pictures, 0 held out, variation 1" in said.err
    info = read_info(out / "weights.safetensors")
    assert (info.method, info.family, info.attributes) == ("parsing", "faces", FACES.names)
    assert (info.resolution, info.guides, info.licence) == (32, 0, "free")
    assert training_of(out)["settings"]["coarse_steps"] == 0
    with Image.open(out / "samples" / "step_000004.png") as sheet:
        assert sheet.size == (8 * 32, 3 * 32)
    assert "accuracy" in (out / "log.jsonl").read_text()


@pytest.fixture
def learnt(heads: Path) -> Path:
    """The folder of a run that was long enough."""
    command = arguments(heads, "--variation", "0", "--learning-rate", "0.02", "--average-decay", "0", out="learnt")
    command[command.index("--steps") + 1] = "40"
    assert run(command) == 0
    return heads.parent / "learnt"


def test_a_run_learns(heads: Path, learnt: Path) -> None:
    """Not only does it end: most pixels are named right after it."""
    op, right = Parse.from_pretrained(learnt), []
    for path in sorted((heads / "images").iterdir()):
        pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            found = op.labels(pixels)[0, 0].numpy()
        right.append((found == np.array(Image.open(heads / "masks" / path.name))).mean())
    assert np.mean(right) > 0.9


@pytest.mark.parametrize(("content", "number"), [("hair", 13), ("skin", 1)])
def test_what_it_learnt_segments_a_part_in_a_chain(heads: Path, learnt: Path, content: str, number: int) -> None:
    picture, made = heads / "images" / "head0-0.png", heads.parent / "mask.png"
    command = ["chain", f"segment:{learnt},content={content},threshold=0.5", "--no-align"]
    assert run([*command, "-i", str(picture), "-o", str(made)]) == 0
    there = np.array(Image.open(heads / "masks" / "head0-0.png")) == number
    found = np.array(Image.open(made))
    assert set(found.ravel().tolist()) == {0, 255}
    assert ((found > 0) & there).sum() > 0.7 * ((found > 0) | there).sum()


@pytest.mark.parametrize("content", ["beard", ""])
def test_parts_that_it_did_not_learn_are_named(heads: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    assert run(arguments(heads)) == 0
    step = f"segment:{heads.parent / 'out'}" + (f",content={content}" if content else "")
    command = [
        "chain",
        step,
        "--no-align",
        "-i",
        str(heads / "images" / "head0-0.png"),
        "-o",
        str(heads.parent / "mask.png"),
    ]
    assert run(command) == 3
    assert (f"got {content!r}" if content else "none was named") in capsys.readouterr().err
    assert not (heads.parent / "mask.png").exists()


def test_a_run_goes_on_as_if_it_had_not_stopped(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(longer(arguments(heads, out="whole"))) == 0
    assert run(arguments(heads)) == 0
    assert run(arguments(heads)) == 2
    assert "add --resume to go on with it" in capsys.readouterr().err
    assert run(longer(arguments(heads, "--resume"))) == 0
    assert "going on from step 4" in capsys.readouterr().err
    first, second = (load_file(heads.parent / name / "weights.safetensors") for name in ("whole", "out"))
    assert set(first) == set(second)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("more", [["--variation", "0.5"], ["--holdout", "0.2"], ["--labelled", "MORE"]])
def test_a_run_does_not_go_on_with_other_pictures(
    heads: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert run(arguments(heads)) == 0
    fill(heads.parent / "more", 8, seed=1)
    more = [str(heads.parent / "more") if word == "MORE" else word for word in more]
    assert run(longer(arguments(heads, "--resume", *more))) == 2
    assert "cannot resume with other pictures" in capsys.readouterr().err


def test_a_run_may_begin_with_other_weights(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(heads)) == 0
    start = str(heads.parent / "out")
    assert run(arguments(heads, "--from", start, out="second")) == 0
    origin = training_of(heads.parent / "second")["started_from"]
    assert origin["steps"] == 4


# -- pictures ---------------------------------------------------------------------------------------------------------


def test_other_folders_add_to_the_training(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(heads.parent / "more", 9, seed=1)
    command = arguments(heads, "--labelled", str(heads.parent / "more"), "--holdout", "0.5", "--variation", "0.25")
    assert run(command) == 0
    facts = training_of(heads.parent / "out")["pictures"]
    assert facts == {
        "source": "heads (train) + more (train)",
        "holdout": 0.5,
        "pictures": 8 + 9,
        "variation": 0.25,
    }
    with Image.open(heads.parent / "out" / "samples" / "step_000004.png") as sheet:
        assert sheet.size == (8 * 32, 3 * 32), "the eight that were left out"
    assert "sample sheets show pictures of the training" not in capsys.readouterr().err


def test_few_unseen_pictures_are_no_reason_to_stop(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(heads, "--holdout", "0.25")) == 0
    assert "sample sheets show pictures of the training: expected at least 8" in capsys.readouterr().err


def test_what_cannot_be_used_is_named(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (heads / "masks" / "head0-3.png").unlink()
    (heads / "masks" / "head0-4.png").write_bytes(b"no mask")
    (heads / "images" / "head0-5.png").write_bytes(b"no picture")
    assert run(arguments(heads)) == 0
    said = capsys.readouterr().err
    for number in (3, 4, 5):
        assert [line for line in said.splitlines() if line.startswith("skipped: ") and f"head0-{number}" in line]
    assert "13 labelled pictures" in said


@pytest.mark.parametrize("missing", ["", "images", "masks"])
def test_other_layouts_are_named(heads: Path, capsys: pytest.CaptureFixture[str], missing: str) -> None:
    (heads / missing).rename(heads.parent / "elsewhere")
    assert run(arguments(heads)) == 2
    assert "expected a folder with images/ and masks/" in capsys.readouterr().err
    assert not (heads.parent / "out" / "state.safetensors").exists()


def test_a_settings_file_may_name_the_pictures(heads: Path) -> None:
    settings = heads.parent / "settings.toml"
    settings.write_text(f'method = "parsing"\nlabelled = ["{heads}"]\nvariation = 0.5\nrecipe = "paper"\n')
    assert run(["train", "--settings", str(settings), "--out", str(heads.parent / "out"), *SHORT]) == 0
    training = training_of(heads.parent / "out")
    assert training["pictures"]["variation"] == 0.5
    assert training["settings"]["options"]["recipe"] == "paper"


def test_the_published_sizes_are_trained_with_the_published_losses(
    heads: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(heads)
    command[command.index("--config") + 1] = "paper"
    assert run(command) == 0, capsys.readouterr().err
    assert training_of(heads.parent / "out")["settings"]["options"]["recipe"] == "paper"


# -- a parser for others ----------------------------------------------------------------------------------------------


def test_portraits_are_learnt_with_a_parser(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(heads)) == 0
    capsys.readouterr()
    parser = heads.parent / "out"
    assert run(arguments(heads, "--parser", str(parser), method="portrait", out="portraits")) == 0
    assert capsys.readouterr().err.split("variation ")[1].split()[0] == "0", "what draws would learn to blur"
    made = load(heads.parent / "portraits" / "weights.safetensors")
    assert made.info.attributes == FACES.contents
    used, given = (
        {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
        for model in (made.model.get_submodule("parser"), load(parser / "weights.safetensors").model)
    )
    for name, value in given.items():
        torch.testing.assert_close(used[name], value, atol=1e-3, rtol=1e-2)


def test_a_parser_that_is_none_is_named(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(heads, "--parser", str(heads), method="portrait")) == 3
    assert "the folder holds no weights.safetensors" in capsys.readouterr().err


# -- what does not go together ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("--method parsing --labelled HEADS --with A --without B", "leave --with out"),
        ("--method parsing --labelled HEADS --without B", "leave --without out"),
        ("--method parsing --labelled HEADS --data A", "leave --data out"),
        ("--method parsing --labelled HEADS --attribute smile", "leave --attribute out"),
        ("--method parsing --labelled HEADS --attributes smile,glasses", "leave --attributes out"),
        ("--method parsing --labelled HEADS --only Male", "leave --only out"),
        ("--method parsing --labelled HEADS --pictures 100", "leave --pictures out"),
        ("--labelled HEADS", "mbu does not learn from labelled pictures"),
        ("--method didd --labelled HEADS", "didd does not learn from labelled pictures"),
        ("--method maae --labelled HEADS", "maae does not learn from labelled pictures"),
        ("--method parsing --with A --without B", "parsing learns from labelled pictures: give --labelled FOLDER"),
        ("--method parsing --data A --attribute smile", "parsing learns from labelled pictures"),
        ("--method portrait --with A --without B", "portrait learns from labelled pictures"),
        ("--method parsing", "--with DIR and --without DIR"),
        ("--method parsing --labelled HEADS --parser HEADS", "Method parsing has no option --parser"),
        ("--method parsing --labelled HEADS --hard-masks", "Method parsing has no option --hard-masks"),
        ("--method parsing --labelled HEADS --coarse-steps 2", "coarse_steps"),
        ("--method parsing --labelled HEADS --recipe glasses", "expected a recipe (paper, quick), got 'glasses'"),
        ("--method parsing --labelled HEADS --recipe paper --loss cross_entropy=0", "cross_entropy"),
        ("--method parsing --labelled HEADS --loss dice=1", "expected a loss term"),
        ("--method parsing --labelled HEADS --labelled HEADS/../heads", "got one twice"),
        ("--method parsing --labelled HEADS --family handbags", "the family 'handbags' names no parts"),
        ("--method parsing --labelled HEADS --family facs", "faces"),
        ("--method parsing --labelled HEADS --variation 2.5", "2.5"),
        ("--method parsing --labelled HEADS --variation -1", "-1"),
        ("--method parsing --labelled HEADS --variation nan", "not a finite number"),
        ("--method parsing --labelled HEADS --holdout 1", "holdout"),
        ("--with A --without B --variation 0.5", "--variation goes with --labelled"),
        ("--with A --without B --variation 0", "--variation goes with --labelled"),
        ("--method parsing --labelled HEADS --resume --from HEADS", "leave one of them out"),
    ],
)
def test_what_does_not_go_together_is_named(
    heads: Path, capsys: pytest.CaptureFixture[str], command: str, says: str
) -> None:
    for name in ("a", "b"):
        (heads.parent / name).mkdir()
    places = {"HEADS": heads, "A": heads.parent / "a", "B": heads.parent / "b"}
    places["HEADS/../heads"] = heads / ".." / "heads"
    words = [str(places.get(word, word)) for word in command.split()]
    assert run(["train", *words, *SHORT, "--out", str(heads.parent / "out")]) == 2
    assert says in capsys.readouterr().err
    assert not (heads.parent / "out" / "state.safetensors").exists()


def test_domains_need_no_parser(
    heads: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mbu_ops.methods import mbu

    monkeypatch.setitem(mbu.CONFIGS, "tiny", mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2))
    folders = ["--with", str(heads / "images"), "--without", str(heads / "masks")]
    assert run(["train", *folders, *SHORT, "--parser", str(heads), "--out", str(heads.parent / "out")]) == 2
    assert "Method mbu has no option --parser" in capsys.readouterr().err


def test_weights_go_into_the_plugin(heads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = heads.parent / "mbu_ops_checkpoints"  # the name of the one where the family keeps its own
    package.mkdir()
    assert run(arguments(heads, "--family-out", str(package))) == 2
    assert "has no __init__.py" in capsys.readouterr().err
    (package / "__init__.py").write_text("")
    assert run(arguments(heads, "--family-out", str(package), "--licence", "free")) == 0
    path = package / "faces-parsing-tiny.safetensors"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    assert path.read_bytes() == (heads.parent / "out" / "weights.safetensors").read_bytes()
    (entry,) = json.loads((package / "weights.json").read_text())
    assert (entry["id"], entry["method"], entry["licence"]) == ("parsing-tiny", "parsing", "free")
    assert entry["attributes"] == list(FACES.names)
    assert entry["file"] == path.name
