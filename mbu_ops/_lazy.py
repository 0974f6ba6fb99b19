"""Lazy names of a package (PEP 562): a module is imported when one of its names is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_exports(
    package: str, exports: Mapping[str, str], own: Mapping[str, object], hint: str | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package whose public names live in modules not imported yet.

    Args:
        package: the package's ``__name__``.
        exports: public name to the module that defines it.
        own: the package's ``globals()``; names already there are listed too.
        hint: ``"module:function"`` that takes the name of a class that is not there and returns the end of the error,
            which may be empty. Imported when that happens.
    """

    def get(name: str) -> object:
        if name not in exports:
            more = ""
            if hint is not None and name[:1].isupper():  # importing the hint's module asks for lower-case names
                module, _, function = hint.partition(":")
                more = getattr(import_module(module), function)(name)
            raise AttributeError(f"module {package!r} has no attribute {name!r}{more}")
        return getattr(import_module(exports[name]), name)

    def names() -> list[str]:
        return sorted({*own, *exports})

    return get, names
