"""Checkpoints whose pickles are made to do harm: they are looked through, and refused in words of ours."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from mbu_ops.errors import WeightsError
from mbu_ops.weights.convert import convert


def deep_key(depth: int) -> bytes:
    """Return a pickle of a dictionary whose key is a pair of pairs of pairs ..., each of them shared."""
    body = b"X\x01\x00\x00\x00xq\x00"
    for level in range(depth):
        body += b"h" + bytes([level]) + b"\x86q" + bytes([level + 1])
    return b"\x80\x02}(" + body + b"K\x01u."


CASES: dict[str, tuple[bytes, str]] = {
    "a key that takes for ever to hash": (deep_key(60), "nests tuples to more than 256 values"),
    "the same, in a call": (
        b"\x80\x02ccollections\nOrderedDict\n" + deep_key(60)[4:-3] + b"\x85R.",
        "nests tuples to more than 256 values",
    ),
    "a command": (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.", r"asks for 'os\.system', which could run code"),
    "memory without end": (b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", r"asks for 'builtins\.bytearray'"),
    "control characters": (b"\x80\x02c\x1b[31m\nred\n.", r"asks for '.*', which could run code"),
    "a text without end": (b"\x80\x02X\xff\xff\x01\x00" + b"a" * 0x1FFFF + b".", "a text of more than 65536"),
    "instructions without end": (b"\x80\x02" + b"N" * 250_000 + b".", "more than 200000 instructions"),
    "instructions of another age": (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "which no checkpoint needs"),
    "an instance": (b"\x80\x02(ios\nsystem\n.", "which no checkpoint needs"),
    "instructions that do not fit": (b"\x80\x02\x85\x86.", "do not fit together"),
    "a name that was never kept": (b"\x80\x02h\x07.", "do not fit together"),
    "no pickle": (b"\xff\xff\xff", "damaged, or holds something other than plain tensors"),
    "half a pickle": (b"\x80\x02}(", "damaged, or holds something other than plain tensors"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_a_pickle_is_refused_before_it_is_read(
    case: str, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, reason = CASES[case]
    path = tmp_path / "a.pt"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", body)
            archive.writestr("a/version", "3\n")
    else:  # as torch wrote files before: three small pickles come first
        first: tuple[object, ...] = (0x1950A86A20F9469CFC6C, 1001, {})
        path.write_bytes(b"".join(pickle.dumps(one, 2) for one in first) + body)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(WeightsError, match=f"refused: .*{reason}") as caught:
        convert(path, tmp_path / "b.safetensors")
    message = str(caught.value)
    assert message.isprintable()
    assert "weights_only" not in message
    assert len(message) < 500 + len(str(path))


@pytest.mark.parametrize("zipped", [True, False])
def test_torchs_advice_is_not_passed_on(zipped: bool, tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(2, 2).to_sparse()}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="refused") as caught:
        convert(tmp_path / "a.pt", tmp_path / "b.safetensors")
    assert "weights_only" not in str(caught.value)
    assert "safe_globals" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_writes_is_looked_through_and_let_pass(zipped: bool, tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 3)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.zeros(1, 3)).sum().backward()
    optimiser.step()
    states = {name: OrderedDict(layer.state_dict()) for name in ("e1", "e2", "d_a", "d_b")}
    checkpoint = states | {
        "optim": optimiser.state_dict(),
        "iters": 7,
        "weight": layer.weight,
        "half": torch.ones(2).half(),
    }
    torch.save(checkpoint, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"expected layers full\.N in e1"):  # read, and only then refused
        convert(tmp_path / "a.pt", tmp_path / "b.safetensors")
