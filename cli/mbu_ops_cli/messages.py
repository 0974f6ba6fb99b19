"""What commands say on stderr: Python's logging, and ``-q`` and ``-v``, which choose how much of it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mbu_ops.foreign import printable, printable_json

log = logging.getLogger("mbu_ops.cli")
"""Notes and summaries are INFO; what went wrong is WARNING or ERROR."""

_ALL = logging.getLogger("mbu_ops")


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text: the one way by which names, licences and errors of strangers reach a terminal.

    Args:
        text: what to print; what is no plain character is spelled out, see :func:`mbu_ops.foreign.printable`.
        err: print it on stderr.
    """
    encoding = _encoding(err)
    click.echo(printable(text).encode(encoding, "backslashreplace").decode(encoding), err=err)


def echo_json(value: object) -> None:
    """Print a value as indented JSON on stdout."""
    text = printable_json(value)
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:  # a terminal of few characters
        text = printable_json(value, ascii=True)
    click.echo(text)


def _encoding(err: bool = False) -> str:
    return getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"


class _Stderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        echo(self.format(record), err=True)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"mbu-ops: {text}" if record.levelno >= logging.WARNING else text


@contextmanager
def messages() -> Iterator[None]:
    """Write what the library and the commands log to stderr: notes, and from ``-v`` on details too."""
    handler, level = _Stderr(), _ALL.level
    handler.setFormatter(_Lines())
    _ALL.addHandler(handler)
    _ALL.setLevel(logging.INFO)
    try:
        yield
    finally:
        _ALL.removeHandler(handler)
        _ALL.setLevel(level)


def is_quiet() -> bool:
    """Return whether only what went wrong is to be said."""
    return not log.isEnabledFor(logging.INFO)


def is_verbose() -> bool:
    """Return whether details are to be said."""
    return log.isEnabledFor(logging.DEBUG)


def with_verbosity(command: click.Command) -> click.Command:
    """Give a command ``-q`` and ``-v``, and return it."""

    def switch(level: int, *names: str, help: str) -> click.Option:
        def choose(_ctx: click.Context, _param: click.Parameter, chosen: bool) -> None:
            if chosen:
                _ALL.setLevel(level)

        return click.Option(names, is_flag=True, is_eager=True, expose_value=False, callback=choose, help=help)

    command.params += [
        switch(logging.WARNING, "-q", "--quiet", help="Say only what goes wrong."),
        switch(logging.DEBUG, "-v", "--verbose", help="Say also what is read and chosen, and where errors arise."),
    ]
    return command
