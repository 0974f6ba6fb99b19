"""What ``mbu-ops weights info`` says: a weights file's description as lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mbu_ops.weights import WeightsInfo

_BEFORE, _FIRST = "started_from", "the family's first"


def described_lines(path: Path, info: WeightsInfo) -> Iterator[tuple[str, str]]:
    """Give a description as lines of a name and a value; the name is empty where the one before goes on.

    Args:
        path: the file.
        info: what it says of itself.

    Example:
        >>> info = WeightsInfo("mbu", {"patch": 2}, 128, "faces", ("smile",), training={"steps": 90})
        >>> for name, value in described_lines(Path("smile.safetensors"), info):
        ...     print(f"{name:<10} {value}")
        path       smile.safetensors
        method     mbu
        edits      faces/smile
        frame      the family's first, 128 pixels
        guides     no default ones
        numbers    float32
        presence   not known: always edits
        licence    unknown
        config     patch 2
        training   steps 90
    """
    yield "path", str(path)
    yield "method", info.method
    family = "" if info.family is None else f"{info.family}/"
    yield "edits", ", ".join(f"{family}{name}" for name in info.attributes) or "something without a name"
    yield "frame", f"{info.frame or _FIRST}, {info.resolution} pixels"
    yield "guides", f"{info.guides} default ones" if info.guides else "no default ones"
    yield "numbers", info.dtype
    sure = ", ".join(f"{verb} where it is {least:.3g} sure" for verb, least in (info.presence or {}).items())
    yield "presence", sure or "not known: always edits"
    yield "licence", info.licence
    yield from _named("config", info.config)
    runs = list(_runs(info.training))
    for run, facts in runs[:1]:
        yield from _named(run, facts)
    if runs[1:]:
        yield "before", f"{len(runs) - 1} runs, the last of which it started from (--json tells them in full)"
        for _, facts in runs[1:]:
            yield "", ", ".join(_flat({name: value for name, value in facts.items() if name in ("steps", "data")}))


def _runs(training: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give the training, and the trainings that it started from, without each other."""
    at: object = training
    while isinstance(at, Mapping):
        yield "training", {name: value for name, value in at.items() if name != _BEFORE}
        at = at.get(_BEFORE)


def _named(name: str, facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for line in _flat(facts) or ["nothing is said"]:
        yield name, line
        name = ""


def _flat(facts: Mapping[str, object], within: str = "") -> list[str]:
    """Return a line for each fact, at whatever depth it stands."""
    lines = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{within}{name}.")
        else:
            text = ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
            lines.append(f"{within}{name} {text}")
    return lines


def _text(value: object) -> str:
    return "=".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
