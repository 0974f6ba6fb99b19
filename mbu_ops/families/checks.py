"""What the fields of specifications must be. Each check raises a ConfigurationError that names the field."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.names import NAME

LABEL = re.compile(r"!?[A-Za-z0-9_]+\Z")
"""What a label looks like; with ``!`` it means that the label is absent."""

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")
"""What the name of an importable package looks like."""


def check_name(what: str, name: object) -> None:
    """Check a name of a family, an attribute, a method or a frame."""
    if not isinstance(name, str) or not NAME.match(name):
        raise ConfigurationError(
            f"{what} must be lower-case letters, digits and underscores, a letter first; got {name!r}"
        )


def check_pattern(where: str, field: str, value: object, pattern: re.Pattern[str]) -> None:
    """Check that a field is text that matches a pattern."""
    if not isinstance(value, str) or not pattern.match(value):
        raise ConfigurationError(f"{where}: {field} must match {pattern.pattern}, got {value!r}")


def check_text(where: str, field: str, value: object) -> None:
    """Check that a field is text, and not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{where}: {field} must be non-empty text, got {value!r}")


def check_tuple(where: str, field: str, value: object, item: type) -> None:
    """Check that a field is a tuple of this very type: a list could change, and has no hash."""
    if not isinstance(value, tuple) or not all(type(entry) is item for entry in value):
        raise ConfigurationError(f"{where}: {field} must be a tuple of {item.__name__}, got {value!r}")


def check_rule(where: str, field: str, rule: object) -> None:
    """Check that a field is a rule of labels."""
    check_tuple(where, field, rule, tuple)
    assert isinstance(rule, tuple)  # noqa: S101  (told to the type checker; the line above raises)
    for group in rule:
        if not group or not all(isinstance(label, str) and LABEL.match(label) for label in group):
            raise ConfigurationError(f"{where}: {field} must hold tuples of label names, got {group!r}")


def check_file(where: str, file: object) -> None:
    """Check that a field is a path inside a package."""
    # a plugin names a file in its package, never one anywhere on the user's disk
    path = PurePosixPath(file) if isinstance(file, str) else PurePosixPath()
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in str(file) or ":" in str(file):
        raise ConfigurationError(f"{where}: file must be a relative path inside its package, got {file!r}")


def check_flag(where: str, field: str, value: object) -> None:
    """Check that a field is true or false."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where}: {field} must be True or False, got {value!r}")


def check_first(where: str, first_for: object, verbs: tuple[str, ...]) -> None:
    """Check that a field names verbs, of those that are listed where any are."""
    check_tuple(where, "first_for", first_for, str)
    assert isinstance(first_for, tuple)  # noqa: S101  (told to the type checker; the line above raises)
    for verb in first_for:
        check_name(f"{where}: first_for", verb)
        if verbs and verb not in verbs:
            raise ConfigurationError(f"{where}: first_for must name some of its verbs {', '.join(verbs)}, got {verb!r}")


def check_unique(where: str, what: str, names: list[str]) -> None:
    """Check that no name is claimed twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"{where}: {what} names must be unique, got twice: {', '.join(twice)}")
