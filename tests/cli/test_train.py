"""`mbu-ops train`: two folders or CelebA's layout in, a run's folder out, and a clear word about everything else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mbu_ops import families
from mbu_ops.methods import didd, maae, mbu
from mbu_ops.objectives.options import DistanceOptions, options_in
from mbu_ops.objectives.terms import DISTANCES
from mbu_ops.ops.remove import Remove
from mbu_ops.weights import read_info
from mbu_ops_cli.app import run
from mbu_ops_cli.scaffold import write_plugin

from ..conftest import Install
from .conftest import training_of

EXPERIMENTS = Path(__file__).parents[2] / "docs" / "experiments"
SHORT = ["--config", "tiny", "--steps", "4", "--coarse-steps", "2", "--batch-size", "2", "--threads", "1"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mbu.CONFIGS, "tiny", mbu.MBUConfig(16, (4, 8, 12), (4, 8), 3, patch=2))
    monkeypatch.setitem(didd.CONFIGS, "tiny", didd.DIDDConfig(16, (4, 8, 12), (4, 8), 3, False, 2, patch=2))
    dial = maae.MAAEConfig(16, (4, 6), (4,), 6, 1, 1, 3, 3, (4, 6), residual=True, patch=2)
    monkeypatch.setitem(maae.CONFIGS, "tiny", dial)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Twelve pictures with a white square, and twelve without it."""
    random = np.random.default_rng(0)
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        for index in range(12):
            pixels = random.integers(0, 200, (20, 20, 3), dtype=np.uint8)
            if name == "with":
                pixels[5:9, 5:15] = 255
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return tmp_path


def arguments(folders: Path, *more: str) -> list[str]:
    places = ["--with", str(folders / "with"), "--without", str(folders / "without"), "--out", str(folders / "out")]
    return ["train", *places, *SHORT, *more]


def test_two_folders_become_weights(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(folders)) == 0
    assert capsys.readouterr().out.strip() == str(folders / "out" / "weights.safetensors")
    assert read_info(folders / "out" / "weights.safetensors").resolution == 16
    assert Remove.from_pretrained(folders / "out")(torch.rand(1, 3, 20, 24)).shape == (1, 3, 20, 24)
    assert (folders / "out" / "samples" / "step_000004.png").exists()


def test_a_run_is_not_overwritten_but_continued(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(folders)) == 0
    assert run(arguments(folders)) == 2
    assert "--resume" in capsys.readouterr().err
    longer = arguments(folders, "--resume")
    longer[longer.index("--steps") + 1] = "6"
    assert run(longer) == 0
    assert len((folders / "out" / "log.jsonl").read_text().splitlines()) == 1
    assert (folders / "out" / "samples" / "step_000006.png").exists()


@pytest.mark.parametrize("more", [[], ["--no-flip"]])
def test_pictures_are_mirrored_unless_they_must_not_be(folders: Path, more: list[str]) -> None:
    assert run(arguments(folders, *more)) == 0
    settings = training_of(folders / "out")["settings"]
    assert settings["flip"] is not bool(more)
    longer = arguments(folders, "--resume")
    longer[longer.index("--steps") + 1] = "6"
    assert run(longer) == (2 if more else 0)  # going on without the option would begin to mirror


