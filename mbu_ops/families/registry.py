"""Look families and attributes up by name. No torch in here."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from mbu_ops.errors import ConfigurationError, FamilyError, MissingPackageError, PluginError
from mbu_ops.families import discovery
from mbu_ops.families.containment import contained
from mbu_ops.families.description import described
from mbu_ops.families.discovery import BrokenPlugin, Plugin
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.families.names import did_you_mean
from mbu_ops.families.spec import AttributeSpec, FamilySpec
from mbu_ops.foreign import one_line


def families() -> tuple[FamilySpec, ...]:
    """Return every family that can be used, by name.

    A plugin that describes itself (:func:`mbu_ops.families.read_family`) is not imported; others are.
    A broken plugin is left out with a logged warning; see :func:`broken`.

    Example:
        >>> "faces" in [family.name for family in families()]
        True
    """
    found = [_load(plugin) for plugin in discovery.discover(discovery.FAMILIES).plugins]
    for entry in broken():
        discovery.report(entry)
    return tuple(family for family in found if isinstance(family, FamilySpec))


def broken() -> tuple[BrokenPlugin, ...]:
    """Return the family plugins that cannot be used, and why."""
    found = discovery.discover(discovery.FAMILIES)
    unloadable = [entry for entry in map(_load, found.plugins) if isinstance(entry, BrokenPlugin)]
    return tuple(sorted([*found.broken, *unloadable]))


def get_family(name: str) -> FamilySpec:
    """Return the family of that name; imports no other one.

    Raises:
        FamilyError: if there is none; a PluginError if its plugin is broken.

    Example:
        >>> get_family("faces").title
        'Faces'
    """
    found = discovery.discover(discovery.FAMILIES)
    for plugin in found.plugins:
        if plugin.name == name:
            family = _load(plugin)
            if isinstance(family, BrokenPlugin):
                raise PluginError(f"family {name!r}: {family}")
            return family
    for entry in found.broken:
        if entry.name == name:
            raise PluginError(f"family {name!r}: {entry}")
    raise FamilyError(f"there is no family {name!r}.{did_you_mean(name, [plugin.name for plugin in found.plugins])}")


def get_attribute(family: FamilySpec | str, attribute: str) -> AttributeSpec:
    """Return a family's attribute by its name or one of its aliases.

    Args:
        family: the family or its name.
        attribute: the attribute's name or alias.

    Raises:
        FamilyError: if there is none.

    Example:
        >>> get_attribute("faces", "eyeglasses").name
        'glasses'
    """
    spec = get_family(family) if isinstance(family, str) else family
    known = {name: entry for entry in spec.attributes for name in (entry.name, *entry.aliases)}
    try:
        return known[attribute]
    except KeyError:
        hint = did_you_mean(attribute, known)
        raise FamilyError(f"family {spec.name!r} has no attribute {attribute!r}.{hint}") from None


def parse_attribute(text: str, default_family: str = "faces") -> tuple[FamilySpec, AttributeSpec]:
    """Read ``"family/attribute"`` or ``"attribute"``.

    Args:
        text: what to read.
        default_family: the family if the text names none.

    Raises:
        FamilyError: if the family or the attribute is unknown.

    Example:
        >>> [spec.name for spec in parse_attribute("smile")]
        ['faces', 'smile']
    """
    family_name, slash, attribute = text.rpartition("/")
    family = get_family(family_name if slash else default_family)
    return family, get_attribute(family, attribute)


def frame_of(family: str | None, frame: str | None) -> FrameSpec:
    """Return the frame that weights were trained on, in the sides of their family's first one.

    Args:
        family: name of their family, if they belong to one; weights work without the plugin that they were made for,
            and then see all of a picture.
        frame: name of the frame; None for the family's first.

    Raises:
        FamilyError: if the family has no such frame.

    Example:
        >>> frame_of("faces", "eyes").within, frame_of(None, None).name
        ('face', 'whole')
    """
    try:
        spec = None if family is None else get_family(family)
    except FamilyError:
        spec = None
    return WHOLE_FRAME if spec is None else spec.frame(frame)


def load_target(family: FamilySpec, field: str) -> Callable[..., Any]:
    """Import the function that a family names in one of its ``"module:name"`` fields.

    Args:
        family: the family.
        field: name of the field, such as ``"pictures"``; it must name something.

    Raises:
        PluginError: if it cannot be imported, or is no function.
    """
    target = getattr(family, field)
    found = discovery.load(Plugin(family.name, target, family.name))
    if isinstance(found, BrokenPlugin) or not callable(found):
        reason = found.reason if isinstance(found, BrokenPlugin) else "it is not a function"
        raise PluginError(f"family {family.name!r}: {field} names {target!r}, which cannot be used: {reason}")
    return found


def weights_packages(family: FamilySpec) -> set[str]:
    """Return the packages that hold a family's weights: those it lists, else its own.

    Example:
        >>> weights_packages(get_family("faces"))
        {'mbu_ops_checkpoints'}
    """
    plugins = discovery.discover(discovery.FAMILIES).plugins
    own = next(plugin.target.partition(":")[0].partition(".")[0] for plugin in plugins if plugin.name == family.name)
    return {spec.package for spec in family.weights} or {own}


@contextlib.contextmanager
def plugin_code(family: FamilySpec, what: str) -> Iterator[None]:
    """Run a plugin's function inside of this: whatever it does, it costs only itself.

    It is :func:`mbu_ops.families.containment.contained`, and whatever it raises, ``SystemExit`` too, becomes a
    PluginError. Only a package that is missing is not the plugin's fault.

    Args:
        family: whose function it is.
        what: what it does, as in "drawing picture 3".

    Raises:
        MissingPackageError: if the plugin's code raises one.
        PluginError: if it raises anything else.
        KeyboardInterrupt: if somebody interrupts it.
    """
    try:
        with contained():
            yield
    except KeyboardInterrupt:
        raise
    except MissingPackageError as error:
        raise MissingPackageError(one_line(error)) from error
    except BaseException as error:
        raise PluginError(
            f"family {family.name!r}: {what} failed: {type(error).__name__}: {one_line(error)}"
        ) from error


def refresh() -> None:
    """Forget what was found, for a process that installs plugins while it runs."""
    discovery.refresh()
    _load.cache_clear()


@functools.cache
def _load(plugin: Plugin) -> FamilySpec | BrokenPlugin:
    try:
        if family := described(plugin):
            return family
    except ConfigurationError as error:
        return BrokenPlugin(plugin.name, plugin.distribution, one_line(error))
    return imported(plugin)


def imported(plugin: Plugin) -> FamilySpec | BrokenPlugin:
    """Import a plugin, and return the family that its entry point names."""
    found = discovery.load(plugin)
    # the very types: asking a stranger's object anything, even isinstance, would run the stranger's code
    if type(found) is BrokenPlugin:
        return found
    if type(found) is not FamilySpec:
        reason = f"expected a FamilySpec at {plugin.target!r}, got {type(found).__name__}"
    elif (name := getattr(found, "name", None)) != plugin.name:
        reason = f"the entry point is named {plugin.name!r} and the family {name!r}; they must agree"
    else:
        return found
    return BrokenPlugin(plugin.name, plugin.distribution, one_line(reason))
