"""`mbu-ops families new` and `check`: a plugin that works from the first minute, and says what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mbu_ops.families import get_family, refresh
from mbu_ops.weights import load, save
from mbu_ops.weights.manifest import update_manifest
from mbu_ops_cli.app import run
from mbu_ops_cli.scaffold import write_plugin

from ..conftest import Install

IN_PYTHON = """
from mbu_ops.families import AttributeSpec, FamilySpec, FrameSpec, read_manifest

family = FamilySpec(
    "bags",
    api_version=1,
    title="Bags",
    attributes=(AttributeSpec("handle", "Handle"),),
    weights=read_manifest(__name__),
    aligner="mbu_ops_bags.aligner:build",
    frames=(FrameSpec("whole"),),
)
"""


def forget_bags() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "mbu_ops_bags"]:
        del sys.modules[name]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install) -> Iterator[Callable[..., Path]]:
    """A function that writes and installs a plugin for bags, or one that says in Python what it is, changed."""
    folder = tmp_path / "plugin"
    write_plugin("bags", "handle", folder)

    def change(edit: Callable[[str], str] | None = None) -> Path:
        if edit is not None:
            (folder / "mbu_ops_bags" / "family.json").unlink()
            (folder / "mbu_ops_bags" / "__init__.py").write_text(edit(IN_PYTHON))
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        install("mbu-ops-bags", "[mbu_ops.families]\nbags = mbu_ops_bags:family\n")
        return folder

    yield change
    forget_bags()


def test_a_new_plugin_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["families", "new", "party_hats", "--attribute", "top_hat"]) == 0
    folder = tmp_path / "mbu-ops-party-hats"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    package = "mbu_ops_party_hats"
    assert names == {
        "pyproject.toml",
        "README.md",
        "tests/test_aligner.py",
        "tests/test_family.py",
        f"{package}/__init__.py",
        f"{package}/aligner.py",
        f"{package}/family.json",
        f"{package}/weights.json",
    }
    assert "families check party_hats" in capsys.readouterr().err
    text = "".join(path.read_text() for path in folder.rglob("*.*") if path.is_file())
    assert "$" not in text
    assert "top_hat" in text
    assert '"title": "Party hats"' in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["../x"], "got '../x'"),
        (["Hats"], "lower-case"),
        (["hats", "--attribute", "../x"], "attribute's name"),
        (["hats", "--out", "full"], "holds something"),
        (["faces"], "there is a family 'faces'"),
        (["cli"], "a package mbu_ops_cli"),
        (["checkpoints"], "a package mbu_ops_checkpoints"),
    ],
)
def test_bad_names_and_full_folders_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert run(["families", "new", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plugin_as_written_keeps_the_contract(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    installed()
    assert run(["families", "check", "bags", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        name: []
        for name in (
            "import",
            "description",
            "attributes",
            "weights",
            "samples",
            "guides",
            "aligner",
            "frames",
            "pictures",
            "edits",
        )
    }


def test_the_tests_of_a_new_plugin_pass(installed: Callable[..., Path], tmp_path: Path) -> None:
    folder = installed()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(tmp_path / "site"), *sys.path])}
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(folder), str(folder / "tests")]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 passed" in done.stdout


OLD = '''"""Bags: what can be edited, and the trained weights for it. Imports no torch: `mbu-ops --help` reads this."""

from mbu_ops.families import AttributeSpec, FamilySpec, read_manifest

family = FamilySpec(
    "bags",
    api_version=1,
    title="Bags",
    attributes=(AttributeSpec("handle", "Handle"),),
    weights=read_manifest(__name__),
)
"""What the entry point names. The weights are listed in weights.json, which `mbu-ops train --family-out` writes."""
'''


def test_a_plugin_from_before_there_were_frames_keeps_the_contract(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = installed(lambda text: OLD)
    (folder / "mbu_ops_bags" / "aligner.py").unlink()
    assert run(["families", "check", "bags", "--json"]) == 0
    assert not any(json.loads(capsys.readouterr().out).values())
    assert (get_family("bags").noun, get_family("bags").frame().name) == ("thing", "whole")


def test_weights_from_before_there_were_frames_go_into_a_plugin_of_now_and_back(
    installed: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files and lists without a frame mean the first one, whatever its name."""
    folder = installed()
    package = folder / "mbu_ops_bags"
    shipped = next(spec for spec in get_family("handbags").weights if spec.attributes == ("handle",))
    model: Any
    model, info, guides, *_ = load(str(shipped.locate()))
    save(package / "bags-handle-a.safetensors", model, dataclasses.replace(info, family="bags"), guides)
    (entry,) = update_manifest(package / "weights.json", package.glob("*.safetensors"), "bags")
    assert "frame" not in entry
    for text in (None, OLD):
        if text is not None:
            (package / "__init__.py").write_text(text)
            (package / "family.json").unlink()
        forget_bags()
        refresh()
        assert run(["families", "check", "bags"]) == 0, capsys.readouterr().out


