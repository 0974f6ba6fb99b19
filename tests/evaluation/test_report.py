"""A report: taken up where it was left, refused where it would mix, and readable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mbu_ops.errors import ConfigurationError
from mbu_ops.evaluation.figures import Figure, largest, share
from mbu_ops.evaluation.report import Report, table
from mbu_ops.evaluation.segmentation import best_threshold
from mbu_ops.evaluation.sheets import threshold_curve
from mbu_ops.functional.grid import grid

FIGURES = [share("add", "added", torch.arange(4) < 3), largest("out", "outside", torch.zeros(4))]


def test_figures_come_back_for_the_same_file_only(tmp_path: Path) -> None:
    Report(tmp_path / "report", {"seed": 1}).add("a", {"sha256": "x", "regions": "r"}, FIGURES)
    again = Report(tmp_path / "report", {"seed": 1})
    assert again.figures("a", {"sha256": "x", "regions": "r"}) == FIGURES
    assert again.figures("a", {"sha256": "y", "regions": "r"}) is None
    assert again.figures("a", {"sha256": "x", "regions": "s"}) is None
    assert again.figures("b", {"sha256": "x"}) is None


@pytest.mark.parametrize("content", ["{}", "no json", json.dumps({"settings": {"seed": 2}, "weights": {}})])
def test_another_report_is_not_mixed_in(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"other settings|cannot be a report's folder"):
        Report(tmp_path, {"seed": 1})


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be a report's folder"):
        Report(tmp_path / "taken", {})


def test_the_table_has_a_column_for_each_and_links_its_sheets(tmp_path: Path) -> None:
    report = Report(tmp_path, {"seed": 1})
    sheet = report.sheets("../runs/a b") / "transfer.png"
    assert sheet.parent.parent == tmp_path  # whatever the weights are called
    path = report.write_table("Hats", {"a": FIGURES, "b": FIGURES[:1]}, {"a": [sheet]})
    text = path.read_text()
    assert "| added | 75.0% [30.1%, 95.4%] n=4 | 75.0% [30.1%, 95.4%] n=4 |" in text
    assert "| outside | 0 n=4 | |" in text
    assert f"![transfer]({sheet.relative_to(tmp_path).as_posix()})" in text


def test_a_column_may_lack_a_figure() -> None:
    assert table({"a": [], "b": [Figure("x", "X", 1.0, None, None, 3)]}).splitlines()[-1] == "| X | | 1 n=3 |"


def test_a_grid_is_made_of_its_rows() -> None:
    rows = [torch.zeros(2, 3, 4, 4), torch.ones(2, 1, 4, 4)]
    image = grid(rows)
    assert image.shape == (3, 8, 8)
    assert image[:, :4].eq(0).all()
    assert image[:, 4:].eq(1).all()


def test_the_curve_is_highest_at_the_best_threshold() -> None:
    truth = torch.zeros(3, 1, 8, 8, dtype=torch.bool)
    truth[:, :, 2:5, 2:6] = True
    soft = torch.where(truth, 0.6, 0.3)
    assert 0.3 < best_threshold(soft, truth) <= 0.6
    picture = threshold_curve({"ours": (soft, truth)}, side=100)
    blue = [(x, y) for x in range(picture.width) for y in range(40, 140) if picture.getpixel((x, y)) == (31, 119, 180)]
    assert min(y for _, y in blue) <= 41  # IoU 1, the top of the axes
    highest = [x for x, y in blue if y <= 41]
    assert min(highest) >= 40 + 30
    assert max(highest) <= 40 + 62
