"""Check a method once, when it is loaded, so that nobody has to look twice at what it has. May import base."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.base import ContentView, Networks
from mbu_ops.methods.config import NetworkConfig, field_types
from mbu_ops.methods.info import MethodInfo


def check_method(method: object, name: str) -> type[Networks]:
    """Return a method's class, which has everything that its description promises.

    Args:
        method: what the entry point gave.
        name: of the entry point.

    Raises:
        ConfigurationError: if it is no method, or lacks something; the message says what to write.

    Example:
        >>> from mbu_ops.methods.mbu import MBU
        >>> check_method(MBU, "mbu")
        <class 'mbu_ops.methods.mbu.MBU'>
    """
    if not isinstance(method, type):
        raise ConfigurationError(f"expected a class of networks, got {type(method).__name__}")
    return _checked(method, name)


@functools.cache
def _checked(method: type, name: str) -> type[Networks]:
    info = getattr(method, "info", None)
    if info is None:
        raise ConfigurationError(_what_to_write(method, name))
    if not issubclass(method, Networks):
        raise ConfigurationError(f"expected a subclass of mbu_ops.methods.base.Networks, got {method.__name__}")
    if type(info) is not MethodInfo:
        raise ConfigurationError(f"expected {method.__name__}.info to be a MethodInfo, got {info!r}")
    if info.name != name:
        raise ConfigurationError(f"expected info.name to be {name!r}, as its entry point, got {info.name!r}")
    _check_configs(method)
    _check_view(method)
    for verb in sorted(info.verbs):
        kind = method.view if method.view is not None and verb in method.view.info.verbs else method
        for function in kind.info.functions(verb):
            if not callable(getattr(kind, function, None)):
                raise ConfigurationError(f"its verb {verb} needs a function {kind.__name__}.{function}")
    if info.refines and Networks.stems is method.stems:
        raise ConfigurationError(f"{method.__name__} needs stems and painters to refine, or info.refines False")
    if missing := sorted(getattr(method, "__abstractmethods__", ())):
        raise ConfigurationError(f"{method.__name__} lacks {', '.join(missing)}")
    return method


def _check_configs(method: type[Networks]) -> None:
    configs = getattr(method, "configs", None)
    kinds = {type(one) for one in configs.values()} if isinstance(configs, Mapping) else set()
    if len(kinds) != 1:
        raise ConfigurationError(
            f"expected {method.__name__}.configs to be a mapping of named configurations of one class, got {configs!r}"
        )
    (kind,) = kinds
    if not (is_dataclass(kind) and issubclass(kind, NetworkConfig) and "__dataclass_fields__" in vars(kind)):
        raise ConfigurationError(
            f"expected {kind.__name__} to be a frozen dataclass derived from mbu_ops.methods.config.NetworkConfig"
        )
    field_types(kind)


def _check_view(method: type[Networks]) -> None:
    view, info = method.view, method.info
    if info.contents == 1:
        return
    if not (isinstance(view, type) and issubclass(view, ContentView)):
        raise ConfigurationError(
            f"networks of {info.contents or 'several'} contents need a class that edits one: expected {method.__name__}"
            f".view to be a subclass of mbu_ops.methods.base.ContentView, got {view!r}"
        )
    inner = getattr(view, "info", None)
    if type(inner) is not MethodInfo or inner.name != info.name or inner.contents != 1 or inner.verbs - info.verbs:
        raise ConfigurationError(
            f"expected {view.__name__}.info to be the method's own with contents=1 and some of its verbs "
            f"(dataclasses.replace makes it), got {inner!r}"
        )
    if info.contents is None and method.contents is Networks.contents:
        raise ConfigurationError(
            f"{method.__name__} edits as many contents as its configuration says: give it a property contents"
        )


def _what_to_write(method: type, name: str) -> str:
    """Say how a class from before there was MethodInfo describes itself now."""
    given: dict[str, Any] = {"name": name}
    for entry in fields(MethodInfo):
        value = _own(method, entry.name)
        if isinstance(value, property):  # contents that depend on the configuration
            value = None
        if value is not MISSING and value != entry.default:
            given[entry.name] = value
    given.setdefault("verbs", frozenset())
    given.setdefault("objective", "module:Class")
    written = ", ".join(f"{key}={_code(value)}" for key, value in given.items())
    return (
        f"{method.__name__} does not say what it is: give it the class attribute info = MethodInfo({written}), from "
        "mbu_ops.methods.info, in place of its attributes of these names; derive its configuration from "
        "mbu_ops.methods.config.NetworkConfig; and let its verbs return mbu_ops.functional.layer.painted(raw, mask) in "
        "place of Layer(raw, mask)"
    )


def _own(method: type, name: str) -> Any:
    """Return what a class itself has of some name, and not what all networks have."""
    for kind in method.__mro__:
        if kind is Networks:
            break
        if name in vars(kind):
            return vars(kind)[name]
    return MISSING


def _code(value: object) -> str:
    if isinstance(value, set | frozenset):
        return f"frozenset({{{', '.join(map(repr, sorted(map(str, value))))}}})" if value else "frozenset()"
    return repr(value)
