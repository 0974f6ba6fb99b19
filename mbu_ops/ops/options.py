"""Options of a step, ``,key=value``, and what reads their values. No torch here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.names import NAME
from mbu_ops.foreign import one_line

OptionValue = str | int | float
Kind = Callable[[str], OptionValue]
"""Reads the text of an option's value, or raises ValueError("what was expected")."""

_KEY = re.compile(r"[A-Za-z_]+")
_INDEX = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The kind of numbers of a range; what shows an option as a slider reads its ends.

    Attributes:
        low: the smallest.
        high: the largest.

    Example:
        >>> Numbers(0, 1)("0.5")
        0.5
    """

    low: float
    high: float

    def __call__(self, value: str) -> float:
        """Read a number.

        Raises:
            ValueError: if it is none, or out of range.
        """
        try:
            given = float(value)
        except ValueError:
            given = math.nan
        if not self.low <= given <= self.high:
            raise ValueError(f"a number from {self.low:g} to {self.high:g}")
        return given


def number(low: float, high: float) -> Numbers:
    """Return the kind of numbers from ``low`` to ``high``.

    Example:
        >>> number(0, 1)("0.5")
        0.5
    """
    return Numbers(low, high)


def index(value: str) -> int:
    """Read a whole number from 0.

    Raises:
        ValueError: if it is none.

    Example:
        >>> index("3")
        3
    """
    if not _INDEX.fullmatch(value):
        raise ValueError("a whole number from 0")
    return int(value)


def pixels(value: str) -> int:
    """Read a length in pixels of the frame, 0 to 64.

    Raises:
        ValueError: if it is none.

    Example:
        >>> pixels("2")
        2
    """
    if not _INDEX.fullmatch(value) or int(value) > 64:
        raise ValueError("a whole number from 0 to 64")
    return int(value)


@dataclass(frozen=True, slots=True)
class Names:
    """The kind of names: lower-case letters, digits and underscores.

    Attributes:
        what: what bears the name, for errors.

    Example:
        >>> Names("method")("mbu")
        'mbu'
    """

    what: str

    def __call__(self, value: str) -> str:
        """Read a name.

        Raises:
            ValueError: if it is none.
        """
        if not NAME.match(value):
            raise ValueError(f"the name of a {self.what}")
        return value


def name_of(what: str) -> Names:
    """Return the kind of names of something.

    Args:
        what: what bears the name, for errors.

    Example:
        >>> name_of("method")("mbu")
        'mbu'
    """
    return Names(what)


def path_or_index(value: str) -> str | int:
    """Read the path of a picture, or the number of a default guide.

    Raises:
        ValueError: if it is empty.

    Example:
        >>> path_or_index("3"), path_or_index("3.jpg")
        (3, '3.jpg')
    """
    if not value:
        raise ValueError("a picture, or the number of a default guide")
    return int(value) if _INDEX.fullmatch(value) else value


@dataclass(frozen=True, slots=True)
class Option:
    """What may be said of a step: ``,name=value``.

    Attributes:
        name: letters and underscores.
        kind: reads the text of a value, or raises ValueError("what was expected"): :func:`number`, :func:`index`,
            :func:`pixels`, :func:`name_of`, :func:`path_or_index` or another. The text of what it returns must read
            as the same value.
        help: one line for people.
        default_text: what holds when it is left out, for people.

    Raises:
        ConfigurationError: if one of these is malformed.

    Example:
        >>> Option("radius", number(0, 9), "how far to blur, 0 to 9", "2").kind("3")
        3.0
    """

    name: str
    kind: Kind
    help: str
    default_text: str = ""

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and _KEY.fullmatch(self.name)):
            raise ConfigurationError(f"expected an option's name of letters and underscores, got {self.name!r}")
        where = f"option {self.name!r}"
        if not callable(self.kind):
            raise ConfigurationError(f"{where}: expected kind as a function that reads a text, got {self.kind!r}")
        check_line(where, "help", self.help)
        if self.default_text != "":
            check_line(where, "default_text", self.default_text)


def check_line(where: str, field: str, text: object) -> None:
    """Check that a field of a record is one line for people.

    Args:
        where: whose field it is.
        field: its name.
        text: its value.

    Raises:
        ConfigurationError: if it is none.
    """
    if not (isinstance(text, str) and text and one_line(text) == text):
        raise ConfigurationError(f"{where}: expected {field} as one printable line, got {text!r}")


GUIDE = Option("guide", index, "in place of @: a default guide of the weights, by number from 0", "the first")
TO = Option("to", path_or_index, "the second guide: a picture, or a number as for guide=", "needed")
METHOD = Option("method", name_of("method"), "weights of this method", "the family's first")
CONTENT = Option(
    "content", name_of("content"), "which one, of weights at a path that edit several", "the attribute, or the only one"
)

THRESHOLD = Option("threshold", number(0, 1), "mask values up to this one leave the picture alone, 0 to 1", "0.1")
SOFTNESS = Option("softness", number(0, 1), "length of the ramp from there to a full mask, 0 to 1", "0.1")
DILATION = Option("dilation", pixels, "how far the mask grows first, in pixels of the frame", "what the weights say")
DETAIL = Option("detail", number(0, 1), "share of the photo's own fine detail to keep, 0 to 1", "1")
PRESENCE = Option(
    "presence",
    number(0, 1),
    "edit only where the weights are so sure that there is something to do; 0 always edits",
    "what the weights say",
)
LOOK = (THRESHOLD, SOFTNESS, DETAIL)
"""The options of how an edit is laid over the picture, which most verbs share."""
