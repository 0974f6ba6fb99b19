"""Weights on the Hugging Face Hub, by the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mbu_ops_cli.app import run

from ..hub_server import HubServer, Repo
from ..pictures import draw


@pytest.fixture
def pinned(hub: HubServer, hats: str) -> str:
    """The name of weights on the hub, with their commit."""
    hub.repos["ann/hats"] = repo = Repo()
    return f"hf://ann/hats:{repo.commit({'weights.safetensors': Path(hats, 'weights.safetensors').read_bytes()})}"


def test_a_chain_s_plan_and_report_name_the_commit(
    pinned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, guide = str(draw(tmp_path / "photo.png")), str(draw(tmp_path / "guide.png", seed=1))
    chain = ["chain", f"add:hf://ann/hats@{guide}", "-i", photo, "-o", str(tmp_path / "out.png"), "--no-align"]
    assert run([*chain, "--dry-run"]) == 0
    assert f"step 1: add:{pinned}@{guide}  (mbu, " in capsys.readouterr().out
    assert run([*chain, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["chain"], len(report["written"])) == (f"add:{pinned}@{guide}", 1)


def test_verify_names_the_commit(pinned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "verify", "hf://ann/hats", "hf://ann/cats"]) == 3
    captured = capsys.readouterr()
    assert captured.out == f"{pinned}: sound\n"
    assert captured.err.startswith("hf://ann/cats: no such repository, or a private one")


@pytest.mark.slow
def test_the_environment_s_switches_hold(pinned: str, hub: HubServer, tmp_path: Path) -> None:
    """A process of its own: the library reads them once, when it is imported."""
    code = "import sys; from mbu_ops_cli.app import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "weights", "verify", "hf://ann/hats"]
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": ""}
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    first = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert (first.returncode, hub.requests) == (3, [])
    assert "not downloaded before, and the Hub is out of reach" in first.stderr
    for switches in (environment, offline):
        done = subprocess.run(command, env=switches, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, f"{pinned}: sound\n"), done.stderr
