"""Names: what one may look like, what a mistyped one was meant to be, and how to print one that cannot be trusted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
"""What the name of a family, an attribute or a method looks like."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name.

    Args:
        name: what was asked for.
        known: what there is.

    Returns:
        The closest known name as a question, or else everything known; both start with a space.

    Example:
        >>> did_you_mean("glases", ["glasses", "smile"])
        " Did you mean 'glasses'?"
        >>> did_you_mean("teapot", ["glasses", "smile"])
        ' There is: glasses, smile.'
        >>> did_you_mean("teapot", [])
        ''
    """
    known = sorted(set(known))
    close = difflib.get_close_matches(name.lower(), known, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" There is: {', '.join(known)}." if known else ""


def with_article(noun: str) -> str:
    """Return a noun with its article, for messages.

    Example:
        >>> with_article("face"), with_article("avatar")
        ('a face', 'an avatar')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