def test_a_broken_picture_is_skipped_and_named(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folders / "with" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert run(arguments(folders)) == 0
    assert "broken.jpg" in capsys.readouterr().err


def celeba(folders: Path) -> Path:
    """The pictures in CelebA's layout, two of three of them a man's."""
    data = folders / "celeba"
    (data / "img_align_celeba").mkdir(parents=True)
    rows = []
    for side in ("with", "without"):
        for index in range(12):
            name = f"{side}-{index}.png"
            (folders / side / f"{index}.png").rename(data / "img_align_celeba" / name)
            rows.append((name, 1 if side == "with" else -1, 1 if index % 3 else -1))
    (data / "list_attr_celeba.txt").write_text(
        f"{len(rows)}\nSmiling Male Young Eyeglasses No_Beard\n"
        + "\n".join(f"{name} {smiling} {male} 1 1 1" for name, smiling, male in rows)
    )
    (data / "list_eval_partition.txt").write_text("\n".join(f"{name} 0" for name, *_ in rows))
    return data


def test_celeba_layout(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--attribute", "smile", "--data", str(celeba(folders)), "--out", str(folders / "out"), *SHORT]
    assert run(command) == 0
    assert "12 images with the content, 12 without it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--data", "somewhere"], "got both"),
        (["--loss", "confusion"], "TERM=WEIGHT"),
        (["--loss", "confuse=1"], "confuse"),
        (["--recipe", "hats"], "hats"),
        (["--method", "mbo"], "mbu"),
        (["--config", "huge"], "huge"),
    ],
)
def test_wrong_usage_is_named(folders: Path, capsys: pytest.CaptureFixture[str], change: list[str], word: str) -> None:
    assert run(arguments(folders, *change)) == 2
    assert word in capsys.readouterr().err
    assert not (folders / "out" / "state.safetensors").exists()


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["train", "--out", "out"], "--with"),
        (["train", "--out", "out", "--with", "here"], "--without"),
        (["train", "--out", "out", "--data", "here"], "--attribute"),
        (["train", "--out", "out", "--data", "here", "--attribute", "glases"], "glasses"),
        (["train", "--out", "out", "--data", "here", "--attribute", "glasses"], "list_attr_celeba.txt"),
        (
            ["train", "--out", "out", "--with", "a", "--without", "b", "--seldom", "Male=0.5"],
            "--seldom goes with --data",
        ),
        (["train", "--out", "out", "--data", "here", "--attribute", "glasses", "--seldom", "Male=2"], "from 0 to 1"),
        (["train", "--out", "out", "--data", "here", "--attribute", "glasses", "--seldom", "Male"], "LABEL=SHARE"),
        (["train", "--out", "out", "--with", "here", "--without", "there"], "no folder at here, there"),
    ],
)
def test_missing_images_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(command) == 2
    assert word in capsys.readouterr().err


def test_an_empty_folder_is_named(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (folders / "with").iterdir():
        file.unlink()
    assert run(arguments(folders)) == 2
    assert "at least 8" in capsys.readouterr().err


def test_an_out_that_is_a_file_is_named(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folders / "out").write_text("taken")
    assert run(arguments(folders)) != 0
    assert "out" in capsys.readouterr().err


def test_what_was_held_out_stays_held_out(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(folders)) == 0
    (folders / "with" / "new.png").write_bytes((folders / "with" / "0.png").read_bytes())
    longer = arguments(folders, "--resume")
    longer[longer.index("--steps") + 1] = "6"
    assert run(longer) == 2
    assert "cannot resume with other pictures" in capsys.readouterr().err


@pytest.fixture
def hats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install) -> Iterator[Path]:
    """The package of an installed plugin for hats, written by the scaffold."""
    folder = tmp_path / "plugin"
    write_plugin("hats", "hat", folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    install("mbu-ops-hats", "[mbu_ops.families]\nhats = mbu_ops_hats:family\n")
    yield folder / "mbu_ops_hats"
    sys.modules.pop("mbu_ops_hats", None)


def test_weights_go_into_the_plugin(folders: Path, hats: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--attribute", "hats/hat", "--family-out", str(hats), "--licence", "free"]
    assert run(arguments(folders, *more)) == 0
    path = hats / "hats-hat-mbu-tiny.safetensors"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    sys.modules.pop("mbu_ops_hats")  # the next command is a new process
    families.refresh()
    assert run(["families", "check", "hats"]) == 0
    assert families.get_family("hats").weights[0].licence == "free"
    picture = str(folders / "with" / "0.png")
    assert run(["chain", "remove:hats/hat", "add:hats/hat", "-i", picture, "-o", str(folders / "result.png")]) == 0
    assert (folders / "result.png").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--family-out", "somewhere"], "needs --attribute"),
        (["--family", "handbags", "--face", "all"], "--face goes with --with and --without of a family that looks"),
        (["--no-align"], "--no-align goes with --with and --without of a family that looks"),
        (["--family", "faces", "--no-align", "--face", "all"], "leave it or --no-align out"),
        (["--frame", "eyes"], "--frame eyes needs --family"),
        (["--family", "faces", "--frame", "eyez"], "there is no frame 'eyez'"),
        (["--attribute", "glasses", "--family-out", "somewhere"], "has no __init__.py"),
        (["--attribute", "glasses", "--family-out", "HATS"], "in the package mbu_ops_checkpoints, not in mbu_ops_hats"),
        (["--holdout", "nan"], "not a finite number"),
        (["--attribute", "glases"], "Did you mean 'glasses'"),
    ],
)
def test_a_result_without_a_place_is_refused_before_training(
    folders: Path, hats: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    more = [str(hats) if word == "HATS" else word for word in more]
    assert run(arguments(folders, *more)) == 2
    assert says in capsys.readouterr().err
    assert not (folders / "out").exists()


def test_a_settings_file_says_what_the_command_line_does_not(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = folders / "settings.toml"
    settings.write_text(
        'loss = ["confusion=0.3", "feature_matching=1"]\nhard-masks = true\naverage-decay = 0\nseed = 5\n'
        'distance = "l2-self-blend"\n'
    )
    assert run(arguments(folders, "--settings", str(settings), "--seed", "6")) == 0
    used = training_of(folders / "out")["settings"]
    assert used["options"]["loss_weights"] == [["confusion", 0.3], ["feature_matching", 1.0]]
    assert (used["options"]["hard_masks"], used["average_decay"], used["seed"]) == (True, 0.0, 6)
    assert used["options"]["distance"] == "l2-self-blend"


def test_the_command_line_adds_to_a_settings_file_where_options_add_up(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folders / "settings.toml").write_text('loss = ["confusion=0", "mask_area=1"]\n')
    assert run(arguments(folders, "--loss", "mask_area=2", f"--settings={folders / 'settings.toml'}")) == 0
    used = training_of(folders / "out")["settings"]
    assert used["options"]["loss_weights"] == [["confusion", 0.0], ["mask_area", 1.0], ["mask_area", 2.0]]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("seeds = 5", "expected options of this command"),
        ("settings = 'more.toml'", "expected options of this command"),
        ("seed =", "cannot be read"),
        ('seed = "five"', "five"),
        ("seed = 1.9", "1.9"),
        ("seed = true", "expected text or a number for seed"),
        ("seed = [1, 2]", "expected text or a number for seed"),
        ("[seed]\na = 1", "expected text or a number for seed"),
        ("seed = 2020-01-01", "expected text or a number for seed"),
        ("hard-masks = 2", "expected true or false for hard-masks"),
        ("[only]\nMale = false", "or a list of those for only"),
        ("loss = [[1]]", "or a list of those for loss"),
    ],
)
def test_a_bad_settings_file_is_named(folders: Path, capsys: pytest.CaptureFixture[str], text: str, word: str) -> None:
    (folders / "settings.toml").write_text(text)
    assert run(arguments(folders, "--settings", str(folders / "settings.toml"))) == 2
    assert word in capsys.readouterr().err


