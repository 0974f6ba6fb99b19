"""Sound files, damaged in all the ways that come to mind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

_KINDS = ("overwrite", "insert", "remove", "repeat", "cut")
_TELLING = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"{",
    b'"',
    b"-1",
    b"1e999",
    b"\n",
    b"\xed\xb3\xa9",
]
_MOST, _START = 6, 64


class Change(NamedTuple):
    """One thing that is done to a file: what, where, with which bytes or how many."""

    kind: str
    at: int
    piece: bytes
    length: int


def apply(content: bytes, changes: Iterable[Change]) -> bytes:
    """Return a file with changes: bytes overwritten, inserted, removed, repeated, or the end cut."""
    damaged = bytearray(content)
    for kind, at, piece, length in changes:
        if kind == "overwrite":
            damaged[at : at + len(piece)] = piece
        elif kind == "insert":
            damaged[at:at] = piece
        elif kind == "remove":
            del damaged[at : at + length]
        elif kind == "repeat":
            damaged[at:at] = damaged[at : at + length]
        else:
            del damaged[at:]
    return bytes(damaged)


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Draw one of the files with up to six changes."""
    content = draw(st.sampled_from(seeds))
    # at the start is what says how the rest is read
    place = st.one_of(st.integers(0, min(_START, len(content))), st.integers(0, len(content)))
    piece = st.one_of(st.sampled_from(_TELLING), st.binary(min_size=1, max_size=8))
    change = st.builds(Change, st.sampled_from(_KINDS), place, piece, st.integers(1, 64))
    return apply(content, draw(st.lists(change, max_size=_MOST)))


def damaged_by_chance(content: bytes, random: Random) -> bytes:
    """Return a file with one to six changes, without hypothesis: the same for the same state of ``random``."""
    return apply(content, [_change(len(content), random) for _ in range(random.randint(1, _MOST))])


def _change(length: int, random: Random) -> Change:
    at = random.randint(0, random.choice((min(_START, length), length)))
    piece = random.choice((random.choice(_TELLING), random.randbytes(random.randint(1, 8))))
    kind = random.choices(_KINDS, (4, 2, 2, 2, 1))[0]  # a cut is over soon
    return Change(kind, at, piece, random.randint(1, 64))
