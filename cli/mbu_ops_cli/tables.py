"""Tables on stdout, by rich: as wide as the terminal, and one row a line where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click

from mbu_ops.foreign import printable

_ONE_LINE = 1000


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table.

    Args:
        head: names of the columns.
        rows: as many texts in each.

    Example:
        >>> print_table(("attribute", "can be"), [("glasses", "add, remove"), ("nose", "segment")])
        attribute  can be
        glasses    add, remove
        nose       segment
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(width=None if sys.stdout and sys.stdout.isatty() else _ONE_LINE)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())
