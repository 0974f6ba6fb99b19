"""Lazy names of a package (PEP 562): a module is imported when one of its names is first used.

The package's stub, ``__init__.pyi``, is the one table of its public names: type checkers read it, and so does this.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from mbu_ops._deprecation import Renamed, deprecate


def lazy_exports(
    package: str, file: str, hint: str | None = None, renamed: Mapping[str, Renamed] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return the ``__getattr__``, ``__dir__`` and ``__all__`` of a package whose stub says where its names live.

    Args:
        package: the package's ``__name__``.
        file: the package's ``__file__``, beside which the stub lies.
        hint: ``"module:function"`` that takes the name of a class that is not there and returns the end of the error,
            which may be empty. Imported when that happens.
        renamed: names that are called something else by now; using one warns.
    """
    exports, rooms = _table(Path(file).with_name("__init__.pyi"))

    def get(name: str) -> object:
        if name in exports:
            return getattr(import_module(exports[name]), name)
        if renamed is not None and name in renamed:
            return deprecate(f"{package}.{name}", renamed[name])
        if name in rooms:
            return import_module(f"{package}.{name}")
        more = ""
        if hint is not None and name[:1].isupper():  # importing the hint's module asks for lower-case names
            module, _, function = hint.partition(":")
            more = getattr(import_module(module), function)(name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}{more}")

    return get, lambda: sorted({*exports, *rooms}), sorted(exports)


def _table(stub: Path) -> tuple[dict[str, str], set[str]]:
    """Return what a stub imports: public names, with the modules that define them, and the package's own modules."""
    exports: dict[str, str] = {}
    rooms: set[str] = set()
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if node.module is None:  # from . import room
                rooms |= names
            else:
                exports |= dict.fromkeys(names, node.module)
    return exports, rooms
