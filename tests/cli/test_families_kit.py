"""`mbu-ops families new` and `check`: a plugin that works from the first minute, and says what is wrong with it."""

import json
import sys

import pytest

from mbu_ops_cli.app import run
from mbu_ops_cli.scaffold import write_plugin


@pytest.fixture
def installed(tmp_path, monkeypatch, install):
    """A function that writes and installs a plugin for bags, after changing its code."""
    folder = tmp_path / "plugin"
    write_plugin("bags", "handle", folder)

    def change(edit=lambda text: text):
        module = folder / "mbu_ops_bags" / "__init__.py"
        module.write_text(edit(module.read_text()))
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        install("mbu-ops-bags", "[mbu_ops.families]\nbags = mbu_ops_bags:family\n")
        return folder

    yield change
    sys.modules.pop("mbu_ops_bags", None)


def test_a_new_plugin_is_complete(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["families", "new", "party_hats", "--attribute", "top_hat"]) == 0
    folder = tmp_path / "mbu-ops-party-hats"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    package = "mbu_ops_party_hats"
    assert names == {
        "pyproject.toml",
        "README.md",
        "tests/test_family.py",
        f"{package}/__init__.py",
        f"{package}/weights.json",
    }
    assert "families check party_hats" in capsys.readouterr().err
    text = "".join(path.read_text() for path in folder.rglob("*.*") if path.is_file())
    assert "$" not in text
    assert "top_hat" in text
    assert 'title="Party hats"' in text


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
def test_bad_names_and_full_folders_are_refused(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert run(["families", "new", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plugin_as_written_keeps_the_contract(installed, capsys):
    installed()
    assert run(["families", "check", "bags", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        name: [] for name in ("import", "attributes", "weights", "samples", "aligner", "pictures", "edits")
    }


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
                text.replace("weights=", 'aligner="mbu_ops_bags:build",\n    weights=')
                + "\ndef build():\n    raise SystemExit(3)\n"
            ),
            "aligner",
            "building its aligner failed: SystemExit: 3",
        ),
        (
            lambda text: text.replace("weights=", 'aligner="builtins:object",\n    weights='),
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
def test_what_is_wrong_is_named(installed, capsys, edit, check, says):
    installed(edit)
    assert run(["families", "check", "bags", "--json"]) == 3
    problems = json.loads(capsys.readouterr().out)
    assert says in problems.pop(check)[0]
    assert not any(problems.values())


def test_weights_that_are_listed_and_not_there_are_named(installed, capsys):
    folder = installed()
    listed = {"id": "a", "method": "mbu", "attributes": ["handle"], "file": "bags-handle-a.safetensors"}
    listed |= {"sha256": "0" * 64, "size": 1, "licence": "any"}
    (folder / "mbu_ops_bags" / "weights.json").write_text(json.dumps([listed]))
    assert run(["families", "check", "bags"]) == 3
    assert "not installed" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"id": "a"}]', "\xff"])
def test_a_malformed_list_of_weights_breaks_only_its_plugin(installed, capsys, text):
    folder = installed()
    (folder / "mbu_ops_bags" / "weights.json").write_bytes(text.encode("latin-1"))
    assert run(["families", "check", "bags"]) == 3
    assert "weights.json" in capsys.readouterr().err
    assert run(["families", "list"]) == 0
    assert "faces" in capsys.readouterr().out


def test_a_plugin_may_talk_while_it_is_imported(installed, capsys):
    installed(lambda text: text + "\nprint('hello')\n")
    assert run(["families", "check", "bags", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["import"] == []
