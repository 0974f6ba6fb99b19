"""Public names are lazy, complete and honest about what is not there."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

import mbu_ops
from mbu_ops import _deprecation
from mbu_ops._deprecation import Renamed, renamed_arguments
from mbu_ops._lazy import lazy_exports

ROOT = Path(mbu_ops.__file__).parents[1]
ROOMS = ["mbu_ops", *(f"mbu_ops.{room.parent.name}" for room in sorted(ROOT.glob("mbu_ops/*/__init__.py")))]


PACKAGES = [
    module for module in ROOMS if "lazy_exports" in (ROOT / module.replace(".", "/") / "__init__.py").read_text()
]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_there_and_listed(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__all__
    for public in package.__all__:
        assert not isinstance(getattr(package, public), ModuleType), "a room of the same name hides it"
        assert public in dir(package)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'mbu_ops' has no attribute 'Transmogrify'"):
        _ = mbu_ops.Transmogrify  # type: ignore[attr-defined]


@pytest.fixture
def package(tmp_path: Path) -> str:
    """The ``__file__`` of a package whose stub names a class of the standard library, and a room."""
    (tmp_path / "__init__.pyi").write_text("from . import room as room\nfrom fractions import Fraction as Fraction\n")
    return str(tmp_path / "__init__.py")


def test_a_name_is_imported_when_it_is_used(package: str) -> None:
    get, names, public = lazy_exports("package", package)
    assert get("Fraction") is Fraction
    assert names() == ["Fraction", "room"]
    assert public == ["Fraction"]


def test_a_room_is_there_without_an_import_of_its_own() -> None:
    code = "import mbu_ops; mbu_ops.frames.Box; mbu_ops.ops.ChainSpec"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", PACKAGES)
def test_dir_shows_nothing_private(name: str) -> None:
    shown = dir(importlib.import_module(name))
    assert not [one for one in shown if one.startswith("_") and one != "__version__"]
    assert [one for one in shown if one.startswith("__")] == (["__version__"] if name == "mbu_ops" else [])


def test_the_first_tier_is_what_one_begins_with() -> None:
    verbs = {"Adjust", "Generate", "Interpolate", "Mix", "Parse", "Redraw", "Remove", "Reshape", "Segment", "Swap"}
    verbs |= {"Transfer", "Translate"}
    assert set(importlib.import_module("mbu_ops").__all__) == verbs | {
        "Framed",
        "aligner",
        "chain",
        "edit",
        "export",
        "__version__",
    }


def test_what_is_public_changes_only_on_purpose() -> None:
    """Every name of every room, as ``api_surface.json`` lists them: ``tools/list_api.py`` writes it anew."""
    found = {room: sorted(getattr(importlib.import_module(room), "__all__", [])) for room in ROOMS}
    assert found == json.loads((Path(__file__).parent / "api_surface.json").read_text(encoding="utf-8"))


# -- old names --------------------------------------------------------------------------------------------------------


def test_an_old_name_works_and_says_what_it_is_called_now(package: str) -> None:
    get, names, public = lazy_exports("package", package, renamed={"Ratio": Renamed("fractions:Fraction", "99.0.0")})
    with pytest.warns(DeprecationWarning, match=r"package.Ratio is called fractions.Fraction by now.* in 99.0.0"):
        assert get("Ratio") is Fraction
    assert "Ratio" not in {*names(), *public}


@pytest.mark.parametrize(
    ("room", "old", "now"),
    [
        ("mbu_ops", "Bound", "mbu_ops.ops:Bound"),
        ("mbu_ops", "Box", "mbu_ops.frames:Box"),
        ("mbu_ops", "Chain", "mbu_ops.ops:Chain"),
        ("mbu_ops", "ChainSpec", "mbu_ops.ops:ChainSpec"),
        ("mbu_ops", "Edit", "mbu_ops.ops:Edit"),
        ("mbu_ops", "Frame", "mbu_ops.frames:Frame"),
        ("mbu_ops", "Look", "mbu_ops.ops:Look"),
        ("mbu_ops", "MBU", "mbu_ops.methods.mbu:MBU"),
        ("mbu_ops", "load_pretrained", "mbu_ops.weights:load_pretrained"),
        ("mbu_ops.families", "Placement", "mbu_ops.families:Layout"),
        ("mbu_ops.frames", "Placed", "mbu_ops.frames:FrameLike"),
    ],
)
def test_old_names_of_the_library(room: str, old: str, now: str) -> None:
    module, _, name = now.partition(":")
    with pytest.warns(DeprecationWarning, match=rf"{room}.{old} is called {module}.{name} by now"):
        assert getattr(importlib.import_module(room), old) is getattr(importlib.import_module(module), name)


def test_old_arguments_work_and_warn() -> None:
    layout = mbu_ops.families.Layout(down=(0, 0.1))
    with pytest.warns(DeprecationWarning, match="with_placement is called with_layout by now"):
        assert mbu_ops.families.AttributeSpec("hat", "Hat", with_placement=layout).with_layout is layout  # type: ignore[call-arg]


@pytest.mark.parametrize("version", ["0.3.0", "0.3.0rc1", "0.4.0.dev2", "1.0.0"])
def test_an_old_name_must_go_when_its_version_has_come(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deprecation, "__version__", version)
    with pytest.raises(RuntimeError, match=rf"the old name of a:B was to go in 0.3.0, and this is {version}: take it"):
        Renamed("a:B", "0.3.0")
    with pytest.raises(RuntimeError, match="take it out"):
        renamed_arguments("0.3.0", {"old": "new"})


@pytest.mark.parametrize("version", ["0.2.9", "0.3.0.dev1"])
def test_until_then_it_stays(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deprecation, "__version__", version)
    assert Renamed("a:B", "0.3.1").notice("C") == "C is called a.B by now: the old name goes in 0.3.1"


@pytest.mark.parametrize("module", ["mbu_ops", "mbu_ops.families", "mbu_ops.frames", "mbu_ops_cli.options"])
def test_a_release_that_forgot_an_old_name_cannot_be_imported(module: str) -> None:
    version = "import importlib, mbu_ops._deprecation as old; old.__version__ = '99.0.0'"
    code = f"{version}; importlib.reload(importlib.import_module('{module}'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "and this is 99.0.0: take it out" in done.stderr


@pytest.mark.parametrize("package", ["mbu_ops", "mbu_ops.ops", "mbu_ops.ops.chain", "mbu_ops.weights"])
def test_importing_imports_no_torch(package: str) -> None:
    code = f"import sys, {package}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