def test_a_missing_settings_file_is_named(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(folders, "--settings", str(folders / "none.toml"))) == 2
    assert "none.toml" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.rglob("*.toml")), ids=lambda path: path.stem)
def test_the_experiments_settings_are_understood(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They fail for want of data only."""
    data = ["--with", str(tmp_path / "celeba"), "--with", str(tmp_path / "celeba_half")]  # a content a folder
    data = data if path.parent.name == "digits" else ["--data", str(tmp_path / "celeba")]
    if path.stem.startswith("handle"):
        data = ["--with", str(tmp_path / "celeba"), "--without", str(tmp_path / "celeba_half")]
    if path.parent.name in ("parsing", "portrait"):
        data = ["--labelled", str(tmp_path / "celeba")]
    if path.parent.name == "portrait":
        (tmp_path / "parser.safetensors").touch()
        data += ["--parser", str(tmp_path / "parser.safetensors")]
    command = ["train", "--settings", str(path.absolute()), *data, "--out", str(tmp_path)]
    assert run(command) == 2
    assert "celeba" in capsys.readouterr().err


def test_only_pictures_with_a_label(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--attribute", "smile", "--data", str(celeba(folders)), *SHORT]
    assert run([*command, "--out", str(folders / "men"), "--only", "Male", "--only", "Young"]) == 0
    assert "8 images with the content, 8 without it" in capsys.readouterr().err
    assert training_of(folders / "men")["data"].endswith(", Male, Young")
    assert run([*command, "--out", str(folders / "women"), "--only", "!Male"]) == 2
    assert "got 4 of 4" in capsys.readouterr().err
    assert run([*command, "--out", str(folders / "other"), "--only", "Hairy"]) == 2
    assert "Hairy" in capsys.readouterr().err
    assert run([*command, "--out", str(folders / "other"), "--only", "a b"]) == 2
    assert "'a b'" in capsys.readouterr().err
    assert run([*command, "--out", str(folders / "other"), "--only", "Male", "--only", "!Male"]) == 2
    assert "no picture with it can be Male and !Male" in capsys.readouterr().err


def test_only_needs_labels(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(folders, "--only", "Male")) == 2
    assert "--data" in capsys.readouterr().err


def test_every_distance_can_be_asked_for() -> None:
    (choices,) = [about.choices for name, _, about in options_in(DistanceOptions) if name == "distance"]
    assert list(choices) == list(DISTANCES)


@pytest.mark.parametrize(
    ("words", "shown", "hidden"),
    [
        (["--help"], "--method NAME --help", "--hard-masks"),
        (["--method", "mbu", "--help"], "--hard-masks", "--pair"),
        (["--help", "--method=native"], "--pair", "--hard-masks"),
    ],
)
def test_help_lists_the_options_of_the_method_that_is_named(
    words: list[str], shown: str, hidden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", *words]) == 0
    told = capsys.readouterr().out
    assert shown in " ".join(told.split())
    assert hidden not in told


def test_help_of_all_methods_imports_no_torch() -> None:
    code = "import sys; from mbu_ops_cli.app import run; run(['train', '--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


# -- two contents in one network, and a dial --------------------------------------------------------------------------


def pair_of(folders: Path, *more: str, first: str = "with", second: str = "without") -> list[str]:
    places = ["--with", str(folders / first), "--with", str(folders / second), "--out", str(folders / "out")]
    return ["train", "--method", "didd", *places, *SHORT, *more]


def test_two_with_folders_are_a_pair_named_after_them(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folders / "with").rename(folders / "Bow Ties")
    (folders / "without").rename(folders / "hats")
    assert run(pair_of(folders, first="Bow Ties", second="hats")) == 0
    info = read_info(folders / "out" / "weights.safetensors")
    assert (info.method, info.attributes, info.family) == ("didd", ("bow_ties", "hats"), None)
    both: Any = Remove.from_pretrained(folders / "out", content="hats").model
    assert both.index == 1
    picture, steps = str(folders / "hats" / "0.png"), f"{folders / 'out'},content="
    command = ["chain", f"remove:{steps}hats", f"add:{steps}bow_ties", "-i", picture, "-o", str(folders / "made.png")]
    assert run(command) == 0
    assert (folders / "made.png").exists()


@pytest.mark.parametrize("name", ["7", "with"])
def test_folders_without_names_are_first_and_second(
    folders: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for side, folder in (("with", "a"), ("without", "b")):
        (folders / folder).mkdir()
        (folders / side).rename(folders / folder / name)
    assert run(pair_of(folders, first=f"a/{name}", second=f"b/{name}")) == 0
    assert read_info(folders / "out" / "weights.safetensors").attributes == ("first", "second")


def test_names_of_two_folders_can_be_given(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(pair_of(folders, "--attributes", "hat,tie")) == 0
    assert read_info(folders / "out" / "weights.safetensors").attributes == ("hat", "tie")
    assert run(pair_of(folders, "--attributes", "hat,tie", "--resume", first="without", second="with")) == 2
    assert "cannot resume with other pictures" in capsys.readouterr().err


def test_pictures_that_show_neither_take_part(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folders / "neither").mkdir()
    for path in (folders / "without").iterdir():
        (folders / "neither" / path.name).write_bytes(path.read_bytes())
    command = pair_of(folders, "--attributes", "hat,tie", "--without", str(folders / "neither"))
    assert run(command) == 0
    facts = training_of(folders / "out")["pictures"]
    assert facts["neither"] == facts["without"]
    assert run([*pair_of(folders, "--attributes", "hat,tie"), "--resume"]) == 2
    assert "cannot resume with other pictures" in capsys.readouterr().err


def test_a_pair_of_a_family_on_labelled_pictures(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Smiles without glasses against glasses without smiles; the label file says so."""
    data = celeba(folders)
    rows = (data / "list_attr_celeba.txt").read_text().splitlines()
    turned = []
    for row in rows[2:]:
        name, smiling, male, young, _, beard = row.split()
        turned.append(f"{name} {smiling} {male} {young} {-int(smiling)} {beard}")
    both = "both.png"
    (data / "img_align_celeba" / both).write_bytes((data / "img_align_celeba" / "with-0.png").read_bytes())
    turned.append(f"{both} 1 1 1 1 1")
    (data / "list_attr_celeba.txt").write_text("\n".join([str(len(turned)), rows[1], *turned]))
    (data / "list_eval_partition.txt").write_text("\n".join(f"{row.split()[0]} 0" for row in turned))
    command = ["train", "--method", "didd", "--data", str(data), "--out", str(folders / "out"), *SHORT]
    assert run([*command, "--attributes", "smiling,glasses", "--holdout", "0"]) == 0
    assert "12 images with the content, 12 without it" in capsys.readouterr().err, "not the one that shows both"
    info = read_info(folders / "out" / "weights.safetensors")
    assert (info.family, info.attributes) == ("faces", ("smile", "glasses"))


def test_a_dial_is_trained_with_the_family_s_aids(
    folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["train", "--method", "maae", "--with", str(folders / "with"), "--without", str(folders / "without")]
    assert run([*command, *SHORT, "--out", str(folders / "out")]) == 0
    said = capsys.readouterr().err
    assert "maae learns without its identity loss" in said
    assert "maae learns without its background loss" in said
    picture = str(folders / "with" / "0.png")
    turn = ["chain", f"adjust:{folders / 'out'},strength=0", "-i", picture, "-o", str(folders / "made.png")]
    assert run(turn) == 0
    with Image.open(picture) as before, Image.open(folders / "made.png") as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_the_faces_aids_are_used(
    folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    asked = []

    class Describer(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            asked.append("identity")
            return images.mean((2, 3))

    def find(attribute: str, images: Tensor) -> Tensor:
        asked.append(attribute)
        return torch.zeros(len(images), 1, *images.shape[-2:])

    monkeypatch.setattr("mbu_ops_faces.regions.regions", find)
    monkeypatch.setattr("mbu_ops.evaluation.networks.face_descriptor.pretrained", Describer)
    assert run([*arguments(folders), "--method", "maae", "--attribute", "smile", "--no-align"]) == 0
    assert set(asked) == {"identity", "smile"}
    assert "learns without" not in capsys.readouterr().err
    log = (folders / "out" / "log.jsonl").read_text()
    assert "background" in log
    assert "identity" in log
    asked.clear()
    assert run([*arguments(folders), "--attribute", "smile", "--no-align", "--out", str(folders / "mbu")]) == 0
    assert not asked, "other methods do not ask"


@pytest.mark.usefixtures("_no_measuring_package")
def test_a_dial_of_faces_is_not_trained_without_its_identity_loss(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*arguments(folders), "--attribute", "smile", "--no-align"]
    assert run([*command, "--method", "maae"]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("mbu-ops: telling whose face it is (identity figures and losses) needs ")
    assert last.endswith("not installed: pip install mbu-ops-measuring")
    assert not list((folders / "out").glob("*.safetensors"))
    assert run(command) == 0, "other methods do not ask"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("--method didd --with A --without B", "didd learns 2 contents at once: name them by --attributes"),
        ("--method didd --data A --attribute smile", "didd learns 2 contents at once"),
        ("--method didd --with A --with B --with A", "--without"),
        ("--method didd --attributes a,b --with A --without B", "expected two --with folders for a pair"),
        ("--method didd --attributes a,b --with A", "expected two --with folders for a pair"),
        ("--method didd --attributes a --with A --with B", "expected two names (letters"),
        ("--method didd --attributes a,a --with A --with B", "expected two names (letters"),
        ("--method didd --attributes a,b,c --with A --with B", "expected two names (letters"),
        ("--method didd --attributes a, --with A --with B", "expected two names (letters"),
        ("--method didd --attributes smile,glasses --attribute smile --data A", "got both; leave one out"),
        ("--method didd --attributes smile,glases --data A", "Did you mean 'glasses'"),
        ("--method didd --attributes smile,smiling --data A", "without the other"),
        ("--method didd --attributes smile,handbags/handle --data A", "they are of two families"),
        ("--method didd --attributes smile,glasses --family handbags --data A", "handbags"),
        ("--method didd --attributes smile,glasses", "--data DIR"),
        ("--method didd --attributes avatars/glasses,avatars/smile", "give two --with folders, or --data"),
        ("--with A --with B", "mbu learns one content at once, got a and b: name one by --attribute"),
        ("--attributes smile,glasses --data A", "mbu learns one content at once, got smile and glasses"),
        ("--method maae --with A --with B", "maae learns one content at once"),
    ],
)
def test_wrong_counts_of_contents_are_named(
    folders: Path, capsys: pytest.CaptureFixture[str], command: str, says: str
) -> None:
    (folders / "with").rename(folders / "a")
    (folders / "without").rename(folders / "b")
    words = [str(folders / word.lower()) if word in ("A", "B") else word for word in command.split()]
    assert run(["train", *words, *SHORT, "--out", str(folders / "out")]) == 2
    assert says in capsys.readouterr().err
    assert not (folders / "out").exists()
