"""The command line as the cases use it, and what must hold of whatever it is given."""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from pathlib import Path

import torch

from mbu_ops.images import read, write
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, save
from mbu_ops_cli.app import run
from mbu_ops_cli.streams import own_streams

from .cases import READ, REFUSED, Heard

SIDE = 64
_UNFORESEEN = re.compile(r"(?:^|: )(?!OSError)(?:[A-Z]\w*Error|Exception): .*$|Exception raised from", re.MULTILINE)
"""An error that is told by its type alone: one that nobody foresaw, but for those of the system."""


def command(*args: str | Path) -> tuple[int, str, str]:
    """Run the command line here as ``mbu-ops`` would, and return its exit code and what it said.

    Raises:
        AssertionError: if it says what nobody meant it to.
    """
    with Heard() as heard:
        own_streams()
        code = run([str(argument) for argument in args])
    assert code in (0, 1, 2, 3), f"exit code {code}"
    for text in (heard.out, heard.err):
        assert "Traceback" not in text, text
        assert re.sub(r"[\n\t]", "", text).isprintable(), f"not printable: {text!r}"
    assert not code or "mbu-ops: " in heard.err or "Error: " in heard.err or "Usage: " in heard.err, "no word of why"
    return code, heard.out, heard.err


def check_foreseen(text: str) -> None:
    """Make sure that an error that was said is one of ours.

    Raises:
        AssertionError: if it is not.
    """
    found = _UNFORESEEN.search(text)
    assert found is None, f"nobody foresaw: {found and found[0]}"


def check_whole(folder: Path, result: Path, code: int) -> str:
    """Look at what a command left in a folder of results, and say whether it read what it was given.

    Raises:
        AssertionError: if there is half a file, or a result although it failed, or none although it did not.
    """
    left = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    assert left == ([] if code else [result.name]), f"exit code {code}, and it left {left}"
    return REFUSED if code else READ


@cache
def tiny_weights(folder: Path, family: str = "") -> Path:
    """Write weights of an untrained network, and return their path."""
    torch.set_num_threads(1)
    model = tiny_mbu()
    with torch.no_grad():
        codes = model.encode_guide(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    config = dataclasses.asdict(model.config)
    info = WeightsInfo("mbu", config, 16, family=family or None, attributes=("hat",) if family else (), guides=1)
    path = folder / f"hats-{family or 'none'}.safetensors"
    save(path, model, info, codes)
    return path


@cache
def photo(folder: Path) -> Path:
    """Write a small photo, and return its path."""
    path = folder / "photo.png"
    if not path.exists():
        write(path, torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
    return path


def check_readable(path: Path, size: tuple[int, int]) -> None:
    """Make sure that a result is a whole picture of that width and height.

    Raises:
        AssertionError: if it is not.
    """
    image = read(path)
    assert (image.width, image.height) == size, f"got {image.width} x {image.height} of {size}"
