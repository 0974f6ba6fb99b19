"""``mbu-ops export``: what it writes, says and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import mbu_ops
from mbu_ops_cli.app import run


def test_a_chain_becomes_a_program(hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "hats.pt2"
    steps = [f"remove:{hats}", f"add:{hats},guide=1"]
    assert run(["export", *steps, "-o", str(out), "--mask", "--batch", "2", "--size", "20x24"]) == 0
    said = capsys.readouterr().out
    assert "image (2, 3, 20, 24) -> edited (2, 3, 20, 24), mask (2, 1, 20, 24)" in said
    assert "the largest difference is" in said
    image = torch.rand(2, 3, 20, 24)
    edit = mbu_ops.chain(steps).edit(image)
    for result, expected in zip(torch.export.load(out).module()(image), (edit.image, edit.mask), strict=True):
        torch.testing.assert_close(result, expected)


def test_json_holds_what_the_file_says(hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "hats.pt2"
    command = ["export", f"segment:{hats}", "-o", str(out), "--json", "--batch", "1", "--size", "16x16"]
    assert run(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["output"], said["steps"], said["outputs"][0]["name"]) == (str(out), [f"segment:{hats}"], "mask")
    assert run(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert run([*command, "--existing", "skip"]) == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "hats.pth"], "expected -o to name a file *.onnx or *.pt2"),
        (["-o", "hats.pt2", "--size", "20"], "expected --size HxW"),
        (["-o", "hats.pt2", "--size", "0x20"], "expected --size HxW"),
        (["-o", "hats.pt2", "--guide", "hat"], "expected --guide ATTR=PATH"),
    ],
)
def test_wrong_options_are_refused(
    hats: str, options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", f"remove:{hats}", *options]) == 2
    assert says in capsys.readouterr().err


def test_a_mask_of_a_mask_is_refused(hats: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", f"segment:{hats}", "-o", "hats.pt2", "--mask"]) == 2
    assert "leave --mask out" in capsys.readouterr().err
