"""Options of the command line that are made from the fields of dataclasses, see :mod:`mbu_ops.objectives.options`."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from mbu_ops.objectives.options import Option, options_in
from mbu_ops_cli.options import FiniteRange, Number
from mbu_ops_cli.sources import FOLDER


def options_of(kind: type) -> list[click.Option]:
    """Return a click option for each field of a dataclass that can be chosen; what is not given is None, or empty."""
    types = typing.get_type_hints(kind)
    return [_option(name, types[name], default, about) for name, default, about in options_in(kind)]


def chosen(kind: type, given: dict[str, Any]) -> dict[str, Any]:
    """Take what was given of a dataclass's fields out of a command's options, by their names."""
    taken = {name: given.pop(name, None) for name, _, _ in options_in(kind)}
    return {name: value for name, value in taken.items() if value is not None and value != ()}


def _option(name: str, hint: Any, default: Any, about: Option) -> click.Option:
    flag = f"--{about.flag or name.replace('_', '-')}"
    several = typing.get_origin(hint) is tuple
    shown = about.default
    if shown is None and not (several or default is None):
        shown = f"{default:g}" if isinstance(default, float) else str(default)
    text = about.help if not several else f"{about.help.removesuffix('.')}; may be given several times."
    if hint is bool:
        # what is on by default is switched off: None says that nobody did
        return click.Option([flag, name], is_flag=True, flag_value=not default, default=None, type=bool, help=text)
    return click.Option(
        [flag, name],
        type=_type(hint, about),
        multiple=several,
        metavar=about.metavar,
        help=f"{text}  [default: {shown}]" if shown else text,
    )


def _type(hint: Any, about: Option) -> Any:
    parts: Iterable[Any] = typing.get_args(hint) or (hint,)
    if typing.get_origin(hint) is tuple:
        return Number()
    if about.choices:
        return click.Choice(about.choices)
    if Path in parts:
        return FOLDER
    if int in parts:
        least, most = (None if limit is None else int(limit) for limit in (about.least, about.most))
        return click.IntRange(least, most)
    if float in parts:
        return FiniteRange(about.least, about.most, min_open=about.open_, max_open=about.open_)
    return str
