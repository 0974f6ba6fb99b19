"""`mbu-ops eval`: figures of pictures that training has not seen, and nothing made up where there are none."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.data import Pair, Source
from mbu_ops.errors import WeightsError
from mbu_ops.families import AttributeSpec, FamilySpec, discovery, refresh
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, resolve, save
from mbu_ops_cli.app import run
from mbu_ops_cli.commands.train_judge import check_suits
from mbu_ops_cli.sources import source_of

from .conftest import judge_that_learnt

QUICK = ["--judge-steps", "1", "--json"]


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Seventy pictures with a white square, and seventy without it."""
    random = np.random.default_rng(0)
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        for index in range(70):
            pixels = random.integers(0, 200, (20, 20, 3), dtype=np.uint8)
            if name == "with":
                pixels[5:9, 5:15] = 255
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return ["--with", str(tmp_path / "with"), "--without", str(tmp_path / "without")]


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A family whose pictures the tests draw."""

    def draw(attribute: str, partition: str, count: int, resolution: int) -> Iterator[Pair]:
        random = np.random.default_rng(len(partition))
        for _ in range(count):
            without = random.integers(0, 200, (resolution, resolution, 3), dtype=np.uint8)
            with_, mask = without.copy(), np.zeros((resolution, resolution), bool)
            with_[4:9, 4:9], mask[4:9, 4:9] = 255, True
            yield Pair(without, with_, mask)

    module = ModuleType("doodles")
    module.draw = draw  # type: ignore[attr-defined]
    attributes = (AttributeSpec("dot", "Dot"), AttributeSpec("line", "Line"))
    module.family = FamilySpec(  # type: ignore[attr-defined]
        "doodles", attributes=attributes, pictures="doodles:draw"
    )
    monkeypatch.setitem(sys.modules, "doodles", module)
    monkeypatch.setitem(discovery.BUILT_IN[discovery.FAMILIES], "doodles", "doodles:family")
    refresh()
    yield "doodles/dot"
    monkeypatch.undo()
    refresh()


def figures(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    shown = json.loads(capsys.readouterr().out)
    return {figure["name"]: figure for figure in shown["figures"]}


def test_two_folders(folders: list[str], hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", *folders, "--holdout", "0.2", "--weights", hats, *QUICK]) == 0
    found = figures(capsys)
    assert 8 <= found["remove"]["count"] <= 22  # a fifth of seventy, not the seventy that training saw
    assert found["remove"]["low"] <= found["remove"]["value"] <= found["remove"]["high"]
    assert "mask_iou" not in found


@pytest.mark.usefixtures("_no_measuring_package")
def test_a_package_that_is_missing_costs_no_work(drawing: str, hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", "--weights", hats, *QUICK]
    assert run(arguments) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mbu-ops: telling what pictures look like (figures, new judges) needs ")
    assert line.endswith("not installed: pip install mbu-ops-measuring")


def test_drawn_pictures_know_the_truth(drawing: str, hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", "--weights", hats, *QUICK]
    assert run(arguments) == 0
    found = figures(capsys)
    assert found["mask_iou"]["count"] == found["remove_psnr"]["count"] == 6
    assert found["untouched_psnr"]["value"] > 10


@pytest.mark.slow
def test_a_judge_is_kept_and_used_again(
    folders: list[str], hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = [
        "eval",
        *folders,
        "--holdout",
        "0.2",
        "--weights",
        hats,
        "--judge",
        str(tmp_path / "judge.safetensors"),
    ]
    assert run([*arguments, *QUICK]) == 0
    first = capsys.readouterr()
    assert "judge, step 0" in first.err
    assert run([*arguments, *QUICK]) == 0
    second = capsys.readouterr()
    assert "judge, step" not in second.err
    one, other = ({figure["name"]: figure for figure in json.loads(shown.out)["figures"]} for shown in (first, second))
    assert one.pop("milliseconds") != other.pop("milliseconds")
    assert one == other


def test_a_report_compares_and_is_not_measured_twice(
    drawing: str, hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "report"
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", "--judge-steps", "1"]
    arguments += ["--weights", hats, "--compare", "faces/glasses", "--out", str(out)]
    assert run(arguments) == 0
    first = capsys.readouterr()
    assert "measuring faces/glasses" in first.err
    assert "| judge says without: removed |" in first.out
    assert set(json.loads((out / "metrics.json").read_text())["weights"]) == {hats, "faces/glasses"}
    sheets = {path.name for path in out.rglob("*.png")}
    assert sheets == {
        f"{name}.png"
        for name in ("transfer", "defaults", "layers", "removal", "interpolation", "swap", "segmentation", "threshold")
    }
    assert (out / "report.md").read_text().count(".png") == 16
    assert run(arguments) == 0
    second = capsys.readouterr()
    assert "measuring" not in second.err
    assert "judge, step" not in second.err
    assert second.out == first.out
    assert run([*arguments, "--seed", "5"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_lines_for_people(folders: list[str], hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", *folders, "--holdout", "0.2", "--weights", hats, "--judge-steps", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("judge says without: removed") and "%" in line and "n=" in line for line in lines)


def test_figures_go_to_the_very_file_that_was_measured(
    drawing: str, hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "package").mkdir()
    manifest = tmp_path / "package" / "weights.json"
    digest = hashlib.sha256(resolve(hats)[0].read_bytes()).hexdigest()
    other = {"id": "a", "method": "mbu", "attributes": ["dot"], "file": "a.safetensors", "sha256": "0" * 64}
    entry = other | {"id": "b", "file": "b.safetensors", "sha256": digest}
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", "--weights", hats, *QUICK]
    manifest.write_text(json.dumps([other, entry]))
    assert run([*arguments, "--family-out", str(manifest.parent)]) == 0
    found = figures(capsys)
    untouched, listed = json.loads(manifest.read_text())
    assert untouched == other
    assert set(listed["metrics"]) == {"add", "remove", "mask_iou", "remove_psnr"}
    assert listed["metrics"]["mask_iou"] == round(found["mask_iou"]["value"], 3)
    manifest.write_text(json.dumps([other]))
    assert run([*arguments, "--family-out", str(manifest.parent)]) == 3
    shown = capsys.readouterr()
    assert "does not list" in shown.err
    assert "judge, step" not in shown.err  # known before anything is measured


def test_a_judge_of_other_pictures_is_refused(
    folders: list[str], hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    judge = ["--judge", str(tmp_path / "judge.safetensors"), "--weights", hats, *QUICK]
    assert run(["eval", *folders, "--holdout", "0.2", *judge]) == 0
    capsys.readouterr()
    assert run(["eval", *folders, "--holdout", "0.3", *judge]) == 3
    assert "has learnt from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("left_out", "origin", "status"),
    [
        (0.0, "with / without", 2),
        (0.1, "with / without (train, 0.1 held out)", 2),
        (0.2, "with / without (train, 0.2 held out)", 0),
        (0.3, "with / without (train, 0.3 held out)", 0),
        (0.0, "drawn by doodles (train)", 0),
    ],
)
def test_weights_that_have_seen_the_pictures_are_refused(
    folders: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, left_out: float, origin: str, status: int
) -> None:
    model = tiny_mbu()
    facts = {"pictures": {"holdout": left_out, "source": origin}}
    info = WeightsInfo("mbu", model.config_to_dict(model.config), 16, training=facts)
    save(tmp_path / "seen.safetensors", model, info)
    weights = ["--weights", str(tmp_path / "seen.safetensors")]
    assert run(["eval", *folders, "--holdout", "0.2", *weights, *QUICK]) == status
    assert ("have seen" in capsys.readouterr().err) == (status == 2)


def test_the_test_partition_is_other_people(drawing: str, hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", "--weights", hats, *QUICK]
    values = []
    for partition in ("validation", "test"):
        assert run([*arguments, "--partition", partition]) == 0
        values.append(figures(capsys)["untouched_psnr"]["value"])
    assert values[0] != values[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected --with DIR and --without DIR"),
        (["--attribute", "glasses"], "expected --with DIR and --without DIR"),
        (["FOLDERS", "--holdout", "0.2"], "expected --weights"),
        (["FOLDERS", "--weights", "HATS"], "expected --holdout"),
        (["FOLDERS", "--weights", "HATS", "--holdout", "0.001"], "larger --holdout"),
        (["FOLDERS", "--weights", "HATS", "--holdout", "0.2", "--family-out", "x"], "--family-out needs"),
        (["FOLDERS", "--weights", "HATS", "--holdout", "nan"], "not a finite number"),
        (["FOLDERS", "--weights", "HATS", "--holdout", "0.2", "--partition", "test"], "--partition goes with"),
        (["FOLDERS", "--weights", "HATS", "--holdout", "0.2", "--pictures", "9"], "--pictures says"),
        (
            ["FOLDERS", "--weights", "HATS", "--holdout", "0.2", "--judge", "nowhere/j.safetensors"],
            "there is no folder",
        ),
        (["--attribute", "doodles/dot", "--holdout", "0.2"], "--holdout goes with"),
        (["--attribute", "doodles/dot", "--family", "faces"], "name two families"),
        (["--attribute", "doodles/dot"], "no weights"),
        (
            ["--attribute", "smile", "--weights", "faces/glasses", "FOLDERS", "--holdout", "0.2"],
            "edit glasses, not smile",
        ),
        (["--with", "/no/where", "--without", "/no", "--holdout", "0.2", "--weights", "HATS"], "expected a folder of"),
        (["--attribute", "doodles/dit"], "Did you mean 'dot'"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_a_judge_is_trained(
    arguments: list[str], says: str, folders: list[str], hats: str, drawing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part for name in arguments for part in {"FOLDERS": folders, "HATS": [hats]}.get(name, [name])]
    assert run(["eval", *given]) in (2, 3)
    shown = capsys.readouterr()
    assert says in shown.err
    assert "judge, step" not in shown.err
    assert not shown.out


def test_a_family_draws_into_folders(drawing: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    arguments = ["families", "draw", drawing, "--count", "3", "--size", "16", "--out", str(out)]
    assert run(arguments) == 0
    for kind in ("without", "with", "masks"):
        assert sorted(path.name for path in (out / kind).iterdir()) == [f"train-0000{n}.png" for n in range(3)]
    before, after, mask = (
        np.asarray(Image.open(out / kind / "train-00001.png")) for kind in ("without", "with", "masks")
    )
    assert np.array_equal((before != after).any(axis=2), mask)
    assert run(arguments) == 2
    assert "holds something" in capsys.readouterr().err
    assert run(["families", "draw", "faces/smile", "--out", str(tmp_path / "none")]) == 2
    assert "draws no pictures" in capsys.readouterr().err


@pytest.mark.slow
def test_all_attributes_of_a_family_that_draws(
    drawing: str, hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbu_ops.weights.resolve", lambda name: (resolve(hats)[0], None))
    out = tmp_path / "report"
    arguments = ["eval", "--family", "doodles", "--pictures", "8", "--count", "6", "--judge-steps", "1"]
    assert run([*arguments, "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("dot\njudge says with")
    assert (out / "line" / "metrics.json").is_file()
    assert run([*arguments, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["dot", "line"]


def test_one_set_of_weights_is_not_for_all_attributes(
    drawing: str, hats: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "--family", "doodles", "--weights", hats]) == 2
    assert "name an --attribute" in capsys.readouterr().err
    assert run(["train", "--family", "doodles", "--out", "nowhere"]) == 2
    assert "expected --attribute" in capsys.readouterr().err


def another(tmp_path: Path, name: str, family: str = "doodles", attribute: str = "line", guides: int = 2) -> str:
    model = tiny_mbu()
    path = tmp_path / f"{name}.safetensors"
    info = WeightsInfo("mbu", model.config_to_dict(model.config), 16, family=family, attributes=(attribute,))
    save(path, model, info, torch.rand(guides, *model.config.separate_code_shape) if guides else None)
    return str(path)


@pytest.fixture
def second(drawing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Another attribute's weights, and its judge."""
    judge = tmp_path / "second.safetensors"
    learn = ["train-judge", "--attribute", "doodles/line", "--pictures", "8", "--steps", "1", "--out", str(judge)]
    assert run(learn) == 0
    capsys.readouterr()
    return ["--then", another(tmp_path, "lines"), "--then-judge", str(judge)]


