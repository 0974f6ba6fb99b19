"""Look through a pickle before anything reads it: which names it asks for, and what putting it together would cost."""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from typing import Any, BinaryIO

MOST_INSTRUCTIONS = 200_000
"""A published checkpoint with its optimisers takes some twenty thousand."""

LONGEST_TEXT = 1 << 16
LARGEST_TUPLE = 256
"""Values in a tuple with all tuples in it. Shared ones count each time: that is what hashing or printing them takes."""

_PLAIN = re.compile(
    r"collections OrderedDict"
    r"|torch Size"
    r"|torch(\.cuda)? \w+Storage"
    r"|torch\.storage (Untyped|Typed)Storage"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
    r"|torch\.nn\.parameter Parameter"
)
"""What state dictionaries of plain tensors are made of, as a pickle names it."""


class PickleError(ValueError):
    """A pickle that is not read, and why."""


def check_pickle(file: BinaryIO) -> None:
    """Go through the pickle at the file's position, up to its end, and run nothing of it.

    Args:
        file: positioned at the pickle; afterwards behind it.

    Raises:
        PickleError: if it asks for more than plain tensors need, or is far larger.
        ValueError: if it is no pickle.

    Example:
        >>> import io, pickle
        >>> check_pickle(io.BytesIO(pickle.dumps({"a": [1, 2]}, protocol=2)))
    """
    machine = _Machine()
    for count, (instruction, argument, _) in enumerate(pickletools.genops(file)):
        if count >= MOST_INSTRUCTIONS:
            raise PickleError(f"it has more than {MOST_INSTRUCTIONS} instructions")
        if isinstance(argument, str | bytes) and len(argument) > LONGEST_TEXT:
            raise PickleError(f"it holds a text of more than {LONGEST_TEXT} characters")
        machine.step(instruction.name, argument)


class _Machine:
    """Runs a pickle on the sizes of its values in place of the values."""

    def __init__(self) -> None:
        self.stack: list[int] = []
        self.below: list[list[int]] = []
        self.memo: dict[int, int] = {}

    def step(self, name: str, argument: Any) -> None:
        """Do one instruction.

        Raises:
            PickleError: if it is none that a checkpoint needs, or costs too much.
        """
        try:
            if name in _VALUES:
                self.stack.append(1)
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            else:
                raise PickleError(f"it uses {name}, which no checkpoint needs")
        except (IndexError, KeyError):
            raise PickleError("its instructions do not fit together") from None

    def look_up(self, argument: str) -> None:
        """Take a name: what would be run."""
        if not _PLAIN.fullmatch(argument):
            raise PickleError(f"it asks for {argument.replace(' ', '.')!r:.200}, which could run code")
        self.stack.append(1)

    def pop(self, count: int) -> list[int]:
        """Return the last values, and take them away."""
        if len(self.stack) < count:
            raise IndexError
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def mark(self) -> None:
        """Begin values that are taken together."""
        self.below.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[int]:
        """Return all values from the mark on, and take them away."""
        taken, self.stack = self.stack, self.below.pop()
        return taken

    def tuple(self, values: list[int]) -> None:
        """Make a tuple of values."""
        size = 1 + sum(values)
        if size > LARGEST_TUPLE:
            raise PickleError(f"it nests tuples to more than {LARGEST_TUPLE} values")
        self.stack.append(size)

    def call(self) -> None:
        """Make something of a name and its arguments, as large as these."""
        _, arguments = self.pop(2)
        self.stack.append(arguments)

    def remember(self, key: int) -> None:
        """Keep the last value."""
        self.memo[key] = self.stack[-1]


_VALUES = frozenset(
    (
        *("NONE", "NEWTRUE", "NEWFALSE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE", "EMPTY_SET"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
    )
)
_ACTIONS: dict[str, Callable[[_Machine, Any], object]] = {
    "PROTO": lambda *_: None,
    "STOP": lambda machine, _: machine.pop(1),
    "GLOBAL": _Machine.look_up,
    "MARK": lambda machine, _: machine.mark(),
    "TUPLE": lambda machine, _: machine.tuple(machine.pop_mark()),
    "TUPLE1": lambda machine, _: machine.tuple(machine.pop(1)),
    "TUPLE2": lambda machine, _: machine.tuple(machine.pop(2)),
    "TUPLE3": lambda machine, _: machine.tuple(machine.pop(3)),
    "APPEND": lambda machine, _: machine.pop(1),
    "APPENDS": lambda machine, _: machine.pop_mark(),
    "SETITEM": lambda machine, _: machine.pop(2),
    "SETITEMS": lambda machine, _: machine.pop_mark(),
    "BUILD": lambda machine, _: machine.pop(1),
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),
    "BINPERSID": lambda machine, _: machine.stack.append(min(machine.pop(1)[0], 1)),
    "PUT": _Machine.remember,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "GET": lambda machine, key: machine.stack.append(machine.memo[key]),
    "BINGET": lambda machine, key: machine.stack.append(machine.memo[key]),
    "LONG_BINGET": lambda machine, key: machine.stack.append(machine.memo[key]),
}
