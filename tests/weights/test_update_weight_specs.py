"""The tool that lists packaged weights in a family's manifest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mbu_ops import weights
from mbu_ops.errors import WeightsError
from mbu_ops.methods.maae import MAAE
from mbu_ops.methods.mbu import MBU
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo
from mbu_ops.weights.manifest import update_manifest

TOOL = Path(__file__).parents[2] / "tools" / "update_weight_specs.py"


def make(
    folder: Path, name: str, attribute: str, seed: int = 0, family: str = "faces", frame: str | None = None
) -> Path:
    model = tiny_mbu(seed)
    info = WeightsInfo(
        "mbu", MBU.config_to_dict(model.config), 16, family, attributes=(attribute,), licence="any", frame=frame
    )
    weights.save(folder / name, model, info)
    return folder / name


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    options = ["--checkpoints", str(folder), "--manifest", str(folder / "weights.json")]
    return subprocess.run([sys.executable, str(TOOL), *options], capture_output=True, text=True)


def test_the_manifest_follows_the_files(tmp_path: Path) -> None:
    make(tmp_path, "faces-glasses-a.safetensors", "glasses")
    make(tmp_path, "faces-glasses-b.safetensors", "glasses", seed=1)
    make(tmp_path, "bags-handle-a.safetensors", "handle", family="bags")
    assert run(tmp_path).returncode == 0
    manifest = tmp_path / "weights.json"
    listed = json.loads(manifest.read_text())
    assert [(entry["id"], entry["attributes"], entry["licence"]) for entry in listed] == [
        ("a", ["glasses"], "any"),
        ("b", ["glasses"], "any"),
    ]
    assert [entry["size"] for entry in listed] == [(tmp_path / entry["file"]).stat().st_size for entry in listed]

    # someone makes b the default and notes figures; then a is trained again
    measured = [entry | {"metrics": {"add": 0.9}} for entry in reversed(listed)]
    manifest.write_text(json.dumps(measured))
    make(tmp_path, "faces-glasses-a.safetensors", "glasses", seed=2)
    assert run(tmp_path).returncode == 0
    again = json.loads(manifest.read_text())
    assert [(entry["id"], entry["metrics"]) for entry in again] == [("b", {"add": 0.9}), ("a", {})]
    assert again[0] == measured[0]
    assert again[1]["sha256"] != measured[1]["sha256"]


def test_a_frame_that_is_not_the_first_is_listed(tmp_path: Path) -> None:
    files = [
        make(tmp_path, "faces-glasses-a.safetensors", "glasses", frame="eyes"),
        make(tmp_path, "faces-glasses-b.safetensors", "glasses"),
    ]
    first, second = update_manifest(tmp_path / "weights.json", files, "faces")
    assert first["frame"] == "eyes"
    assert "frame" not in second


def test_what_weights_are_first_for_is_kept_when_they_are_trained_again(tmp_path: Path) -> None:
    manifest = tmp_path / "weights.json"
    path = make(tmp_path, "faces-glasses-a.safetensors", "glasses")
    (entry,) = update_manifest(manifest, [path], "faces")
    assert "first_for" not in entry
    manifest.write_text(json.dumps([entry | {"first_for": ["remove"]}]))
    (again,) = update_manifest(manifest, [make(tmp_path, path.name, "glasses", seed=1)], "faces")
    assert again["first_for"] == ["remove"]
    assert again["sha256"] != entry["sha256"]


def test_a_method_that_follows_no_guides_is_listed_so(tmp_path: Path) -> None:
    model = MAAE("lite")
    info = WeightsInfo("maae", model.config_to_dict(model.config), 128, "faces", attributes=("smile",), licence="any")
    weights.save(tmp_path / "faces-smile-dial.safetensors", model, info)
    dial, other = update_manifest(
        tmp_path / "weights.json",
        [tmp_path / "faces-smile-dial.safetensors", make(tmp_path, "faces-smile-other.safetensors", "smile")],
        "faces",
    )
    assert dial["follows_guides"] is False
    assert "follows_guides" not in other


def test_a_file_of_a_frame_that_the_family_lacks_is_not_listed(tmp_path: Path) -> None:
    path = make(tmp_path, "faces-glasses-a.safetensors", "glasses", frame="spectacles")
    with pytest.raises(WeightsError, match="no frame 'spectacles'"):
        update_manifest(tmp_path / "weights.json", [path], "faces")
    assert not (tmp_path / "weights.json").exists()


def test_entries_of_files_elsewhere_stay_unless_the_files_are_all(tmp_path: Path) -> None:
    manifest = tmp_path / "weights.json"
    elsewhere = {"id": "z", "attributes": ["glasses"], "file": "faces-glasses-z.safetensors", "sha256": "0" * 64}
    manifest.write_text(json.dumps([elsewhere]))
    path = make(tmp_path, "faces-glasses-a.safetensors", "glasses")
    assert [entry["id"] for entry in update_manifest(manifest, [path], "faces")] == ["z", "a"]
    assert json.loads(manifest.read_text())[0] == elsewhere
    assert [entry["id"] for entry in update_manifest(manifest, [path], "faces", complete=True)] == ["a"]


@pytest.mark.slow
def test_a_file_that_is_not_sound_or_misnamed_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "weights.json").write_text("[]")
    make(tmp_path, "faces-smile-a.safetensors", "glasses")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "expected a file named faces-glasses-ID.safetensors" in done.stderr
    (tmp_path / "faces-smile-a.safetensors").write_bytes(b"cut")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "faces-smile-a.safetensors" in done.stderr
    assert (tmp_path / "weights.json").read_text() == "[]"