def test_chains_of_two_attributes(
    drawing: str, hats: str, second: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "report"
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", "--weights", hats, *second, *QUICK]
    assert run([*arguments, "--out", str(out)]) == 0
    found = figures(capsys)
    assert found["chain_add"]["count"] == found["chain_remove"]["count"] == 6
    assert found["chain_add"]["value"] <= 1
    assert next(out.glob("*/chain.png")).is_file()


@pytest.mark.parametrize("keep", [slice(0, 2), slice(2, 4)])
def test_half_a_second_attribute_is_refused(
    drawing: str, hats: str, second: list[str], capsys: pytest.CaptureFixture[str], keep: slice
) -> None:
    assert run(["eval", "--attribute", drawing, "--weights", hats, *second[keep], *QUICK]) == 2
    assert "go together" in capsys.readouterr().err


@pytest.mark.parametrize("what", [{"attribute": "dot"}, {"family": "faces"}, {"guides": 0}])
def test_a_second_attribute_must_be_another_of_the_family_with_guides(
    drawing: str,
    hats: str,
    second: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    what: dict[str, Any],
) -> None:
    second[1] = another(tmp_path, "wrong", **what)
    assert run(["eval", "--attribute", drawing, "--weights", hats, *second, *QUICK]) == 2
    assert "another attribute of the same family" in capsys.readouterr().err


def test_a_second_judge_of_something_else_is_refused(
    drawing: str, hats: str, second: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    judge = tmp_path / "dots.safetensors"
    assert run(["train-judge", "--attribute", drawing, "--pictures", "8", "--steps", "1", "--out", str(judge)]) == 0
    assert run(["eval", "--attribute", drawing, "--weights", hats, *second[:3], str(judge), *QUICK]) == 3
    assert "has learnt from" in capsys.readouterr().err


def test_folders_know_no_second_attribute(
    folders: list[str], hats: str, second: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", *folders, "--holdout", "0.2", "--weights", hats, *second, *QUICK]) == 2
    assert "--then goes with --data" in capsys.readouterr().err


@pytest.mark.slow
def test_all_weights_are_measured_in_the_first_ones_regions(
    drawing: str, hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", *QUICK]
    other = another(tmp_path, "other", attribute="dot")
    assert run([*arguments, "--weights", other]) == 0
    alone = figures(capsys)
    assert run([*arguments, "--weights", hats, "--compare", other]) == 0
    compared = {f["name"]: f for f in json.loads(capsys.readouterr().out)["compared"][other]}
    assert compared["psnr_inside_add"] != alone["psnr_inside_add"]
    assert compared["add"] == alone["add"]


def test_a_judge_of_some_people_is_not_for_all(tmp_path: Path) -> None:
    def source(*only: str) -> Source:
        return source_of(None, "glasses", None, (tmp_path / "celeba",), only, (), (), 0.0, None)

    judge = judge_that_learnt({**source("!Male").facts, "steps": 1})
    check_suits(judge, tmp_path / "judge", source("!Male", "Young"))
    for other in (source(), source("Male")):
        with pytest.raises(WeightsError, match="has learnt from"):
            check_suits(judge, tmp_path / "judge", other)


def test_a_report_of_one_judge_takes_no_figures_of_another(
    drawing: str, hats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["eval", "--attribute", drawing, "--pictures", "8", "--count", "6", "--weights", hats]
    arguments += ["--out", str(tmp_path / "report"), "--judge-steps"]
    assert run([*arguments, "1"]) == 0
    assert run([*arguments, "2"]) == 2
    assert "other settings: judge" in capsys.readouterr().err
