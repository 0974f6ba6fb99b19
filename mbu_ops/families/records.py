"""Dataclasses as plain facts, such as JSON holds, and back. Imports no torch."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import repeat
from typing import Any, Literal, get_args, get_origin, get_type_hints

Functions = Callable[[Any, str], Any]
"""Reads what stands for a function: the fact, and where it stands, for messages."""


def record_of(kind: Any, facts: Any, where: str, functions: Functions | None = None, **more: Any) -> Any:
    """Return a record of plain facts, each of which has the type that the record's field says.

    Args:
        kind: its dataclass.
        facts: an object of its fields; lists stand for tuples, and what is left out has its default.
        where: where they stand, for messages.
        functions: reads what stands for fields that are functions; None refuses it.
        **more: fields that the facts do not hold.

    Raises:
        ValueError: if they are not as they should be; so may the dataclass.

    Example:
        >>> from mbu_ops.families import AttributeSpec
        >>> record_of(AttributeSpec, {"name": "hat", "title": "Hat", "aliases": ["cap"]}, "an attribute").aliases
        ('cap',)
    """
    if not isinstance(facts, dict):
        raise ValueError(f"{where}: expected an object, got {facts!r:.100}")
    kinds = get_type_hints(kind)
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind) if field.name not in more}
    if strange := sorted(set(facts) - set(known)):
        raise ValueError(f"{where}: {strange[0]!r:.100} is no field; there are {', '.join(known)}")
    missing = [name for name, field in known.items() if _default(field) is MISSING and name not in facts]
    if missing:
        raise ValueError(f"{where}: {missing[0]} is missing")
    values = {name: _value(kinds[name], value, f"{where}: {name}", functions) for name, value in facts.items()}
    return kind(**values, **more)


def _value(kind: Any, value: Any, where: str, functions: Functions | None) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) is abc.Callable and functions is not None:
        return functions(value, where)
    if get_origin(kind) is Literal:
        if value not in arguments:
            raise ValueError(f"{where}: expected {' or '.join(map(repr, arguments))}, got {value!r:.100}")
        return value
    if type(None) in arguments:  # one other kind, or None
        return None if value is None else _value(arguments[0], value, where, functions)
    if get_origin(kind) is tuple:
        kinds: Sequence[Any] = arguments
        if not isinstance(value, list):
            raise ValueError(f"{where}: expected a list, got {value!r:.100}")
        if arguments[-1] is Ellipsis:
            kinds = list(repeat(arguments[0], len(value)))
        if len(kinds) != len(value):
            raise ValueError(f"{where}: expected a list of {len(kinds)}, got {value!r:.100}")
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(_value(one, each, f"{where}[{number}]", functions) for number, (one, each) in pairs)
    if is_dataclass(kind):
        return record_of(kind, value, where, functions)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{where}: expected {kind.__name__}, got {value!r:.100}")
    return value


def facts_of(value: Any) -> Any:
    """Return a record, or what is in one, as what JSON can hold, without what is the default.

    Args:
        value: the record.
    """
    if isinstance(value, tuple):
        return [facts_of(one) for one in value]
    if not is_dataclass(value):
        return value
    facts = {field.name: (getattr(value, field.name), _default(field)) for field in fields(value)}
    return {name: facts_of(one) for name, (one, usual) in facts.items() if usual is MISSING or one != usual}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
