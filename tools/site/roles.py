"""Prepare docstrings for the site: roles (``:func:`render```) become links, or warnings where they name nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import griffe

ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(~?[\w.]+)`")
EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
logger = griffe.get_logger(__name__)


class Roles(griffe.Extension):
    """Rewrites docstrings as they are loaded: a link where the site tells of the object, code where it does not."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite all docstrings of a package, once all of its names are known."""
        for thing in list(_objects(pkg)):
            if thing.docstring is not None:
                text = EXAMPLE.sub(r"\1Examples:", thing.docstring.value)  # the word that griffe knows
                thing.docstring.value = ROLE.sub(partial(link, pkg, thing), text)


def link(package: griffe.Module, thing: griffe.Object, role: re.Match[str]) -> str:
    """Return a link to what a role in a docstring of ``thing`` names; warn if there is no such object."""
    name = role[1].removeprefix("~")
    shown = name if name == role[1] else name.rpartition(".")[2]
    path = find(package, thing, name)
    if path is None:
        logger.warning(f"{thing.path}: its docstring names {name!r}, and no object is called so")
    return f'<autoref optional identifier="{path or name}"><code>{shown}</code></autoref>'


def find(package: griffe.Module, thing: griffe.Object, name: str) -> str | None:
    """Return the path of what is called ``name`` where ``thing`` is, or that of another package; None if nothing is."""
    if name.startswith(f"{package.name}."):
        return _below(package, name.removeprefix(f"{package.name}."))
    head = name.split(".")[0]
    for scope in _scopes(thing):
        if head in scope.all_members:
            return _below(scope, name)
    return None


def _below(scope: griffe.Object, name: str) -> str | None:
    """Return the path of a member of a scope, or of a member's member; inherited and imported ones, too."""
    thing: griffe.Object | griffe.Alias = scope
    try:
        for part in name.split("."):
            thing = thing.all_members[part]
        return thing.canonical_path
    except griffe.AliasResolutionError as error:
        return error.alias.target_path
    except KeyError:
        return None


def _scopes(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    if thing.parent is not None:
        yield from _scopes(thing.parent)


def _objects(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    for member in thing.members.values():
        if isinstance(member, griffe.Object):
            yield from _objects(member)
