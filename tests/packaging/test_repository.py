"""What must hold for the files of the repository as a whole."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mbu_ops import __version__

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    path for folder in ("benchmarks", "tools", "docs/experiments") for path in (ROOT / folder).rglob("*.py")
)

# written so that this file does not hold what it looks for
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.}])/(?:work|root|home|Users)/\w|\.\./(?:shared)/"),
    "the host of a package registry": re.compile(r"pypi\.(?:org)|pythonhosted\.(?:org)|download\.pytorch\.(?:org)"),
}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            yield path, data.decode("utf-8")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found


def test_the_changelog_s_top_version_is_the_package_s() -> None:
    released = re.findall(
        r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert released[0] == __version__
    assert len(set(released)) == len(released)


def test_the_oldest_torch_is_one_that_can_name_the_accelerator_it_has() -> None:
    # torch.accelerator.current_accelerator(check_available=True) is new in 2.7
    for name in ("Makefile", "pyproject.toml"):
        floors = re.findall(r"torch>=(\d+)\.(\d+)", (ROOT / name).read_text("utf-8"))
        assert floors
        assert all((int(major), int(minor)) >= (2, 7) for major, minor in floors), name


def test_no_file_is_large() -> None:
    sizes = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked()}
    assert {name: size for name, size in sizes.items() if size > 16 * 2**20} == {}


def test_code_files_have_a_reasonable_length() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in tracked()
        if path.suffix == ".py" and "tests" not in path.relative_to(ROOT).parts
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_import_what_is_there(script: Path) -> None:
    """Nothing runs them but people: what they take from the library must exist all the same."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mbu_ops"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
