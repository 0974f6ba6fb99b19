"""Sound files, damaged in all the ways that come to mind."""

from __future__ import annotations

from collections.abc import Sequence

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


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Draw one of the files with up to six changes: bytes overwritten, inserted, removed, repeated, or the end cut."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        # at the start is what says how the rest is read
        at = draw(st.one_of(st.integers(0, min(64, len(content))), st.integers(0, len(content))))
        kind = draw(st.sampled_from(_KINDS))
        piece = draw(st.one_of(st.sampled_from(_TELLING), st.binary(min_size=1, max_size=8)))
        length = draw(st.integers(1, 64))
        if kind == "overwrite":
            content[at : at + len(piece)] = piece
        elif kind == "insert":
            content[at:at] = piece
        elif kind == "remove":
            del content[at : at + length]
        elif kind == "repeat":
            content[at:at] = content[at : at + length]
        else:
            del content[at:]
    return bytes(content)
