"""What prepares docstrings for the site. The site itself is built, strictly, by ``make site``."""

from __future__ import annotations

import logging
from pathlib import Path

import griffe
import pytest

ROLES = Path(__file__).resolve().parents[2] / "tools" / "site" / "roles.py"
TOOLS = '''
"""Tools: :func:`saw`, :class:`~shed.tools.Hammer`, :meth:`Hammer.hit` and :func:`torch.compile`."""

import torch

def saw():
    """Cut.

    Example:
        >>> saw()
    """

class Hammer:
    """A hammer: :meth:`hit`, and :func:`shed.tools.saw` to make it."""

    def hit(self):
        """Hit, as :class:`Hammer` does%s."""
'''


def load(folder: Path, more: str) -> griffe.Module:
    (folder / "shed").mkdir()
    (folder / "shed" / "__init__.py").touch()
    (folder / "shed" / "tools.py").write_text(TOOLS % more, encoding="utf-8")
    package = griffe.load("shed", search_paths=[folder], extensions=griffe.load_extensions(str(ROLES)))
    assert isinstance(package, griffe.Module)
    return package


def docstring(package: griffe.Module, path: str) -> str:
    found = package[path].docstring
    assert found is not None
    return str(found.value)


def link(path: str, text: str) -> str:
    return f'<autoref optional identifier="{path}"><code>{text}</code></autoref>'


def test_roles_become_links(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    package = load(tmp_path, more="")
    assert docstring(package, "tools") == (
        f"Tools: {link('shed.tools.saw', 'saw')}, {link('shed.tools.Hammer', 'Hammer')}, "
        f"{link('shed.tools.Hammer.hit', 'Hammer.hit')} and {link('torch', 'torch.compile')}."
    )
    assert link("shed.tools.Hammer.hit", "hit") in docstring(package, "tools.Hammer")
    assert link("shed.tools.saw", "shed.tools.saw") in docstring(package, "tools.Hammer")
    assert not caplog.records


def test_examples_are_code(tmp_path: Path) -> None:
    _, examples = load(tmp_path, more="")["tools.saw"].docstring.parse("google")
    assert examples.kind is griffe.DocstringSectionKind.examples


def test_a_role_that_names_nothing_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load(tmp_path, more=", and :meth:`miss` does not")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "shed.tools.Hammer.hit: its docstring names 'miss'" in caplog.text
