"""What is in the wheels, and nothing else."""

from __future__ import annotations

import email
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "mbu_ops": ROOT / "mbu_ops",
    "mbu_ops_cli": ROOT / "cli/mbu_ops_cli",
    "mbu_ops_faces": ROOT / "plugins/mbu_ops_faces",
    "mbu_ops_handbags": ROOT / "plugins/mbu_ops_handbags",
    "mbu_ops_checkpoints": ROOT / "checkpoints/mbu_ops_checkpoints",
}
MEASURING = ROOT / "checkpoints/measuring"


def built(project: Path, folder: Path) -> zipfile.ZipFile:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with built(ROOT, tmp_path_factory.mktemp("dist")) as opened:
        yield opened


@pytest.fixture(scope="module")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with built(MEASURING, tmp_path_factory.mktemp("measuring")) as opened:
        yield opened


def packaged(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def files_of(source: Path) -> set[str]:
    paths = (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"{source.name}/{path.relative_to(source).as_posix()}" for path in paths}


def megabytes(wheel: zipfile.ZipFile) -> float:
    return sum(entry.compress_size for entry in wheel.infolist()) / 1e6


def text_of(wheel: zipfile.ZipFile, ending: str) -> str:
    (name,) = (name for name in wheel.namelist() if name.endswith(ending))
    return wheel.read(name).decode()


def test_only_our_names_reach_the_environment(wheel: zipfile.ZipFile) -> None:
    assert {name.partition("/")[0] for name in packaged(wheel)} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_in_it(wheel: zipfile.ZipFile, package: str) -> None:
    assert files_of(PACKAGES[package]) == {name for name in wheel.namelist() if name.startswith(f"{package}/")}


@pytest.mark.parametrize("package", ["mbu_ops", "mbu_ops_cli", "mbu_ops_faces", "mbu_ops_handbags"])
def test_code_says_that_it_is_typed(wheel: zipfile.ZipFile, package: str) -> None:
    assert f"{package}/py.typed" in wheel.namelist()


def test_they_stay_small(wheel: zipfile.ZipFile, measuring: zipfile.ZipFile) -> None:
    # PyPI takes files of at most 100 MB, of a thousand thousand bytes each: there is to be room for more weights
    assert megabytes(wheel) < 95
    assert megabytes(measuring) < 26
    assert max(entry.file_size for entry in [*wheel.infolist(), *measuring.infolist()]) < 16 * 2**20


def test_what_only_measures_is_asked_for_by_extras_alone(wheel: zipfile.ZipFile) -> None:
    metadata = email.message_from_string(text_of(wheel, "METADATA"))
    required = {line for line in metadata.get_all("Requires-Dist") if line.startswith("mbu-ops-measuring")}
    assert required == {f"mbu-ops-measuring>=0.1.0; extra == '{extra}'" for extra in ("dev", "eval")}


def test_what_only_measures_has_the_version_that_is_asked_for(measuring: zipfile.ZipFile) -> None:
    metadata = email.message_from_string(text_of(measuring, "METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("mbu-ops-measuring", "0.1.0")
    assert metadata.get_all("Requires-Dist") is None


def test_what_only_measures_has_its_cards_and_terms(measuring: zipfile.ZipFile) -> None:
    weights = {"face_descriptor", "image_features", "faces/judge-choose", "faces/judge-report"}
    cards = {"face_descriptor", "image_features", "faces/judges"}
    assert packaged(measuring) == {
        f"mbu_ops_measuring/{name}"
        for name in ("__init__.py", *(f"{name}.safetensors" for name in weights), *(f"{name}.md" for name in cards))
    }
    assert packaged(measuring) == files_of(MEASURING / "mbu_ops_measuring")
    assert "Permission is hereby granted" in text_of(measuring, "mbu_ops_measuring/face_descriptor.md")
    assert "non-commercial research use only" in text_of(measuring, "mbu_ops_measuring/faces/judges.md")
    assert "Version 2.0, January 2004" in text_of(measuring, "licenses/LICENSE-APACHE")
    assert text_of(measuring, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_entry_points_lead_somewhere(wheel: zipfile.ZipFile) -> None:
    points = ConfigParser(delimiters="=")
    points.optionxform = str  # type: ignore[assignment,method-assign]
    points.read_string(text_of(wheel, "entry_points.txt"))
    assert set(points.sections()) == {"console_scripts", "mbu_ops.families", "mbu_ops.methods"}
    for section in points.sections():
        for target in points[section].values():
            module = target.partition(":")[0].replace(".", "/")
            assert {f"{module}.py", f"{module}/__init__.py"} & set(wheel.namelist()), target


def test_licence_and_terms_are_in_it(wheel: zipfile.ZipFile) -> None:
    assert text_of(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "License-Expression: MIT" in text_of(wheel, "METADATA")


def test_every_weights_file_has_a_card_and_is_listed(wheel: zipfile.ZipFile) -> None:
    found = {Path(name) for name in wheel.namelist() if name.endswith(".safetensors")}
    assert {str(path.with_suffix(".md")) for path in found} <= set(wheel.namelist())
    names = {path.name for path in found} - {"aligner.safetensors"}
    listed = [json.loads(text_of(wheel, f"mbu_ops_{family}/weights.json")) for family in ("faces", "handbags")]
    assert {entry["file"] for manifest in listed for entry in manifest} == names
