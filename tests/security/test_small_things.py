"""Streams that are closed, names as long as can be, libraries that warn, tensors of other kinds."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mbu_ops.batch import edit_files, plan_files
from mbu_ops.errors import ConfigurationError, DeviceError, DTypeError, MBUOpsError
from mbu_ops.frames import Box, Framed
from mbu_ops.ops.remove import Remove
from mbu_ops.testing import tiny_mbu
from mbu_ops_cli.app import run

from ..pictures import draw


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    ("closed", "args", "code"),
    [
        ("<&- >&- 2>&-", "-i a.png -o b.png", 0),
        (">&-", "-i a.png -o -", 2),
        ("<&-", "-i - -o b.png", 1),
    ],
)
def test_closed_streams(closed: str, args: str, code: int, tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    command = f'"{sys.executable}" -m mbu_ops_cli chain segment:smile --no-align {args} {closed}'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "b.png").exists() == (code == 0)
    assert "Error" not in done.stderr
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (24, 20)


@pytest.mark.parametrize("letter", ["n", "é"])
def test_masks_and_boxes_of_the_longest_names(letter: str, tmp_path: Path) -> None:
    longest = letter * (251 // len(letter.encode()))
    photos = [draw(tmp_path / "in" / f"{longest[:-1]}{end}.png") for end in "12"]
    report = edit_files(nn.Hardtanh(0, 0.5), tmp_path / "in", tmp_path / "out", save_mask=True, save_boxes=True)
    assert len(report.written) == 2
    assert len(list((tmp_path / "out").iterdir())) == 6
    plan = plan_files(photos[0], tmp_path / "other", save_mask=True)
    assert plan.todo[0].mask is not None
    assert plan.todo[0].mask.name.endswith(".mask.png")


def test_a_warning_carries_the_name_of_its_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x0e\0\x02\0\0\xff\xff\0\0\0\x7f\0\0\0\0"  # its text lies behind its end
    for name in ("a", "b"):
        draw(tmp_path / "in" / f"{name}.jpg", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        args = ["-i", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
        assert run(["chain", "segment:smile", "--no-align", *args]) == 0
    said = [line for line in sorted(capsys.readouterr().err.splitlines()) if line.startswith("mbu-ops: ")]
    assert ["a.jpg': " in said[0], "b.jpg': " in said[-1]] == [True, True], said


OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "sparse": Tensor.to_sparse,
    "nested": lambda images: torch.nested.nested_tensor(list(images)),
    "meta": lambda images: images.to("meta"),
    "integers": Tensor.int,
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("framed", [False, True])
def test_tensors_of_other_kinds_get_our_errors(kind: str, framed: bool) -> None:
    op = Remove(tiny_mbu())
    with pytest.raises((DTypeError, DeviceError), match="expected image"):
        (Framed(op, Box(0, 0, 8, 8)) if framed else op)(OTHERS[kind](torch.rand(2, 3, 20, 24)))


@pytest.mark.parametrize("places", [5, [None], [[(1, 2)]], ["a"], [[Box(0, 0, 99, 99)]]])
def test_wrong_places_get_our_errors(places: object) -> None:
    with pytest.raises(MBUOpsError, match=r"expected (places|a box)") as raised:
        Framed(Remove(tiny_mbu()), Box(0, 0, 8, 8))(torch.rand(1, 3, 20, 24), places)
    assert isinstance(raised.value, ConfigurationError) or "99" in str(raised.value)


def test_ops_work_under_vmap() -> None:
    op, images = Remove(tiny_mbu()), torch.rand(2, 2, 3, 20, 24)
    framed = Framed(op, Box(0, 0, 8, 8))
    for module in (op, framed):
        mapped = torch.vmap(module)(images)
        assert torch.allclose(mapped, torch.stack([module(one) for one in images]), atol=1e-5)
