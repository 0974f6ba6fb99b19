"""Methods: one paper, one file. Importing this room imports no method, and not torch.

What they are built from, each of which may import those before it: ``info`` and ``config``, without torch; ``base``;
``check``. ``blocks``, ``unet``, ``mbu_config``, ``inference`` and ``networks``, in this order, are for methods to
share. A method imports what it needs of these, and no other method; portraits contain a parser, and native dials two
native networks.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import discovery
from mbu_ops.families.discovery import BrokenPlugin
from mbu_ops.families.names import did_you_mean

if TYPE_CHECKING:
    from mbu_ops.methods.base import Networks

_log = logging.getLogger(__name__)

__all__ = ["get_method", "method_names", "methods"]


def method_names() -> tuple[str, ...]:
    """Return the names of every method, built in or from a plugin, without importing any.

    Example:
        >>> "mbu" in method_names()
        True
    """
    return tuple(plugin.name for plugin in discovery.discover(discovery.METHODS).plugins)


def methods() -> tuple[type[Networks], ...]:
    """Import every method that can be used, and return their classes.

    A broken plugin is left out with a logged warning.

    Example:
        >>> [kind.__name__ for kind in methods() if kind.info.name == "press"]
        ['Press']
    """
    found = []
    for name in method_names():
        try:
            found.append(get_method(name))
        except ConfigurationError as error:
            _log.warning("%s", error)
    for broken in discovery.discover(discovery.METHODS).broken:
        discovery.report(broken)
    return tuple(found)


def get_method(name: str) -> type[Networks]:
    """Import a method and return its class, which was checked (:mod:`mbu_ops.methods.check`).

    Args:
        name: one of :func:`method_names`.

    Returns:
        A subclass of :class:`mbu_ops.methods.base.Networks`.

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
            if not isinstance(method, BrokenPlugin):
                from mbu_ops.methods.check import check_method

                try:
                    return check_method(method, name)
                except ConfigurationError as error:
                    method = BrokenPlugin(name, plugin.distribution, f"{plugin.target}: {error}")
            raise ConfigurationError(f"method {name!r}: {method}")
    for entry in found.broken:
        if entry.name == name:
            raise ConfigurationError(f"method {name!r}: {entry}")
    raise ConfigurationError(f"there is no method {name!r}.{did_you_mean(name, method_names())}")
