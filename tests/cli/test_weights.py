from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from mbu_ops.families import FamilySpec
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import read_info, save
from mbu_ops_cli.app import run


def test_list(pets: FamilySpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "list"]) == 0
    assert "pets/hat/hat-tiny" in capsys.readouterr().out
    assert run(["weights", "list", "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if row["id"] == "hat-tiny")
    assert row["installed"] is True


def test_a_missing_file_is_listed_as_missing(
    pets: FamilySpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plugin" / "fake_pets_data" / "hat.safetensors").unlink()
    assert run(["weights", "list"]) == 0
    assert "missing" in capsys.readouterr().out
    assert run(["weights", "verify", "pets/hat"]) == 3


def test_weights_in_the_user_s_own_store_are_listed_as_there(
    pets: FamilySpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "home" / "weights" / "pets"
    store.mkdir(parents=True)
    (tmp_path / "plugin" / "fake_pets_data" / "hat.safetensors").rename(store / "hat.safetensors")
    monkeypatch.setenv("MBU_OPS_HOME", str(tmp_path / "home"))
    assert run(["weights", "list", "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if row["id"] == "hat-tiny")
    assert row["installed"] is True
    assert run(["weights", "list"]) == 0
    assert "missing" not in next(line for line in capsys.readouterr().out.splitlines() if "hat-tiny" in line)
    assert run(["weights", "verify", "pets/hat"]) == 0


def test_verify_checks_all_and_names_each_failure(
    hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).write_bytes(b"no weights")
    args = [str(tmp_path / "a.safetensors"), "no_such_family/hat", str(tmp_path / "b.safetensors"), hats]
    assert run(["weights", "verify", *args]) == 3
    captured = capsys.readouterr()
    assert captured.out == f"{hats}: sound\n"
    assert [line.split(": ")[0] for line in captured.err.splitlines()] == args[:3]


def test_verify(pets: FamilySpec, hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "verify", "pets/hat", hats]) == 0
    assert capsys.readouterr().out == f"pets/hat: sound\n{hats}: sound\n"
    data = bytearray(Path(hats, "weights.safetensors").read_bytes())
    (tmp_path / "cut.safetensors").write_bytes(data[:-4])
    assert run(["weights", "verify", str(tmp_path / "cut.safetensors")]) == 3
    assert "cut.safetensors" in capsys.readouterr().err


def test_a_changed_byte_is_noticed(pets: FamilySpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plugin" / "fake_pets_data" / "hat.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert run(["weights", "verify"]) == 3
    assert "sha256" in capsys.readouterr().err


def test_info(hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "info", hats]) == 0
    out = capsys.readouterr().out
    assert "public domain" in out
    assert "frame        the family's first, 16 pixels" in out
    assert run(["weights", "info", hats, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["method"], facts["guides"], facts["resolution"], facts["frame"]) == ("mbu", 3, 16, None)


def test_info_shows_the_frame(hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = dataclasses.replace(read_info(Path(hats, "weights.safetensors")), frame="ears", guides=0)
    save(tmp_path / "ears.safetensors", tiny_mbu(), info)
    assert run(["weights", "info", str(tmp_path / "ears.safetensors")]) == 0
    assert "frame        ears, 16 pixels" in capsys.readouterr().out


def test_convert_refuses_what_is_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"something": torch.zeros(3)}, tmp_path / "other.pt")
    args = ["weights", "convert", str(tmp_path / "other.pt"), "-o", str(tmp_path / "new.safetensors")]
    assert run(args) == 3
    assert "other.pt" in capsys.readouterr().err
    assert not (tmp_path / "new.safetensors").exists()
