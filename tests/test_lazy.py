"""Public names are lazy, complete and honest about what is not there."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import mbu_ops
from mbu_ops._lazy import lazy_exports

ROOT = Path(mbu_ops.__file__).parents[1]
ROOMS = ["mbu_ops", *(f"mbu_ops.{room.parent.name}" for room in sorted(ROOT.glob("mbu_ops/*/__init__.py")))]


PACKAGES = [
    module for module in ROOMS if "lazy_exports" in (ROOT / module.replace(".", "/") / "__init__.py").read_text()
]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_there_and_listed(name):
    package = importlib.import_module(name)
    assert package.__all__
    for public in package.__all__:
        assert not isinstance(getattr(package, public), ModuleType), "a room of the same name hides it"
        assert public in dir(package)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'mbu_ops' has no attribute 'Transmogrify'"):
        _ = mbu_ops.Transmogrify


def test_a_name_is_imported_when_it_is_used():
    get, names = lazy_exports("package", {"Fraction": "fractions"}, {"own": 1})
    assert get("Fraction")(1, 2) == 0.5
    assert names() == ["Fraction", "own"]


@pytest.mark.parametrize("package", ["mbu_ops", "mbu_ops.ops", "mbu_ops.ops.chain", "mbu_ops.weights"])
def test_importing_imports_no_torch(package):
    code = f"import sys, {package}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
