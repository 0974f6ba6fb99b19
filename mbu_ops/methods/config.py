"""Sizes of networks: typed, and read and written as JSON by their types. May import errors, and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mbu_ops.errors import ConfigurationError

_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What every method's configuration has.

    A method derives its own from it, a frozen dataclass whose fields are ``bool``, ``int``, ``float``, or tuples of
    these such as ``tuple[int, ...]``, so that files can hold them (:func:`config_to_dict`, :func:`config_from_dict`).

    Attributes:
        resolution: side of the square model frame, in pixels.
        patch: side of the pixel block that the first layer reads as one position and the last layer writes as one
            (space-to-depth and pixel shuffle); 1 for none.
        removal_dilation: how far the mask of a removal grows, in pixels of the frame, unless the user says otherwise.
            No size of the networks, but what suits these weights.
    """

    resolution: int = 128
    patch: int = field(default=1, kw_only=True)
    removal_dilation: int = field(default=2, compare=False, kw_only=True)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the model frame, in pixels."""
        return self.resolution, self.resolution


Config = TypeVar("Config", bound=NetworkConfig)


def config_to_dict(config: NetworkConfig) -> dict[str, object]:
    """Return a configuration as JSON can hold it, for a weights file or a training state.

    Example:
        >>> config_to_dict(NetworkConfig(64))
        {'resolution': 64, 'patch': 1, 'removal_dilation': 2}
    """
    return {entry.name: _as_json(getattr(config, entry.name)) for entry in fields(config)}


def config_from_dict(kind: type[Config], values: Mapping[str, object]) -> Config:
    """Return the configuration that :func:`config_to_dict` wrote; the values may come from a stranger's file.

    Args:
        kind: the configuration's class.
        values: its fields; those that are missing have their defaults.

    Raises:
        ConfigurationError: if a field is unknown, missing, of the wrong type, or cannot work.

    Example:
        >>> config_from_dict(NetworkConfig, {"resolution": 64}).size
        (64, 64)
    """
    types = field_types(kind)
    known: dict[str, Any] = {}
    for name, value in values.items():
        if name not in types:
            raise ConfigurationError(f"expected the settings {', '.join(types)}, got {name!r}")
        if not _fits(value, types[name]):
            raise ConfigurationError(f"expected {_described(types[name])} for {name}, got {value!r}")
        known[name] = _from_json(value)
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    if missing := [name for name in needed if name not in known]:
        raise ConfigurationError(f"expected the settings {', '.join(needed)}, got none for {', '.join(missing)}")
    return kind(**known)


def field_types(kind: type[NetworkConfig]) -> dict[str, Any]:
    """Return the type of each of a configuration's fields.

    Raises:
        ConfigurationError: if files cannot hold one of them.
    """
    hints = get_type_hints(kind)
    types = {entry.name: hints[entry.name] for entry in fields(kind)}
    for name, of in types.items():
        if not _is_known(of):
            raise ConfigurationError(
                f"expected {kind.__name__}.{name} to be of type bool, int, float, or a tuple of any length of these "
                f"such as tuple[int, ...], got {of}"
            )
    return types


def _is_known(of: Any) -> bool:
    return of in (bool, int, float) or (_is_tuple(of) and _is_known(get_args(of)[0]))


def _is_tuple(of: Any) -> bool:
    return get_origin(of) is tuple and get_args(of)[1:] == (Ellipsis,)


def _fits(value: object, of: Any) -> bool:
    if of is bool:
        return isinstance(value, bool)
    if of is int:
        return type(value) is int and value > 0
    if of is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LARGEST
    return isinstance(value, list | tuple) and all(_fits(one, get_args(of)[0]) for one in value)


_WORDS = {
    bool: ("true or false", "values true or false"),
    int: ("a positive whole number", "positive whole numbers"),
    float: ("a positive number", "positive numbers"),
}
"""What a value is called, and what several are."""


def _described(of: Any, several: bool = False) -> str:
    if of in _WORDS:
        return _WORDS[of][several]
    return f"{'lists' if several else 'a list'} of {_described(get_args(of)[0], several=True)}"


def _as_json(value: object) -> object:
    return [_as_json(one) for one in value] if isinstance(value, tuple) else value


def _from_json(value: object) -> object:
    return tuple(_from_json(one) for one in value) if isinstance(value, list | tuple) else value
