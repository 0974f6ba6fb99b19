"""Methods: one paper, one file. Importing this room imports no method, and not torch."""

from __future__ import annotations

from typing import Any

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import discovery
from mbu_ops.families.discovery import BrokenPlugin
from mbu_ops.families.names import did_you_mean

__all__ = ["get_method", "method_names"]


def method_names() -> tuple[str, ...]:
    """Return the names of every method, built in or from a plugin, without importing any.

    Example:
        >>> "mbu" in method_names()
        True
    """
    return tuple(plugin.name for plugin in discovery.discover(discovery.METHODS).plugins)


def get_method(name: str) -> type[Any]:
    """Import a method and return its class.

    Args:
        name: one of :func:`method_names`.

    Returns:
        A subclass of :class:`torch.nn.Module` with ``name``, ``verbs``, ``configs`` and ``config_from_dict``.

    Raises:
        ConfigurationError: if there is no such method, or its plugin is broken.

    Example:
        >>> get_method("mbu").__name__
        'MBU'
    """
    found = discovery.discover(discovery.METHODS)
    for plugin in found.plugins:
        if plugin.name == name:
            method = discovery.load(plugin)
            if isinstance(method, type) and getattr(method, "name", None) == name:
                return method
            if not isinstance(method, BrokenPlugin):
                method = BrokenPlugin(name, plugin.distribution, f"{plugin.target} is not a method named {name!r}")
            raise ConfigurationError(f"method {name!r}: {method}")
    for entry in found.broken:
        if entry.name == name:
            raise ConfigurationError(f"method {name!r}: {entry}")
    raise ConfigurationError(f"there is no method {name!r}.{did_you_mean(name, method_names())}")
