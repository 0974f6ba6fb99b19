"""Find plugins. The only file that looks at entry points.

The standard library lists the installed distributions and the ``entrypoints`` package parses the file of each; its
own scan of the path would let one malformed file hide every plugin, so it is not used. One broken distribution, or
one broken entry, costs only itself.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from entrypoints import CaseSensitiveConfigParser, EntryPoint

from mbu_ops.families.containment import contained
from mbu_ops.families.names import NAME
from mbu_ops.foreign import one_line

_log = logging.getLogger(__name__)

DISTRIBUTION = "mbu-ops"
SWITCH = "MBU_OPS_PLUGINS"
"""Environment variable: unset = every plugin; else the distributions to look at, comma-separated; empty = none."""

MOST_ENTRIES = 100
"""Of one distribution in one group: more are not meant to be used, and none of them is."""

FAMILIES = "mbu_ops.families"
METHODS = "mbu_ops.methods"
VERBS = "mbu_ops.verbs"
BUILT_IN: dict[str, dict[str, str]] = {
    FAMILIES: {"faces": "mbu_ops_faces:family", "handbags": "mbu_ops_handbags:family"},
    METHODS: {
        "mbu": "mbu_ops.methods.mbu:MBU",
        "press": "mbu_ops.methods.press:Press",
        "didd": "mbu_ops.methods.didd:DIDD",
        "maae": "mbu_ops.methods.maae:MAAE",
        "parsing": "mbu_ops.methods.parsing:Parsing",
        "portrait": "mbu_ops.methods.portrait:Portrait",
        "native": "mbu_ops.methods.native:Native",
        "native_dial": "mbu_ops.methods.native_dial:NativeDial",
        "native_guided": "mbu_ops.methods.native_guided:NativeGuided",
    },
}
"""This distribution's own entries: they are there whatever the state of its installed metadata."""


@dataclass(frozen=True, slots=True, order=True)
class Plugin:
    """One entry point.

    Attributes:
        name: the name it claims in its group.
        target: what it points at, as ``"module:object"``.
        distribution: name of the distribution that brings it.
    """

    name: str
    target: str
    distribution: str


@dataclass(frozen=True, slots=True, order=True)
class BrokenPlugin:
    """Something that a distribution offers and that cannot be used.

    Attributes:
        name: the name it claims; empty if not even that could be read.
        distribution: name of the distribution.
        reason: one line that says what is wrong.
    """

    name: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        claimed = f" {self.name!r}" if self.name else ""
        return f"plugin{claimed} of distribution {self.distribution!r} cannot be used: {self.reason}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a group holds, in order of name.

    Attributes:
        plugins: one entry per name; not loaded yet.
        broken: what was left out, and why.
    """

    plugins: tuple[Plugin, ...]
    broken: tuple[BrokenPlugin, ...]


def discover(group: str) -> Discovery:
    """List a group's plugins without importing any.

    Args:
        group: entry-point group, :data:`FAMILIES`, :data:`METHODS` or :data:`VERBS`.

    Example:
        >>> [plugin.target for plugin in discover(METHODS).plugins if plugin.name == "mbu"]
        ['mbu_ops.methods.mbu:MBU']
    """
    return _discover(group, os.environ.get(SWITCH), tuple(sys.path))


@functools.cache
def _discover(group: str, switch: str | None, _path: tuple[str, ...]) -> Discovery:
    claims: dict[str, list[Plugin]] = defaultdict(list)
    broken: list[BrokenPlugin] = []
    for name, target in BUILT_IN.get(group, {}).items():
        claims[name].append(Plugin(name, target, DISTRIBUTION))
    for found in _installed(group, switch):
        if isinstance(found, BrokenPlugin):
            broken.append(found)
        else:
            claims[found.name].append(found)
    usable = []
    for name, claimants in claims.items():
        ours = [plugin for plugin in claimants if plugin.distribution == DISTRIBUTION]
        chosen = ours or claimants
        if len(chosen) == 1:
            usable += chosen
        names = " and ".join(sorted({repr(plugin.distribution) for plugin in claimants}))
        reason = f"{names} claim the same name; uninstall all but one, or list the plugins to use in {SWITCH}"
        if ours:
            reason = f"the name is that of a part of {DISTRIBUTION}; it needs another one"
        broken += [BrokenPlugin(name, one.distribution, reason) for one in claimants if one not in usable]
    return Discovery(tuple(sorted(usable)), tuple(sorted(set(broken))))


def _installed(group: str, switch: str | None) -> Iterator[Plugin | BrokenPlugin]:
    allowed = None if switch is None else {_canonical(name) for name in switch.split(",") if name.strip()}
    if allowed is not None and not allowed:
        return
    seen = {_canonical(DISTRIBUTION)}
    for distribution in metadata.distributions():
        name = "?"
        try:
            text = distribution.read_text("entry_points.txt")
            if not text or group not in text:
                continue
            name = one_line(distribution.metadata["Name"], 100)
            # an earlier folder on the path shadows a later one, as it does for imports
            if _canonical(name) in seen or (allowed is not None and _canonical(name) not in allowed):
                continue
            seen.add(_canonical(name))
            parser = CaseSensitiveConfigParser(delimiters=("=",), interpolation=None)
            parser.read_string(text)
            entries = list(parser[group].items()) if parser.has_section(group) else []
        except Exception as error:
            with contextlib.suppress(Exception):  # its metadata may be as broken
                name = one_line(distribution.metadata["Name"], 100)
            yield BrokenPlugin("", name, f"its entry_points.txt cannot be read: {one_line(error)}")
            continue
        if len(entries) > MOST_ENTRIES:
            yield BrokenPlugin("", name, f"expected at most {MOST_ENTRIES} entries of {group}, got {len(entries)}")
            continue
        for entry, target in entries:
            yield _parse(entry, target, name)


def _parse(name: str, target: str, distribution: str) -> Plugin | BrokenPlugin:
    shown = one_line(name, 100)
    if not NAME.match(name):
        return BrokenPlugin(shown, distribution, "a name is lower-case letters, digits and underscores, a letter first")
    try:
        point = EntryPoint.from_string(target, name)
        if not point.object_name:
            raise ValueError("no object")
    except Exception:
        return BrokenPlugin(shown, distribution, f"expected 'module:object', got {one_line(target)!r}")
    return Plugin(name, f"{point.module_name}:{point.object_name}", distribution)


def load(plugin: Plugin) -> object:
    """Import what a plugin points at.

    Returns:
        The object, or a :class:`BrokenPlugin` if importing it failed in whatever way.

    Example:
        >>> load(Plugin("x", "no_such_module:x", "some-dist")).reason
        "ModuleNotFoundError: No module named 'no_such_module'"
    """
    module, _, name = plugin.target.partition(":")
    try:
        with contained():
            found: object = EntryPoint(plugin.name, module, name).load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and the like must not end the caller's program
        return BrokenPlugin(plugin.name, plugin.distribution, f"{type(error).__name__}: {one_line(error)}")
    return found


@functools.cache
def report(broken: BrokenPlugin) -> None:
    """Log, once per process, that a plugin is left out."""
    _log.warning("%s", broken)


def refresh() -> None:
    """Forget what was found, for a process that installs plugins while it runs."""
    _discover.cache_clear()
    report.cache_clear()


def _canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()