def test_a_frame_that_the_family_no_longer_has_is_named(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = installed()
    listed: dict[str, object] = {
        "id": "a",
        "method": "mbu",
        "attributes": ["handle"],
        "file": "bags-handle-a.safetensors",
    }
    listed |= {"sha256": "0" * 64, "size": 1, "licence": "any", "frame": "clasp"}
    (folder / "mbu_ops_bags" / "weights.json").write_text(json.dumps([listed]))
    assert run(["families", "check", "bags"]) == 3
    assert "weights 'a': there is no frame 'clasp'. There is: whole." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "check", "says"),
    [
        (lambda text: text + "\nimport torch\n", "import", "imports torch"),
        (
            lambda text: text.replace('"Handle")', '"Handle", with_rule=(("Handle",),))'),
            "attributes",
            "with_rule and without_rule",
        ),
        (
            lambda text: text.replace(
                "weights=", 'samples=(SampleSpec("rex", "rex.png", __name__, "me"),),\n    weights='
            ).replace("FamilySpec,", "FamilySpec, SampleSpec,"),
            "samples",
            "rex",
        ),
        (
            lambda text: (
                text.replace("mbu_ops_bags.aligner:build", "mbu_ops_bags:build")
                + "\ndef build():\n    raise SystemExit(3)\n"
            ),
            "aligner",
            "building its aligner failed: SystemExit: 3",
        ),
        (
            lambda text: text.replace("mbu_ops_bags.aligner:build", "builtins:object"),
            "aligner",
            "must return something with find(photo)",
        ),
        (
            lambda text: (
                text.replace("weights=", 'pictures="mbu_ops_bags:draw",\n    weights=')
                + "\ndef draw(*_):\n    return []\n"
            ),
            "pictures",
            "expected 4 drawn pairs, got 0",
        ),
        (
            lambda text: (
                text.replace("weights=", 'masks="mbu_ops_bags:find",\n    weights=')
                + "\ndef find(attribute, images):\n    raise SystemExit(3)\n"
            ),
            "pictures",
            "deriving masks failed: SystemExit: 3",
        ),
        (
            lambda text: (
                text.replace("weights=", 'masks="mbu_ops_bags:find",\n    weights=')
                + "\ndef find(attribute, images):\n    return images\n"
            ),
            "pictures",
            "expected masks of shape",
        ),
    ],
)
def test_what_is_wrong_is_named(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str], edit: Callable[..., Any], check: str, says: str
) -> None:
    installed(edit)
    assert run(["families", "check", "bags", "--json"]) == 3
    problems = json.loads(capsys.readouterr().out)
    assert says in problems.pop(check)[0]
    assert not any(problems.values())


def test_weights_that_are_listed_and_not_there_are_named(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = installed()
    listed: dict[str, object] = {
        "id": "a",
        "method": "mbu",
        "attributes": ["handle"],
        "file": "bags-handle-a.safetensors",
    }
    listed |= {"sha256": "0" * 64, "size": 1, "licence": "any"}
    (folder / "mbu_ops_bags" / "weights.json").write_text(json.dumps([listed]))
    assert run(["families", "check", "bags"]) == 3
    assert "not installed" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"id": "a"}]', "\xff"])
def test_a_malformed_list_of_weights_breaks_only_its_plugin(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str], text: str
) -> None:
    folder = installed()
    (folder / "mbu_ops_bags" / "weights.json").write_bytes(text.encode("latin-1"))
    assert run(["families", "check", "bags"]) == 3
    assert "weights.json" in capsys.readouterr().err
    assert run(["families", "list"]) == 0
    assert "faces" in capsys.readouterr().out


def test_a_plugin_may_talk_while_it_is_imported(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    installed(lambda text: text + "\nprint('hello')\n")
    assert run(["families", "check", "bags", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["import"] == []


DESCRIBED = """
import sys
print("imported")
sys.exit(3)
"""


def test_a_plugin_that_describes_itself_is_listed_and_not_imported(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed()
    (folder / "mbu_ops_bags" / "__init__.py").write_text(DESCRIBED)
    for words in (["families", "list", "--json"], ["families", "show", "bags"], ["weights", "list"]):
        assert run(words) == 0
        said = capsys.readouterr()
        assert "imported" not in said.out + said.err
    assert run(["families", "list"]) == 0
    assert "\nbags " in capsys.readouterr().out
    monkeypatch.setenv("_MBU_OPS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", "mbu-ops families show b")
    with pytest.raises(SystemExit):
        run([])
    said = capsys.readouterr()
    assert "bags" in said.out
    assert "mbu_ops_bags" not in sys.modules
    assert "imported" not in said.err


def test_a_description_that_differs_from_the_code_is_named(
    installed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = installed()
    (folder / "mbu_ops_bags" / "__init__.py").write_text(IN_PYTHON.replace('"Bags"', '"Purses"'))
    assert run(["families", "check", "bags", "--json"]) == 3
    problems = json.loads(capsys.readouterr().out)
    assert "say different things of title" in problems.pop("description")[0]
    assert not any(problems.values())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[:-20], "family.json"),
        (lambda text: text.replace('"bags"', '"purses"', 1), "named 'bags' and family.json says 'purses'"),
        (lambda text: text.replace('"noun"', '"nuon"'), "'nuon' is no field; there are name"),
        (lambda text: text.replace('"handle"', "3"), "attributes[0]: name: expected str, got 3"),
        (lambda text: text.replace('"title": "Handle"', '"aliases": []'), "attributes[0]: title is missing"),
        (lambda text: text.replace('"handle"', '"../x"'), "got '../x'"),
        (lambda text: text.replace("1,", "2,", 1), "api_version 1, got 2"),
        (lambda text: text.replace('{"name": "whole"}', '"whole"'), "frames[0]: expected an object"),
        (lambda text: text.replace('"noun"', '"weights": [], "noun"'), "weights stand in weights.json"),
        (lambda text: "[" * 100_000, "does not begin with {"),
    ],
)
def test_a_malformed_description_breaks_only_its_plugin(
    installed: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    change: Callable[[str], str],
    says: str,
) -> None:
    description = installed() / "mbu_ops_bags" / "family.json"
    text = description.read_text()
    assert change(text) != text
    description.write_text(change(text))
    assert run(["families", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"faces", "handbags"} <= {family["name"] for family in listed["families"]}
    (broken,) = listed["broken"]
    assert says in broken["reason"]
