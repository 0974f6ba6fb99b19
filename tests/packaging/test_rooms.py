"""The rooms of the library stand on each other: imports go downwards only, and the command line is above them all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mbu_ops

LIBRARY = Path(mbu_ops.__file__).parent
ROOMS = (
    "functional",
    "images",
    "families",
    "methods",
    "weights",
    "ops",
    "frames",
    "augment",
    "video",
    "batch",
    "integrations",
    "exporting",
    "data",
    "objectives",
    "training",
    "evaluation",
    "testing",
)
"""From the ground up; files of no room (errors, writing, lazy names) are under it."""


def imported(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in its code, and be it only for their types."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: rooms are named in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_in(modules: Iterator[str]) -> set[str]:
    return {parts[1] for parts in (module.split(".") for module in modules) if parts[0] == "mbu_ops"} & set(ROOMS)


def test_every_room_has_its_place() -> None:
    assert set(ROOMS) == {path.parent.name for path in LIBRARY.glob("*/__init__.py")}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_what_lies_below_them(room: str) -> None:
    allowed = {*ROOMS[: ROOMS.index(room)], room}
    found = {path.name: rooms_in(imported(path)) - allowed for path in (LIBRARY / room).rglob("*.py")}
    assert {name: rooms for name, rooms in found.items() if rooms} == {}


@pytest.mark.parametrize("stranger", ["click", "mbu_ops_cli"])
def test_the_library_does_not_know_the_command_line(stranger: str) -> None:
    found = [path.name for path in LIBRARY.rglob("*.py") if stranger in {name.split(".")[0] for name in imported(path)}]
    assert found == []
