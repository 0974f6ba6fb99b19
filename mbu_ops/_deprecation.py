"""Old names: they work for one minor version, and warn."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple, ParamSpec, TypeVar

from mbu_ops._version import __version__

P = ParamSpec("P")
R = TypeVar("R")


class Renamed(NamedTuple):
    """What something is called by now.

    Attributes:
        now: ``"module:name"``.
        until: the version that no longer knows the old name, such as ``"0.3.0"``.
    """

    now: str
    until: str


def deprecate(old: str, renamed: Renamed) -> object:
    """Warn of an old name, and return what it meant.

    Args:
        old: the name as it was used, for people.
        renamed: what to use instead.

    Raises:
        RuntimeError: if the version has come that was to drop it: whoever makes that release takes the old name out.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as seen:
        ...     warnings.simplefilter("always")
        ...     found = deprecate("maths.Ratio", Renamed("fractions:Fraction", "99.0.0"))
        >>> found, str(seen[0].message)
        (<class 'fractions.Fraction'>, 'maths.Ratio is called fractions.Fraction by now: the old name goes in 99.0.0')
    """
    _still_known(old, renamed.until)
    module, _, name = renamed.now.partition(":")
    text = f"{old} is called {module}.{name} by now: the old name goes in {renamed.until}"
    warnings.warn(text, DeprecationWarning, stacklevel=3)
    return getattr(import_module(module), name)


def renamed_names(package: str, names: Mapping[str, Renamed]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package that imports its public names at once.

    Args:
        package: its ``__name__``.
        names: old name to what it is called by now.
    """

    def get(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return deprecate(f"{package}.{name}", names[name])

    return get


def renamed_arguments(until: str, names: Mapping[str, str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function still take arguments by their old names.

    Args:
        until: the version that no longer knows them.
        names: old name to new name.

    Raises:
        RuntimeError: if that version has come.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        for old in names:
            _still_known(old, until)

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in names.keys() & kwargs.keys():
                text = f"{old} is called {names[old]} by now: the old name goes in {until}"
                warnings.warn(text, DeprecationWarning, stacklevel=2)
                kwargs[names[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def _still_known(old: str, until: str) -> None:
    if _numbers(__version__) >= _numbers(until):
        raise RuntimeError(f"{old} was to go in {until}, and this is {__version__}: take it out")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3])
