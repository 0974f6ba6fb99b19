"""What is in the wheel, and nothing else."""

import json
import subprocess
import sys
import zipfile
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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def text_of(wheel, ending):
    (name,) = (name for name in wheel.namelist() if name.endswith(ending))
    return wheel.read(name).decode()


def test_only_our_names_reach_the_environment(wheel):
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_in_it(wheel, package):
    source = PACKAGES[package]
    ours = {
        f"{package}/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours == {name for name in wheel.namelist() if name.startswith(f"{package}/")}


@pytest.mark.parametrize("package", ["mbu_ops", "mbu_ops_cli", "mbu_ops_faces", "mbu_ops_handbags"])
def test_code_says_that_it_is_typed(wheel, package):
    assert f"{package}/py.typed" in wheel.namelist()


def test_it_stays_small(wheel):
    # the two judges of faces are 13 MB of it; PyPI takes files of at most 100 MB, of a thousand thousand bytes or more
    assert sum(entry.compress_size for entry in wheel.infolist()) < 99 * 10**6
    assert max(entry.file_size for entry in wheel.infolist()) < 16 * 2**20


def test_entry_points_lead_somewhere(wheel):
    points = ConfigParser(delimiters="=")
    points.optionxform = str
    points.read_string(text_of(wheel, "entry_points.txt"))
    assert set(points.sections()) == {"console_scripts", "mbu_ops.families", "mbu_ops.methods"}
    for section in points.sections():
        for target in points[section].values():
            module = target.partition(":")[0].replace(".", "/")
            assert {f"{module}.py", f"{module}/__init__.py"} & set(wheel.namelist()), target


def test_licence_and_terms_are_in_it(wheel):
    assert text_of(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "License-Expression: MIT" in text_of(wheel, "METADATA")


def test_every_weights_file_has_a_card_and_is_listed(wheel):
    found = {Path(name) for name in wheel.namelist() if name.endswith(".safetensors")}
    # the two judges are described together
    cards = {path.with_name("judges") if path.stem.startswith("judge-") else path for path in found}
    assert {str(card.with_suffix(".md")) for card in cards} <= set(wheel.namelist())
    helpers = {path.name for path in found if path.parent.name in ("measuring", "faces")}
    judges = {"judge-choose.safetensors", "judge-report.safetensors"}
    assert helpers == judges | {"aligner.safetensors", "face_descriptor.safetensors", "image_features.safetensors"}
    names = {path.name for path in found} - helpers
    listed = [json.loads(text_of(wheel, f"mbu_ops_{family}/weights.json")) for family in ("faces", "handbags")]
    assert {entry["file"] for manifest in listed for entry in manifest} == names
