"""Tests see the library as its users do: they neither import, read nor replace what is private to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "plugins").glob("*/tests/**/*.py")])
OURS = ("mbu_ops", "tests")
MECHANISMS = {"mbu_ops._deprecation", "mbu_ops._lazy"}
"""What every package is built on and no user imports: tested where they are, on packages made for that."""

OF_OTHERS = {"_asdict", "_fields", "_make", "_params", "_replace"}
"""What others document under such names: named tuples, and what an augmentation of kornia drew, to be replayed."""


def private(name: str) -> bool:
    """Whether a part of a name is private; with an underscore at the end, too, it is a protocol's (``_repr_png_``)."""
    return any(part.startswith("_") and not part.endswith("_") for part in name.split("."))


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield what is imported, in full, and the name that it gets."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, (alias.asname or alias.name).partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((f"{module}.{alias.name}", alias.asname or alias.name) for alias in node.names)


def ours(module: str) -> bool:
    return module.startswith((".", *OURS))


def reached(code: str) -> list[str]:
    """Name the private things of the library that some code imports, reads or replaces."""
    tree = ast.parse(code)
    taken = list(imports(tree))
    secret = (full for full, _ in taken if ours(full) and private(full))
    found = [full for full in secret if not MECHANISMS & {full, full.rpartition(".")[0]}]
    # an instance's own names are its own, and those of other projects are their business
    strangers = {"self", "cls", *(name for full, name in taken if not ours(full))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in OF_OTHERS:
            root: ast.AST = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if not (isinstance(root, ast.Name) and root.id in strangers):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("attr", "patch", "patch.object")):
            names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            found += [name for name in names[:1] if private(name)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_tests_keep_to_what_is_public(path: Path) -> None:
    assert reached(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "from mbu_ops.batch.plan import _apply",
        "from mbu_ops._files import atomic",
        "import mbu_ops._files",
        "trainer._refine()",
        "loop.Trainer(1)._refine()",
        "monkeypatch.setattr('mbu_ops.evaluation.judge._HALF', 4)",
        "monkeypatch.setattr(runner, '_read', read)",
        "mock.patch('mbu_ops_cli.app._run')",
        "getattr(runner, '_read')",
    ],
)
def test_what_reaches_in_is_seen(code: str) -> None:
    assert len(reached(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "from mbu_ops._lazy import lazy_exports",
        "import torch\ntorch._dynamo.reset()",
        "self._one(2)",
        "layer._replace(mask=1)",
        "monkeypatch.setattr(runner, 'read', read)",
        "node.__dict__",
        "file._repr_png_()",
    ],
)
def test_what_is_public_passes(code: str) -> None:
    assert reached(code) == []
