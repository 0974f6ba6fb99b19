"""Public names are lazy, complete and honest about what is not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mbu_ops
import mbu_ops.ops
from mbu_ops._lazy import lazy_exports


@pytest.mark.parametrize("package", [mbu_ops, mbu_ops.ops])
def test_every_public_name_is_there_and_listed(package):
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)


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
