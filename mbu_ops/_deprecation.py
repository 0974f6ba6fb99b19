"""Old names: they work for one minor version, and warn; a release that was to drop one cannot be imported with it."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import ParamSpec, TypeVar

from mbu_ops._version import __version__

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Renamed:
    """What something is called by now.

    Attributes:
        now: ``"module:name"``; of what is not imported (an argument, an option), its name alone.
        until: the version that no longer knows the old name, such as ``"0.3.0"``.

    Raises:
        RuntimeError: if that version has come: whoever makes the release takes the old name out.

    Example:
        >>> Renamed("--existing overwrite", "99.0.0").notice("--overwrite")
        '--overwrite is called --existing overwrite by now: the old name goes in 99.0.0'
    """

    now: str
    until: str

    def __post_init__(self) -> None:
        if _numbers(__version__) >= _numbers(self.until):
            raise RuntimeError(
                f"the old name of {self.now} was to go in {self.until}, and this is {__version__}: take it out"
            )

    def notice(self, old: str) -> str:
        """Return what to tell people who use the old name."""
        return f"{old} is called {self.now.replace(':', '.')} by now: the old name goes in {self.until}"


def deprecate(old: str, renamed: Renamed) -> object:
    """Warn of an old name, and return what it meant.

    Args:
        old: the name as it was used, for people.
        renamed: what to use instead.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as seen:
        ...     warnings.simplefilter("always")
        ...     found = deprecate("maths.Ratio", Renamed("fractions:Fraction", "99.0.0"))
        >>> found, str(seen[0].message)
        (<class 'fractions.Fraction'>, 'maths.Ratio is called fractions.Fraction by now: the old name goes in 99.0.0')
    """
    warnings.warn(renamed.notice(old), DeprecationWarning, stacklevel=3)
    module, _, name = renamed.now.partition(":")
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
    renamed = {old: Renamed(new, until) for old, new in names.items()}

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in renamed.keys() & kwargs.keys():
                warnings.warn(renamed[old].notice(old), DeprecationWarning, stacklevel=2)
                kwargs[renamed[old].now] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
