"""The same bytes again: results do not depend on who shares a batch, nor files on the order of a hash table."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from mbu_ops.batch import edit_files
from mbu_ops.evaluation.judge import Judge
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, load, save
from mbu_ops.weights.tensors import write_tensors

from ..pictures import draw_tree


class Neighbourly(nn.Module):
    """Edits each picture by what is in its batch, as networks do in their last digits."""

    def forward(self, image: Tensor) -> Tensor:
        return image / 2 + image.mean((0, 2, 3), keepdim=True) / 4


def results(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_resumed_batch_is_the_uninterrupted_one(tmp_path: Path) -> None:
    photos = draw_tree(tmp_path / "in")
    edit_files(Neighbourly(), photos, tmp_path / "whole")
    edit_files(Neighbourly(), photos / "1.png", tmp_path / "parts" / "1.png")
    report = edit_files(Neighbourly(), photos, tmp_path / "parts", existing="skip")
    assert (len(report.written), len(report.skipped)) == (4, 1)
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


def test_a_batch_that_somebody_asks_for_is_one(tmp_path: Path) -> None:
    photos = draw_tree(tmp_path / "in")
    edit_files(Neighbourly(), photos, tmp_path / "alone")
    edit_files(Neighbourly(), photos, tmp_path / "together", batch_size=3)
    assert results(tmp_path / "alone") != results(tmp_path / "together")


def test_weights_written_twice_have_one_digest(tmp_path: Path) -> None:
    model = tiny_mbu()
    info = WeightsInfo("mbu", model.config_to_dict(model.config), model.config.resolution)
    for number in range(8):  # of two entries, each order comes by chance
        save(tmp_path / str(number), model, info)
    assert len(set(results(tmp_path).values())) == 1
    assert load(tmp_path / "0").info.method == "mbu"


def test_judges_written_twice_have_one_digest(tmp_path: Path) -> None:
    judge = Judge()
    for number in range(4):
        judge.save(tmp_path / str(number))
    assert len(set(results(tmp_path).values())) == 1
    assert Judge.load(tmp_path / "0").kind == judge.kind


def test_text_of_any_kind_is_written_in_order(tmp_path: Path) -> None:
    metadata = {f'{number} é\n"\\\u2028': "ü" * number for number in range(20)}
    for number in range(4):
        write_tensors(tmp_path / str(number), {"b": torch.ones(3), "a": torch.zeros(2, dtype=torch.float16)}, metadata)
    (content,) = set(results(tmp_path).values())
    from safetensors import safe_open

    with safe_open(tmp_path / "0", "pt") as file:
        assert file.metadata() == metadata
        assert torch.equal(file.get_tensor("b"), torch.ones(3))
    assert int.from_bytes(content[:8], "little") % 8 == 0
