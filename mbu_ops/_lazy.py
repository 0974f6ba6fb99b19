"""Lazy names of a package (PEP 562): a module is imported when one of its names is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_exports(
    package: str, exports: Mapping[str, str], own: Mapping[str, object]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package whose public names live in modules not imported yet.

    Args:
        package: the package's ``__name__``.
        exports: public name to the module that defines it.
        own: the package's ``globals()``; names already there are listed too.
    """

    def get(name: str) -> object:
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(exports[name]), name)

    def names() -> list[str]:
        return sorted({*own, *exports})

    return get, names
