"""What ``mbu-ops chain --help`` says of steps: written from the records of the verbs when help is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence

import click

from mbu_ops.ops.verbs import Verb, options_of, verbs
from mbu_ops_cli.settings import CommandWithSettings

LONGEST = 34
"""Longest example that has its help beside it, in characters."""


class StepCommand(CommandWithSettings):
    """A command of steps: ``{verbs}`` and ``{options}`` in its docstring become a line for each there is."""

    file_option = "recipe"

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the docstring, with the verbs and options that this installation has."""
        found = verbs()
        text = inspect.cleandoc(self.help or "")
        for field, lines in (("{verbs}", verb_lines(found)), ("{options}", option_lines(found))):
            text = text.replace(field, "\n".join(lines))
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)


def verb_lines(found: Sequence[Verb]) -> Iterator[str]:
    """Give an example of each verb and what it does, in two columns.

    Args:
        found: the verbs.

    Example:
        >>> from mbu_ops.ops.verbs import get_verb
        >>> for line in verb_lines([get_verb("remove"), get_verb("segment")]):
        ...     print(line)
          remove:smile     take it away
          segment:glasses  find where it is: a mask, as the last step
    """
    return _columns((verb.example, verb.help) for verb in found)


def option_lines(found: Sequence[Verb]) -> Iterator[str]:
    """Give each option of the verbs, what it means, and which verbs take it where not all do.

    Args:
        found: the verbs.
    """
    rows = []
    for option, takers in options_of(found):
        others = [verb.name for verb in found if verb not in takers]
        names = ", ".join(verb.name for verb in takers)
        which = "" if not others else f" (not {others[0]})" if len(others) == 1 else f" ({names})"
        rows.append((f"{option.name}=", option.help + which))
    return _columns(rows)


def _columns(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    rows = list(rows)
    width = max((len(left) for left, _ in rows if len(left) <= LONGEST), default=0)
    for left, right in rows:
        if len(left) > LONGEST:
            yield f"  {left}"
            left = ""
        yield f"  {left:{width}}  {right}"
