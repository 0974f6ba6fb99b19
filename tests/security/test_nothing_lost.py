"""Nothing is lost: not what a result is made from, nor who may see it, nor what other runs are at."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mbu_ops.batch import edit_files
from mbu_ops.files import atomic_path
from mbu_ops.images import read, write
from mbu_ops_cli.app import run

from ..pictures import draw

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs permissions and locks")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("step", ["add:smile@{guide}", "interpolate:smile@{other},to={guide}", "add:smile"])
def test_a_guide_is_never_replaced(step: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, guide, other = (draw(tmp_path / f"{name}.png") for name in ("photo", "guide", "other"))
    link = tmp_path / "link.png"
    link.hardlink_to(guide)
    before = guide.read_bytes()
    args = [
        "chain",
        step.format(guide=guide, other=other),
        "--existing",
        "overwrite",
        "-i",
        str(photo),
        "-o",
        str(link),
    ]
    args += [] if "{guide}" in step else ["--guide", f"smile={guide}"]
    assert run(args) == 2
    assert "the result would replace the input" in capsys.readouterr().err
    assert link.read_bytes() == before


@pytest.mark.parametrize(("source", "result"), [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644), (0o444, 0o644)])
def test_a_result_may_be_seen_by_those_who_may_see_the_photo(
    source: int, result: int, tmp_path: Path, umask: None
) -> None:
    photo = draw(tmp_path / "photo.png")
    photo.chmod(source)
    edit_files(nn.Hardtanh(0, 0.5), photo, tmp_path / "out.png", save_mask=True)
    assert [mode_of(tmp_path / name) for name in ("out.png", "out.png.mask.png")] == [result] * 2


def test_an_existing_file_keeps_its_mode(tmp_path: Path, umask: None) -> None:
    photo, out = draw(tmp_path / "photo.png"), draw(tmp_path / "out.png")
    out.chmod(0o600)
    write(out, torch.rand(3, 8, 8), read(photo), overwrite=True)
    assert mode_of(out) == 0o600


KILLED = """
import os, signal, sys
from pathlib import Path
from mbu_ops.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.txt")], timeout=60)
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    with atomic_path(tmp_path / "b.txt") as ours:
        assert not left.exists()
        sweeper = "import sys; from pathlib import Path; from mbu_ops.images import write_bytes\n"
        sweeper += "write_bytes(Path(sys.argv[1]), b'whole')"
        subprocess.run([sys.executable, "-c", sweeper, str(tmp_path / "c.txt")], check=True, timeout=60)
        ours.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.txt", "c.txt"]


class Counting(nn.Module):
    """Counts the pictures that it edits, and does something at the first."""

    def __init__(self, at_first: nn.Module | None = None) -> None:
        super().__init__()
        self.count = 0
        self.others = at_first

    def forward(self, image: Tensor) -> Tensor:
        if not self.count and self.others is not None:
            self.others(image)
        self.count += len(image)
        return image / 2


class AnotherRun(nn.Module):
    """Runs over the same pictures while another run is at them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.op = Counting()

    def forward(self, image: Tensor) -> Tensor:
        report = edit_files(self.op, self.folder / "in", self.folder / "out", existing="skip", batch_size=1)
        assert len(report.written) == self.op.count
        assert len(report.written) + len(report.skipped) == 30
        return image


def test_two_runs_that_skip_share_the_work(tmp_path: Path) -> None:
    for number in range(30):
        draw(tmp_path / "in" / f"{number}.png", seed=number)
    other = AnotherRun(tmp_path)
    op = Counting(other)
    report = edit_files(op, tmp_path / "in", tmp_path / "out", existing="skip", batch_size=1)
    assert (op.count, other.op.count) == (len(report.written), len(report.skipped))
    assert op.count + other.op.count == 30
    assert min(op.count, other.op.count) > 0
    assert len(list((tmp_path / "out").iterdir())) == 30  # and nothing hidden
