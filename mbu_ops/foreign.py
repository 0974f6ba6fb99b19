"""What strangers wrote: text that is shown safely, and JSON that is read strictly."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_UNSAFE = re.compile(r"[^\n\t -~]")


def printable(text: object) -> str:
    r"""Return text as it can be shown anywhere: lines and tabs stay, and what is no plain character is spelled out.

    That is control characters, with which a name could rewrite a terminal; marks that turn the direction of writing;
    and bytes of file names that are no text.

    Args:
        text: anything; an exception whose ``str`` fails is named by its type.

    Example:
        >>> printable("caf\udce9 \x1b[31mred\u202e") == r"caf\xe9 \x1b[31mred\u202e"
        True
    """
    return _UNSAFE.sub(_spelled, _text_of(text))


def printable_name(path: object) -> str:
    r"""Return a file's name as :func:`printable` text of one line.

    Args:
        path: the file.

    Example:
        >>> print(printable_name("a\nb.png"))
        a\nb.png
    """
    return printable(path).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: object, limit: int = 300) -> str:
    r"""Return text from a stranger as one printable line.

    Args:
        text: anything; an exception whose ``str`` fails is named by its type.
        limit: longest result, in characters.

    Example:
        >>> one_line("first\nsecond\x1b[31m")
        'first second [31m'
    """
    raw = _text_of(text)[: 4 * limit]
    shown = "".join(character if character.isprintable() else " " for character in raw)
    line = " ".join(shown.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def first_line(text: object, limit: int = 300) -> str:
    r"""Return the first line of text from a stranger as :func:`one_line`: torch's errors list what it was at behind it.

    Args:
        text: see :func:`one_line`.
        limit: longest result, in characters.

    Example:
        >>> first_line("too large\nException raised from ...")
        'too large'
    """
    return one_line(_text_of(text).strip().partition("\n")[0], limit)


def printable_json(value: object, *, ascii: bool = False) -> str:
    r"""Return indented JSON that is valid UTF-8 and safe to show, whatever the names in it.

    Args:
        value: what JSON can hold.
        ascii: spell out all that is not ASCII.

    Raises:
        ValueError: if a number is infinite or none.

    Example:
        >>> printable_json(["é", "\x7f\udce9"]) == '[\n  "é",\n  "\\u007f\\udce9"\n]'
        True
    """
    return _UNSAFE.sub(_escaped, json.dumps(value, indent=2, ensure_ascii=ascii, allow_nan=False))


def parse_object(content: bytes | str) -> dict[str, Any]:
    """Read a JSON object from a stranger: UTF-8 that starts with a brace, each name once, plain text, finite numbers.

    Args:
        content: the object; bytes must be UTF-8.

    Raises:
        ValueError: if it is anything else.

    Example:
        >>> parse_object(b'{"a": [1, {"b": 2, "b": 3}]}')
        Traceback (most recent call last):
        ValueError: a name stands twice: 'b'
    """
    text = content.decode("utf-8") if isinstance(content, bytes) else content
    if not text.startswith("{"):
        raise ValueError("it is not a JSON object: it does not begin with {")
    try:
        found: dict[str, Any] = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a character") from None
    return found


def _text_of(value: object) -> str:
    try:
        return str(value)
    except BaseException:  # code of a stranger, which may also exit
        return type(value).__name__


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"a name stands twice: {name!r:.100}")
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"expected finite numbers, got {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected finite numbers, got {text:.30}")
    return number


def _spelled(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that is no text
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]
