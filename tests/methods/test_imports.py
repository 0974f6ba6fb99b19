"""What the files of this room import of each other: nobody imports what is built on it, not even for its types."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mbu_ops.methods

ROOM = Path(mbu_ops.methods.__file__).parent
SHARED: dict[str, set[str]] = {
    "info": set(),
    "config": set(),
    "blocks": set(),
    "base": {"info", "config"},
    "check": {"info", "config", "base"},
    "mbu_config": {"config"},
    "inference": {"blocks", "info", "mbu_config"},
    "networks": {"base", "blocks", "mbu_config"},
    "unet": {"blocks"},
}
"""Each file that methods share, and what it may import."""
COMPONENTS = {"portrait": {"parsing"}, "native_dial": {"native"}, "native_guided": {"native"}}
"""Methods that contain other methods."""


def imported(file: Path) -> set[str]:
    """The files of this room, or their folder, that a file imports anywhere in its code."""
    modules = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            modules.append(node.module or "")
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    return {module.split(".")[2] for module in modules if module.startswith("mbu_ops.methods.")}


@pytest.mark.parametrize("name", SHARED)
def test_shared_files_import_what_lies_below_them(name: str) -> None:
    assert imported(ROOM / f"{name}.py") <= SHARED[name]


def test_methods_import_no_other_method() -> None:
    files: dict[str, list[Path]] = {
        path.relative_to(ROOM).parts[0].removesuffix(".py"): [] for path in ROOM.rglob("*.py")
    }
    for path in ROOM.rglob("*.py"):
        files[path.relative_to(ROOM).parts[0].removesuffix(".py")].append(path)
    methods = set(files) - set(SHARED) - {"__init__"}
    assert {"mbu", "portrait"} <= methods
    for name in methods:
        others = set().union(*(imported(path) for path in files[name])) & methods
        assert others <= {name} | COMPONENTS.get(name, set()), name
