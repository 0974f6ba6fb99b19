"""Write the tables of docs/verbs/README.md from the verbs' records. With --check, only tell if they are up to date."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

os.environ["MBU_OPS_PLUGINS"] = ""  # the page is of this package's verbs, whatever else is installed

from made_block import write_or_check

from mbu_ops.ops.verbs import Verb, options_of, verbs

PAGE = Path(__file__).resolve().parent.parent / "docs" / "verbs" / "README.md"
BLOCK = re.compile(r"(<!-- verbs: .*? -->\n).*?(<!-- end of verbs -->)", re.DOTALL)


def tables() -> str:
    """Return a table of the verbs, and one of their options."""
    return "\n".join(["", *verb_table(), "", *option_table(), "", ""])


def verb_table() -> Iterator[str]:
    """Give the lines of a table with a row for each verb."""
    yield row(["verb", "what it does", "a step", "guides", "options of its own", "in Python"])
    yield row(["---"] * 6)
    for verb in verbs():
        page = PAGE.parent / f"{verb.name}.md"
        name = f"[{verb.name}]({page.name})" if page.exists() else verb.name
        own = ", ".join(f"`{option.name}`" for option in verb.options)
        yield row([name, verb.help, f"`{verb.example}`", str(verb.guides or "none"), own, f"`{verb.op_name}`"])


def option_table() -> Iterator[str]:
    """Give the lines of a table with a row for each option that means something of its own."""
    yield row(["option", "what it says", "of", "when left out"])
    yield row(["---"] * 4)
    for option, takers in options_of(verbs()):
        yield row([f"`{option.name}`", option.help, names(takers), defaults(option.name, takers)])


def names(takers: list[Verb]) -> str:
    """Return which verbs take an option."""
    return "all" if len(takers) == len(verbs()) else ", ".join(verb.name for verb in takers)


def defaults(name: str, takers: list[Verb]) -> str:
    """Return an option's default, and those of the verbs where it is another than the first's."""
    texts = [(verb.name, verb.accepts[name].default_text) for verb in takers]
    first = texts[0][1]
    others = [f"{text} for {verb}" for verb, text in texts if text != first]
    return "; ".join([first, *others])


def row(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    """Write the tables, or check them."""
    return write_or_check(PAGE, BLOCK, tables())


if __name__ == "__main__":
    sys.exit(main())
