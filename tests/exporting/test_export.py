"""Ops as graphs and files: the same pictures at every size, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

import mbu_ops
from mbu_ops.errors import ConfigurationError, ExportError
from mbu_ops.exporting import Exported
from mbu_ops.exporting import export as module_export
from mbu_ops.exporting.exported import FLIPPED, TOLERANCE
from mbu_ops.exporting.files import OnnxFile, ProgramFile
from mbu_ops.frames import Box, Framed
from mbu_ops.testing import tiny_mbu

from ..tiny_faces import save_network
from .cases import BOUND, CASES, GUIDE_SIZE, Case

SIZES = [(2, 9, 31), (3, 70, 23), (1, 1, 5)]


def sides_of(exported: Exported, batch: int, height: int, width: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(height)
    sides = {"batch": batch, "height": height, "width": width}
    return tuple(port.drawn(sides, generator) for port in exported.inputs)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case.quick else pytest.mark.slow) for case in CASES], ids=str
)
def test_a_graph_and_its_files_do_what_the_op_does_at_any_size(case: Case, tmp_path: Path) -> None:
    op = case.build()
    mask = case.verbs[-1] not in ("segment", "parse")
    exported = mbu_ops.export(op, tmp_path / "op.onnx", guide_size=GUIDE_SIZE, mask=mask)
    assert ", ".join(port.name for port in exported.inputs) == case.inputs
    assert exported.difference < TOLERANCE
    assert exported.edited > 0.05
    content = ProgramFile().written(exported.program, None, exported.description)  # type: ignore[arg-type]
    graph = exported.program.module()
    onnx_file, program_file = OnnxFile().runner((tmp_path / "op.onnx").read_bytes()), ProgramFile().runner(content)
    for batch, height, width in SIZES:
        inputs = sides_of(exported, batch, height, width)
        with torch.no_grad():
            edit: Any = op.edit(*inputs) if mask else None  # type: ignore[operator]
            expected = [edit.image, edit.mask] if mask else [op(*inputs)]
            results = [graph(*inputs), onnx_file(inputs), program_file(inputs)]
        for result in results:
            for found, wanted in zip(result, expected, strict=True):
                assert found.shape == wanted.shape
                # labels are compared pixel by pixel: noise decides some of them by a rounding
                flipped = FLIPPED if "labels" in case.inputs else 0
                assert ((found - wanted).abs() > TOLERANCE).float().mean() <= flipped
        if case.inputs == BOUND and mask:
            outside = (expected[1] == 0).expand_as(inputs[0])
            assert torch.equal(results[1][0][outside], inputs[0][outside]), "what no mask covers is the photo's own"


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    hats = save_network(tmp_path / "hats.safetensors", tiny_mbu(), guides=0)
    op = mbu_ops.chain(f"remove:{hats}")
    exported = mbu_ops.export(op, tmp_path / "op.onnx", batch=2, size=(20, 24))
    model = onnx.load(tmp_path / "op.onnx")
    (entry,) = (entry for entry in model.metadata_props if entry.key == "mbu_ops")
    said = json.loads(entry.value)
    assert said == exported.description
    assert said["steps"] == [f"remove:{hats}"]
    assert said["weights"][0]["licence"] == "unknown"
    assert len(said["weights"][0]["sha256"]) == 64
    assert said["inputs"] == [
        {"name": "image", "shape": [2, 3, 20, 24], "least": 0.0, "greatest": 1.0, "dtype": "float32"}
    ]
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["image", "edited"]


def test_a_program_is_loaded_back(tmp_path: Path) -> None:
    op = mbu_ops.Remove(tiny_mbu())
    mbu_ops.export(op, tmp_path / "op.pt2", batch=1, size=(20, 24))
    said = {"mbu_ops.json": ""}
    module = torch.export.load(tmp_path / "op.pt2", extra_files=said).module()
    image = torch.rand(1, 3, 20, 24)
    torch.testing.assert_close(module(image)[0], op(image))
    assert json.loads(said["mbu_ops.json"])["steps"] == ["Remove"]


def test_a_wrong_file_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def darker(_: ProgramFile, content: bytes) -> Any:
        return lambda inputs: [inputs[0] * 0.5]

    monkeypatch.setattr(ProgramFile, "runner", darker)
    with pytest.raises(ExportError, match=r"differs by up to 0\.5.*no file was written"):
        mbu_ops.export(nn.Identity().eval(), tmp_path / "op.pt2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("build", "settings", "says"),
    [
        (lambda: Framed(mbu_ops.Remove(tiny_mbu()), Box(0, 0, 8, 8)).eval(), {}, "got Framed, which looks for places"),
        (lambda: mbu_ops.Transfer(tiny_mbu()).eval().bind(torch.rand(2, 3, 16, 16)), {}, "one for each of a batch"),
        (lambda: mbu_ops.Remove(tiny_mbu()).train(), {}, r"call .eval\(\)"),
        (lambda: mbu_ops.Segment(tiny_mbu()).eval(), {"mask": True}, "makes a mask and nothing else"),
        (lambda: nn.Identity().eval(), {"size": (0, 5)}, "expected size of whole numbers"),
        (lambda: nn.Identity().eval(), {"batch": 0}, "expected batch of whole numbers"),
        (lambda: nn.Identity().eval(), {"mask": True}, "which has no mask"),
        (lambda: nn.Bilinear(1, 1, 1).eval(), {}, "takes 'input1', of which nobody knows the shape"),
        (lambda: nn.Identity().eval(), {"path": "op.pickle"}, r"expected a file named \*.onnx or \*.pt2"),
    ],
)
def test_what_cannot_be_exported_is_refused(build: Any, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        mbu_ops.export(build(), **settings)


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "op.pt2").write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        mbu_ops.export(nn.Identity().eval(), tmp_path / "op.pt2")
    assert (tmp_path / "op.pt2").read_text() == "mine"


class Silent(nn.Module):
    """Asks for a value, which no graph knows."""

    def forward(self, image: Tensor) -> Tensor:
        return image if image.sum() > 0 else -image


def test_an_op_that_torch_cannot_trace_is_an_error_of_ours() -> None:
    with pytest.raises(ExportError, match="Silent cannot be exported"):
        mbu_ops.export(Silent().eval())


def test_the_table_in_the_docs_is_of_these_cases() -> None:
    tool = Path(__file__).parents[2] / "tools" / "generate_export_docs.py"
    assert subprocess.run([sys.executable, tool, "--check"], check=False).returncode == 0


def test_the_room_has_the_function_too() -> None:
    assert module_export is mbu_ops.export
