"""Files that are none, or far longer than they should be: nothing waits for them, and what is refused is not read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mbu_ops import weights
from mbu_ops.data.celeba import CelebA
from mbu_ops.errors import DataError, MBUOpsError, WeightsError
from mbu_ops.evaluation.blind import Key
from mbu_ops.evaluation.judge import Judge
from mbu_ops.files import open_regular, read_regular, read_text, sha256_of
from mbu_ops.images import read, read_labels
from mbu_ops.methods.mbu import MBU
from mbu_ops.testing import tiny_mbu
from mbu_ops.training.state import read_facts
from mbu_ops.weights import WeightsInfo
from mbu_ops.weights.convert import convert

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")

READERS: dict[str, Callable[[Path], object]] = {
    "a picture": read,
    "a mask": lambda path: read_labels(path, [(0, 0, 0)]),
    "weights": weights.load,
    "a description of weights": weights.read_info,
    "a checkpoint": lambda path: convert(path, path.with_suffix(".safetensors")),
    "a state of a training": read_facts,
    "a judge": Judge.load,
    "a key": Key.read,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(reader: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(MBUOpsError, match="foreign"):
        READERS[reader](path)


def test_lists_of_labels_are_files(tmp_path: Path) -> None:
    (tmp_path / "img_align_celeba").mkdir()
    (tmp_path / "list_eval_partition.txt").write_text("")
    os.mkfifo(tmp_path / "list_attr_celeba.txt")
    with pytest.raises(DataError, match="no regular file"):
        CelebA.read(tmp_path)


def test_a_card_that_is_a_pipe_is_no_card(tmp_path: Path) -> None:
    model, path = tiny_mbu(), tmp_path / "hats.safetensors"
    weights.save(path, model, WeightsInfo("mbu", MBU.config_to_dict(model.config), 16))
    os.mkfifo(tmp_path / "hats.md")
    with (tmp_path / "README.md").open("wb") as card:
        card.write(b"---\n")
        card.truncate(5 << 20)
    assert weights.load_pretrained(path).card == ""


def test_a_checkpoint_far_too_long_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.pt").open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(50 << 30)
    with pytest.raises(WeightsError, match="expected at most 4294967296 bytes, got 53687091200"):
        convert(tmp_path / "a.pt", tmp_path / "b.safetensors")


def test_weights_that_claim_foreign_tensors_are_not_read(tmp_path: Path) -> None:
    """A header that agrees with a file of gigabytes: what it says is compared with the network before they are read."""
    resource = pytest.importorskip("resource")
    model, path = tiny_mbu(), tmp_path / "hats.safetensors"
    weights.save(path, model, WeightsInfo("mbu", MBU.config_to_dict(model.config), 16))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    end, more = len(content) - 8 - length, 3 << 30
    entry = f', "more": {{"dtype": "F16", "shape": [{more // 2}], "data_offsets": [{end}, {end + more}]}}}}'
    header = content[8 : 8 + length].rstrip()[:-1] + entry.encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    os.truncate(path, 8 + len(header) + end + more)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match="unexpected: more"):
        weights.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_a_file_ends_where_it_said(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"whole")
    with open_regular(path) as file:
        with path.open("ab") as more:
            more.write(b" and more")
        assert file.read() == b"whole"
        file.seek(2)
        assert file.read(100) == b"ole"
    assert read_text(path) == "whole and more"
    with pytest.raises(OSError, match="expected at most 5 bytes, got 14"):
        read_regular(path, 5)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs files that the system makes up")
def test_a_file_that_the_system_makes_up_is_empty() -> None:
    assert read_regular(Path("/proc/self/status"), 100) == b""
    assert sha256_of(Path("/proc/self/status")).startswith("e3b0c442")
