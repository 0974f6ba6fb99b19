"""Plugins that are broken or mean, at the command line: a clear line, and everything else still works."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mbu_ops import weights
from mbu_ops.families import broken, families
from mbu_ops_cli.app import run

from ..conftest import Install
from ..pictures import draw
from .conftest import Command, save_tiny

GOOD = """
from mbu_ops.families import AttributeSpec, FamilySpec
family = FamilySpec("evil", title="Evil", attributes=(AttributeSpec("hat", "Hat"),))
"""
ENTRY = b"[mbu_ops.families]\nevil = evil_plugin:family\n"

PLUGINS: dict[str, tuple[bytes, str, str]] = {
    "a malformed entry-point file": (b"[mbu_ops.families\nevil = evil_plugin:family\n", GOOD, "cannot be read"),
    "a key twice": (ENTRY + b"evil = other:family\n", GOOD, "already exists"),
    "not UTF-8": (ENTRY.replace(b"evil_plugin", b"\xe9vil_plugin"), GOOD, "UnicodeDecodeError|cannot be read"),
    "a missing module": (ENTRY.replace(b"evil_plugin", b"no_such_module"), GOOD, "ModuleNotFoundError"),
    "an ImportError": (ENTRY, "from mbu_ops.families import no_such_name", "ImportError"),
    "SystemExit": (ENTRY, "raise SystemExit(0)", "SystemExit"),
    "another API version": (ENTRY, GOOD.replace('"Evil"', '"Evil", api_version=2'), "api_version 1, got 2"),
    "a name that is taken": (ENTRY.replace(b"evil =", b"faces ="), GOOD, "is that of a part of mbu-ops"),
    "an attribute that is a path": (ENTRY, GOOD.replace('"hat"', '"../x"'), "got '../x'"),
}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    sys.modules.pop("evil_plugin", None)


@pytest.mark.parametrize("case", PLUGINS)
def test_a_broken_plugin_gets_a_line_and_costs_only_itself(
    case: str, install: Install, capsys: pytest.CaptureFixture[str], tmp_path: Path, hats: str
) -> None:
    entry_points, code, reason = PLUGINS[case]
    install("evil-plugin", entry_points, {"evil_plugin": code})
    assert run(["families", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "cannot be used (evil-plugin): " in line)
    assert any(part in line for part in reason.split("|")), line
    assert line.isprintable()
    assert any(other.startswith("handbags ") for other in lines)

    assert run(["families", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert "evil-plugin" in {entry["distribution"] for entry in listed["broken"]}
    picture = draw(tmp_path / "a.png")
    assert run(["chain", f"remove:{hats}", "-i", str(picture), "-o", str(tmp_path / "b.png")]) == 0
    assert (tmp_path / "b.png").exists()


@pytest.mark.slow
def test_a_slow_plugin_slows_only_what_asks_it(install: Install, mbu_ops: Command, tmp_path: Path, hats: str) -> None:
    """Two seconds at import: help, version and edits that do not name it do not wait for it."""
    info = install("evil-plugin", ENTRY, {"evil_plugin": "import time; time.sleep(2)\nprint('imported')\n" + GOOD})
    draw(tmp_path / "a.png")
    environment = {"PYTHONPATH": f"{info.parent}:{':'.join(sys.path)}"}
    import os

    for command in (
        ["--help"],
        ["--version"],
        ["chain", "--help"],
        ["chain", f"remove:{hats}", "-i", "a.png", "-o", "b.png"],
    ):
        done = mbu_ops(*command, env=os.environ | environment)
        assert done.returncode == 0, done.stderr
        assert b"imported" not in done.stdout + done.stderr  # a plugin's stdout goes to stderr, so it would be seen
    done = mbu_ops("families", "list", env=os.environ | environment)
    assert b"imported" in done.stderr
    assert b"\nevil " in done.stdout


def rewritten(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """The file with its header changed, and its length made to fit."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    text = json.dumps(change(json.loads(content[8 : 8 + length]))).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def without_a_key(path: Path) -> bytes:
    def rename(header: dict[str, Any]) -> dict[str, Any]:
        name = next(name for name in header if name.endswith("0.weight"))
        return {("renamed" if key == name else key): value for key, value in header.items()}

    return rewritten(path, rename)


def with_nan(path: Path) -> bytes:
    content = path.read_bytes()
    return content[:-4] + struct.pack("<f", float("nan"))


WEIGHTS: dict[str, tuple[Callable[[Path], bytes], bool, str, bool]] = {
    # what the file becomes; whether the plugin lists the digest of that; what is said; whether the list can see it
    "another file than listed": (lambda path: path.read_bytes()[:-1] + b"\x01", False, "expected sha256", True),
    "missing keys": (without_a_key, True, "missing: ", False),
    "NaN": (with_nan, True, "NaN", False),
    "an oversized header": (
        lambda path: struct.pack("<Q", 2**40) + path.read_bytes()[8:],
        True,
        "expected a safetensors file with a header",
        True,
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_bad_weights_of_a_plugin_are_refused(
    case: str, install: Install, capsys: pytest.CaptureFixture[str], tmp_path: Path, hats: str
) -> None:
    change, listed, reason, seen = WEIGHTS[case]
    good = save_tiny(tmp_path / "good", guides=1) / "weights.safetensors"
    content = change(good)
    file = tmp_path / "site" / "evil_plugin" / "evil-hat-a.safetensors"
    file.parent.mkdir()
    file.write_bytes(content)
    promised = content if listed else good.read_bytes()
    entry: dict[str, object] = {"id": "a", "method": "mbu", "attributes": ["hat"], "file": file.name, "licence": "any"}
    entry |= {"sha256": hashlib.sha256(promised).hexdigest(), "size": len(promised)}
    (file.parent / "weights.json").write_text(json.dumps([entry]))
    code = GOOD.replace("FamilySpec\n", "FamilySpec, read_manifest\n", 1).replace(
        '"Hat"),)', '"Hat"),), weights=read_manifest(__name__)'
    )
    (file.parent / "__init__.py").write_text(code)
    install("evil-plugin", ENTRY)

    picture = draw(tmp_path / "a.png")
    started = time.perf_counter()
    assert run(["chain", "remove:evil/hat", "-i", str(picture), "-o", str(tmp_path / "b.png")]) == 3
    assert time.perf_counter() - started < 20
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "b.png").exists()

    assert run(["families", "list"]) == 0
    shown = capsys.readouterr().out
    assert "evil " in shown
    assert ("weights a of hat cannot be used: " in shown) == seen
    assert run(["weights", "verify", "evil/hat"]) == 3
    assert reason in capsys.readouterr().err
    assert run(["families", "check", "evil"]) == 3
    assert reason in capsys.readouterr().out
    assert run(["chain", f"remove:{hats}", "-i", str(picture), "-o", str(tmp_path / "b.png")]) == 0


def test_the_state_of_sound_weights_is_no_flaw(install: Install) -> None:
    install("nothing", "")
    torch.manual_seed(0)
    for family in families():
        assert [weights.flaw(family, spec) for spec in family.weights] == [None] * len(family.weights)
    assert broken() == ()
