"""What pictures may cost a command: its options."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from mbu_ops.limits import Limits, limited

_USUAL = Limits()
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
TIMEOUT = 60.0
"""Seconds that a file may take unless somebody says otherwise."""


class Amount(click.ParamType[int]):
    """A number that may end in k, M or G."""

    name = "NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        found = re.fullmatch(r"(\d{1,15})([kmg]?)", str(value), re.ASCII | re.IGNORECASE)
        if found is None or not int(found[1]):
            self.fail(f"expected a number such as 50000000, 50M or 4G, got {value!r}.", param, ctx)
        return int(found[1]) * _UNITS[found[2].lower()]


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command options for what each picture that it reads may cost, and hold it to them."""

    @functools.wraps(command)
    def within_limits(
        *args: Any, max_pixels: int, max_memory: int, timeout: float, isolate: bool, **options: Any
    ) -> Any:
        with limited(Limits(max_pixels, max_memory, timeout, isolate)):
            return command(*args, **options)

    wrapped: Callable[..., Any] = within_limits
    for option in (
        click.option(
            "--isolate",
            is_flag=True,
            help="Decode pictures in processes of their own: for files that strangers sent.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(0.1, 86_400),
            default=TIMEOUT,
            show_default=True,
            metavar="SECONDS",
            help="Give up a picture, or a clip at a frame, that takes longer to read or to search.",
        ),
        click.option(
            "--max-memory",
            type=Amount(),
            default=_USUAL.max_memory,
            show_default="6G",
            metavar="BYTES",
            help="Refuse pictures that would need more to be decoded and edited.",
        ),
        click.option(
            "--max-pixels",
            type=Amount(),
            default=_USUAL.max_pixels,
            show_default="100M",
            metavar="NUMBER",
            help="Refuse pictures of more pixels; beyond 178M none is read.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped
