"""`mbu-ops eval` with the judge that a family brings, and where it brings none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mbu_ops.data import Source
from mbu_ops.errors import MissingPackageError, PluginError
from mbu_ops.evaluation.judge import Judge
from mbu_ops.testing import tiny_native
from mbu_ops.weights import WeightsInfo, save
from mbu_ops_cli.app import run
from mbu_ops_cli.eval_setup import family_judge
from mbu_ops_cli.sources import source_of

from .celeba import fill_celeba

Build = Callable[[str], Judge]


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let another function build the judges of faces, which notes what it is asked for."""
    asked: list[str] = []

    def build(role: str) -> Judge:
        asked.append(role)
        return Judge(("glasses", "smile"))

    monkeypatch.setattr("mbu_ops_faces.judges.packaged", build)
    return asked


def labelled(attribute: str | None, attributes: str | None = None, frame: str | None = None) -> Source:
    return source_of(None, attribute, attributes, (Path("celeba"),), (), (), (), 0.0, None, frame)


def test_it_tells_the_attribute(roles: list[str]) -> None:
    for attribute in ("glasses", "smile"):
        judge = family_judge(labelled(attribute), "report")
        assert judge is not None
        assert judge.content == attribute
    assert family_judge(labelled("smile"), "choose") is not None
    assert roles == ["report", "report", "choose"]


def test_it_judges_pictures_in_folders_too(roles: list[str]) -> None:
    folders = source_of(None, "smile", None, (), (), (Path("with"),), (Path("without"),), 0.2, None)
    assert family_judge(folders, "report") is not None
    assert roles


NONE: dict[str, Callable[[], Source]] = {
    "an attribute that it does not know": lambda: labelled("facial_hair"),
    "a part of the frame": lambda: labelled("glasses", frame="eyes"),
    "a pair": lambda: labelled(None, "glasses,smile"),
    "drawn pictures": lambda: replace(labelled("glasses"), data=()),
    "pictures of no family": lambda: replace(labelled("glasses"), family=None),
    "no attribute": lambda: replace(labelled("glasses"), attribute=None),
}


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("case", NONE)
def test_there_is_none_for(case: str) -> None:
    assert family_judge(NONE[case](), "report") is None


def test_there_is_none_where_the_family_names_none(roles: list[str]) -> None:
    source = labelled("glasses")
    assert source.family is not None
    assert family_judge(replace(source, family=replace(source.family, judges=None)), "report") is None
    assert not roles


def test_what_fails_names_the_family(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("broken_judges")
    module.fails = lambda role: 1 / 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "broken_judges", module)
    source = labelled("glasses")
    assert source.family is not None
    for name in ("fails", "nothing"):
        family = replace(source.family, judges=f"broken_judges:{name}")
        with pytest.raises(PluginError, match="faces"):
            family_judge(replace(source, family=family), "report")


@pytest.mark.usefixtures("_no_measuring_package")
def test_a_package_that_is_missing_is_no_fault_of_the_family() -> None:
    with pytest.raises(MissingPackageError, match=r"^grading edits of faces needs .* pip install mbu-ops-measuring$"):
        family_judge(labelled("glasses"), "report")


@pytest.fixture(scope="module")
def celeba(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(fill_celeba(tmp_path_factory.mktemp("data") / "celeba"))


@pytest.fixture
def native(tmp_path: Path) -> str:
    """Weights that only remove, and see a part of the face."""
    model, path = tiny_native(), tmp_path / "native.safetensors"
    info = WeightsInfo("native", model.config_to_dict(model.config), 16, "faces", ("glasses",), frame="eyes")
    save(path, model, info)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--attribute", "glasses", "DATA", "--choosing", "--judge", "j.safetensors"], "leave --judge and --judge-st"),
        (["--attribute", "glasses", "DATA", "--choosing", "--judge-steps", "1"], "leave --judge and --judge-steps out"),
        (["--attribute", "smile", "DATA", "--choosing", "--frame", "eyes"], "there is none for these pictures"),
        (["--attribute", "facial_hair", "DATA", "--choosing"], "there is none for these pictures"),
        (["--attribute", "avatars/glasses", "--choosing"], "there is none for these pictures"),
    ],
)
@pytest.mark.usefixtures("roles")
def test_choosing_needs_the_family_s_judge(
    arguments: list[str], says: str, celeba: str, hats: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part for name in arguments for part in (["--data", celeba] if name == "DATA" else [name])]
    assert run(["eval", *given, "--weights", hats]) == 2
    shown = capsys.readouterr()
    assert says in " ".join(shown.err.split())
    assert "judge, step" not in shown.err
    assert not shown.out


def test_weights_that_only_remove_have_no_figures_of_additions(
    celeba: str, native: str, roles: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["eval", "--attribute", "glasses", "--data", celeba, "--weights", native, "--count", "10"]
    arguments += ["--choosing", "--out", str(tmp_path / "report"), "--json"]
    assert run([*arguments, "--resolution", "64"]) == 0
    assert roles == ["choose"]
    shown = capsys.readouterr()
    assert "judge, step" not in shown.err, "the family's own judge"
    found = {figure["name"]: figure for figure in json.loads(shown.out)["figures"]}
    assert found["remove"]["count"] == 10
    assert 0 < found["remove"]["low"] + found["remove"]["high"] < 2
    additions = [name for name in found if "add" in name or "swap" in name or "guide" in name or "default" in name]
    assert not additions
    sheets = {path.stem for path in (tmp_path / "report").rglob("*.png")}
    assert {"removal", "segmentation"} <= sheets
    assert not {"transfer", "interpolation", "swap"} & sheets
    assert run([*arguments, "--resolution", "32"]) == 2
    assert "other settings: resolution" in capsys.readouterr().err


def test_pictures_are_measured_at_the_resolution(
    celeba: str, native: str, roles: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def measured(path: Path, examples: object, *_: object) -> list[object]:
        sizes.append(examples.with_.shape[-2:])  # type: ignore[attr-defined]
        return []

    monkeypatch.setattr("mbu_ops.evaluation.measurement.measure", measured)
    arguments = ["eval", "--attribute", "glasses", "--data", celeba, "--weights", native, "--count", "10"]
    for resolution in ("32", "64"):
        assert run([*arguments, "--resolution", resolution]) == 0
    assert run(arguments) == 0
    assert sizes == [torch.Size((side, side)) for side in (32, 64, 128)]
    assert set(roles) == {"report"}
    capsys.readouterr()
    for resolution in ("31", "1025", "x"):
        assert run([*arguments, "--resolution", resolution]) == 2
        assert "resolution" in capsys.readouterr().err
