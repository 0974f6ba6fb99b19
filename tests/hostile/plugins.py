"""Plugins that do harm as they are found, imported, listed, or asked for places in a photo."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import torch

from mbu_ops.families import families, refresh

from ..fuzz.damage import damaged_by_chance
from ..fuzz.test_fuzz import ENTRIES
from ..security.test_hostile_plugins import ENTRY, HOSTILE, PRINTS, install_evil
from .cases import READ, REFUSED, Case
from .commands import check_whole, command, photo, tiny_weights

FAMILY = """
from mbu_ops.families import AttributeSpec, FamilySpec
from mbu_ops.frames import Box, Frame
import builtins, itertools, os, sys, torch
family = FamilySpec("evil", attributes=(AttributeSpec("hat", "Hat"),), aligner="evil_plugin:build")
class Finder:
    def find(self, image):
        {body}
def build():
    {build}
    return Finder()
"""

FINDERS = {
    "writes into the photo": "image.zero_(); return [Frame(20, 20, 15)]",
    "finds a million places": "return [Frame(20, 20, 15)] * 10**6",
    "never ends": "return (Frame(20, 20, 15) for _ in itertools.count())",
    "never returns": "import time; time.sleep(10**6)",
    "is busy for ever": "while True: pass",
    "finds what is no place": "return ['place', None, 3]",
    "finds places of another class": "return [type('Evil', (Frame,), {})(20, 20, 15)]",
    "finds a place far away": "return [Frame(10**9, 10**9, 15)]",
    "finds a place of no size": "return [Frame(20, 20, 0)]",
    "finds a place without end": "return [Frame(20, 20, 10**12)]",
    "finds a place that is none": "return [Frame(float('nan'), 20, 15)]",
    "finds a place at infinity": "return [Box(0, 0, 10**30, 10**30)]",
    "finds the same place often": "return [Frame(20, 20, 15)] * 999",
    "finds nothing": "return []",
    "returns nothing": "return None",
    "exits": "sys.exit(0)",
    "says that it was interrupted": "raise KeyboardInterrupt",
    "recurses": "return self.find(image)",
    "is out of memory": "torch.empty(10**15)",
    "raises what cannot be shown": "raise type('Bad', (Exception,), {'__str__': lambda self: sys.exit(0)})",
    "prints": "print('{}'); os.write(1, b'{}'); return [Frame(20, 20, 15)]",
    "takes print away": "builtins.print = builtins.len = None; return [Frame(20, 20, 15)]",
    "takes the streams away": "sys.stdout = sys.stderr = None; return [Frame(20, 20, 15)]",
    "moves to another folder": "os.chdir('/'); return [Frame(20, 20, 15)]",
    "closes the streams": "os.close(1); return [Frame(20, 20, 15)]",
    "sets other defaults": "torch.set_default_dtype(torch.float64); return [Frame(20, 20, 15)]",
    "sets gradients on": "torch.set_grad_enabled(True); return [Frame(20, 20, 15)]",
    "draws random numbers": "torch.manual_seed(9); torch.rand(3); return [Frame(20, 20, 15)]",
    "changes the size of the photo": "image.resize_(0); return [Frame(20, 20, 15)]",
}
BUILDERS = {
    "is built without end of words": "raise ValueError('x' * 10**7)",
    "is built as nothing": "return None",
    "exits as it is built": "sys.exit(0)",
    "is a number": "return 3",
    "moves away as it is built": "os.chdir('/')",
}
OTHERS = {
    "a method that exits": ("[mbu_ops.methods]\nevil = evil_plugin:Evil\n", "raise SystemExit"),
    "a method that is none": ("[mbu_ops.methods]\nevil = evil_plugin:Evil\n", "Evil = 3"),
    "a method of our name": ("[mbu_ops.methods]\nmbu = evil_plugin:Evil\n", "Evil = 3"),
    "a verb that exits": ("[mbu_ops.verbs]\nevil = evil_plugin:verb\n", "raise SystemExit"),
    "a verb that is none": ("[mbu_ops.verbs]\nevil = evil_plugin:verb\n", "verb = 3"),
    "a family of our name": ("[mbu_ops.families]\nfaces = evil_plugin:family\n", "family = 3"),
    "thousands of entries": ("[mbu_ops.families]\n" + "".join(f"e{n} = n{n}:f\n" for n in range(20_000)), ""),
    "a module of our name": ("[mbu_ops.families]\nevil = mbu_ops.families:faces\n", ""),
}


def cases(count: int, seed: int, shared: Path) -> Iterator[Case]:
    """Yield so many plugins, the same for the same seed."""
    random = Random(seed)
    found: list[tuple[str, str | bytes, str]] = [(name, ENTRY, code) for name, code in {**HOSTILE, "p": PRINTS}.items()]
    found += [(name, ENTRY, FAMILY.format(body=body, build="pass")) for name, body in FINDERS.items()]
    found += [(name, ENTRY, FAMILY.format(body="return []", build=build)) for name, build in BUILDERS.items()]
    found += [(name, *rest) for name, rest in OTHERS.items()]
    while len(found) < count:
        found.append(("damaged entry points", damaged_by_chance(random.choice(ENTRIES), random), "family = 3"))
    tiny_weights(shared, "evil"), tiny_weights(shared), photo(shared)  # for all that follow
    expected = _edited(shared, tiny_weights(shared), shared / "expected")
    for name, entries, code in found[:count]:
        yield Case(name, partial(_install, entries, code), partial(_use, shared, expected))


def _install(entries: str | bytes, code: str, folder: Path) -> None:
    install_evil(folder, entries, code)


def _use(shared: Path, expected: str, folder: Path) -> str:
    """List, show, complete, edit with it and without it."""
    os.environ["MBU_OPS_PLUGINS"] = "evil"
    sys.path.insert(0, str(folder))
    refresh()
    here = Path.cwd()
    code, said, _ = command("families", "list", "--json")
    assert code == 0, said
    listed = {family["name"] for family in json.loads(said)["families"]}
    assert {"faces", "handbags"} <= listed | {entry["name"] for entry in json.loads(said)["broken"]}, listed
    for words in (("families", "list"), ("weights", "list"), ("families", "show", "evil"), ("methods", "list")):
        command(*words)
    assert callable(print), "print is gone"
    assert sys.stdout is not None, "stdout is gone"
    verdict = _edit_with_it(shared, folder / "with")
    assert _edited(shared, tiny_weights(shared), folder / "without") == expected, "changed the edits of others"
    assert torch.get_default_dtype() == torch.float32, "left other defaults"
    assert Path.cwd() == here, "moved"
    return verdict if "evil" in {family.name for family in families()} else REFUSED


def _edit_with_it(shared: Path, out: Path) -> str:
    step = f"remove:{tiny_weights(shared, 'evil')}"
    code, said, _ = command("chain", step, "-i", photo(shared), "-o", out / "a.png", "--timeout", "3")
    assert not said, f"stdout got {said!r}"
    return check_whole(out, out / "a.png", code)


def _edited(shared: Path, weights: Path, out: Path) -> str:
    """Return the digest of an edit that has nothing to do with the plugin."""
    command("chain", f"remove:{weights}", "-i", photo(shared), "-o", out / "a.png", "--no-align")
    assert check_whole(out, out / "a.png", 0) == READ
    return hashlib.sha256((out / "a.png").read_bytes()).hexdigest()
