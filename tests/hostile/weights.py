"""Weights files and checkpoints made to do harm: damaged, lying, full of code, or none at all."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch

from mbu_ops import weights
from mbu_ops.errors import WeightsError
from mbu_ops.testing import tiny_didd, tiny_maae
from mbu_ops.weights import WeightsInfo

from ..fuzz.damage import damaged_by_chance
from ..security.test_hostile_pickles import CASES
from ..security.test_hostile_weights import HEADERS, OTHERS, join, split
from .cases import READ, REFUSED, Case
from .commands import check_foreseen, check_whole, command, photo, tiny_weights

Maker = Callable[[Path], object]


def cases(count: int, seed: int, shared: Path) -> Iterator[Case]:
    """Yield so many weights files and checkpoints, the same for the same seed."""
    random = Random(seed)
    sound = {"mbu": tiny_weights(shared), **{name: _other(shared, name) for name in ("didd", "maae")}}
    written = [*_headers(sound), *_bombs(sound["mbu"])]
    pickles = [*_pickles(), *_payloads()]
    edit = partial(_edit, shared)
    named: list[tuple[str, str, Maker, Callable[[Path, Path], str]]] = []
    named += [(name, "a.safetensors", make, edit) for name, make in written]
    named += [(name, "a.pt", make, _convert) for name, make in pickles]
    checkpoint = _checkpoint(shared)
    while len(named) < count:
        kind = random.choice(("bytes", "header", "numbers", "checkpoint"))
        path = random.choice(list(sound.values()))
        if kind == "checkpoint":
            content = damaged_by_chance(random.choice(checkpoint), random)
            named.append(("damaged checkpoint", "a.pt", partial(_write, content), _convert))
            continue
        content = path.read_bytes()
        if kind == "numbers":
            header, body = split(path)
            content = join(header, _other_numbers(body, random))
        elif kind == "header":
            header, body = split(path)
            content = join(damaged_by_chance(json.dumps(header).encode(), random).decode("utf-8", "replace"), body)
        else:
            content = damaged_by_chance(content, random)
        named.append((f"damaged {kind} of {path.stem}", "a.safetensors", partial(_write, content), edit))
    random.shuffle(named)
    for number, (name, file, make, attempt) in enumerate(named[:count]):
        yield Case(f"{name} ({number})", partial(_make, make, file), partial(_attempt, attempt, file))


def _other_numbers(body: bytes, random: Random) -> bytes:
    """Return the bytes of tensors with some others among them, which may well be finite."""
    changed = bytearray(body)
    for _ in range(random.choice((1, 10, 1000))):
        changed[random.randrange(len(changed))] = random.choice((0, 0x7B, 0xFB, random.randrange(0x7C)))
    return bytes(changed)


def _make(make: Maker, file: str, folder: Path) -> None:
    make(folder / file)


def _attempt(attempt: Callable[[Path, Path], str], file: str, folder: Path) -> str:
    proof = Path(f"/tmp/{PROOF}")
    try:
        return attempt(folder / file, folder / "out")
    finally:
        if proof.exists():
            proof.unlink()
            raise AssertionError("code of the file ran")


def _edit(shared: Path, path: Path, out: Path) -> str:
    """Describe, load and use weights: all three agree, and what is loaded are finite numbers."""
    code, said, why = command("weights", "info", path, "--json")
    check_foreseen(why)
    if not code:
        json.loads(said)
    is_loaded = False
    with suppress(WeightsError):
        state = weights.load(path)[0].state_dict()
        is_loaded = True
        assert not code, "loaded what cannot be described"
        assert all(bool(value.isfinite().all()) for value in state.values()), "numbers that are none"
    code, _, why = command("chain", f"remove:{path}", "-i", photo(shared), "-o", out / "a.png", "--no-align", "-q")
    check_foreseen(why)
    verdict = check_whole(out, out / "a.png", code)
    assert verdict == REFUSED or is_loaded, "edited with what cannot be loaded"
    return verdict


def _convert(path: Path, out: Path) -> str:
    """Convert a checkpoint."""
    out.mkdir()
    code, _, why = command("weights", "convert", path, "-o", out / "a.safetensors")
    check_foreseen(why)
    verdict = check_whole(out, out / "a.safetensors", code)
    if verdict == READ:
        weights.load(out / "a.safetensors")
    return verdict


def _other(shared: Path, method: str) -> Path:
    model = {"didd": tiny_didd, "maae": tiny_maae}[method]()
    path, names = shared / f"{method}.safetensors", ("hat", "tie")[: model.contents]
    info = WeightsInfo(method, model.config_to_dict(model.config), 16, attributes=names)
    weights.save(path, model, info, guides=torch.zeros(1, *model.guide_shape))
    return path


def _headers(sound: dict[str, Path]) -> Iterator[tuple[str, Maker]]:
    known = [(name, "mbu", change) for name, (change, _) in HEADERS.items()]
    known += [(name, method, change) for name, (method, change, _) in OTHERS.items()]
    for name, method, change in known:
        header, body = split(sound[method])
        yield name, partial(_write, join(change(header), body))


def _bombs(path: Path) -> Iterator[tuple[str, Maker]]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    body = content[8 + length :]
    for value in (0x7C00, 0xFC00, 0x7E00, 0x7BFF):  # infinities, no number, the largest
        filled = struct.pack("<H", value) * (len(body) // 2)
        yield f"numbers of {value:x}", partial(_write, content[: 8 + length] + filled)
    for number in (0, 1, 1_000_001, 2**40, 2**63, 2**64 - 1):
        yield f"a header of {number}", partial(_write, struct.pack("<Q", number) + content[8:])
    for size in (1 << 20, 3 << 30, 50 << 30):
        yield f"padded to {size >> 20} MiB", partial(_write_long, content, size)
    yield "a pipe", os.mkfifo
    yield "a folder", Path.mkdir
    yield "nothing", Path.touch
    yield "a device", lambda path: path.symlink_to("/dev/zero")


PROOF = "mbu-ops-hostile-proof"
"""Name of the file that the code in checkpoints writes, where it runs."""


class _Payload:
    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _payloads() -> Iterator[tuple[str, Maker]]:
    import builtins
    import runpy
    import shutil
    import subprocess

    proof = f"/tmp/{PROOF}"
    calls: dict[str, tuple[Any, ...]] = {
        "system": (os.system, f"touch {proof}"),
        "open": (open, proof, "w"),
        "exec": (builtins.exec, f"open({proof!r}, 'w')"),
        "eval": (builtins.eval, f"open({proof!r}, 'w')"),
        "Popen": (subprocess.Popen, ["touch", proof]),
        "run_path": (runpy.run_path, proof),
        "copy": (shutil.copy, "/etc/hostname", proof),
        "load": (torch.load, proof),
        "getattr": (getattr, "text", "upper"),
        "path": (Path.write_text, Path(proof), "x"),
    }
    for name, call in calls.items():
        for place in ("alone", "in a state"):
            payload = _Payload(*call)
            content = pickle.dumps(payload if place == "alone" else {"e1": {"full.0.weight": payload}}, 2)
            yield f"code: {name} {place}", partial(_zip, content)


def _pickles() -> Iterator[tuple[str, Maker]]:
    for name, (body, _) in CASES.items():
        yield f"{name}, zipped", partial(_zip, body)
        first: tuple[object, ...] = (0x1950A86A20F9469CFC6C, 1001, {})
        yield f"{name}, as before", partial(_write, b"".join(pickle.dumps(one, 2) for one in first) + body)


def _checkpoint(shared: Path) -> list[bytes]:
    layers = {f"full.{number}.weight": torch.rand(4, 3, 4, 4) for number in range(3)}
    found = []
    for zipped in (True, False):
        path = shared / f"sound-{zipped}.pt"
        torch.save(dict.fromkeys(("e1", "e2", "d_a", "d_b"), layers), path, _use_new_zipfile_serialization=zipped)
        found.append(path.read_bytes())
    return found


def _zip(body: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", body)
        archive.writestr("a/version", "3\n")


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _write_long(content: bytes, size: int, path: Path) -> None:
    path.write_bytes(content)
    os.truncate(path, size)
