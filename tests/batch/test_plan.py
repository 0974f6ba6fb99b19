from __future__ import annotations

import os
from pathlib import Path

import pytest

from mbu_ops.batch import FilePlan, Job, plan, plan_files
from mbu_ops.errors import ConfigurationError, ImageFileError

from ..pictures import draw, draw_tree


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_tree(tmp_path / "photos")


def test_pipes() -> None:
    assert plan_files("-", "-") == FilePlan((Job(None, None),))
    assert plan_files(["-"], "a.png") == FilePlan((Job(None, Path("a.png")),))
    assert str(Job(None, None)) == "-"


def test_one_path_is_as_good_as_several(photos: Path, tmp_path: Path) -> None:
    one = plan_files(photos, tmp_path / "out")
    assert one == plan_files([str(photos)], str(tmp_path / "out"))
    assert len(one.todo) == 5


def test_an_unknown_word_for_existing_results_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected existing = error, skip, overwrite, got 'replace'"):
        plan_files(photos, tmp_path / "out", existing="replace")


def test_one_file_to_stdout(photos: Path) -> None:
    assert plan_files([photos / "0.png"], "-").todo == (Job(photos / "0.png", None),)


def test_masks_get_names_of_their_own(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "in" / "a.jpg")
    todo = plan_files([tmp_path / "in"], tmp_path / "out", save_mask=True).todo
    assert {job.mask.name for job in todo} == {"a.png.mask.png", "a.jpg.mask.png"}


def test_masks_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "in" / "a.jpg")
    with pytest.raises(ImageFileError, match="both be written"):
        plan_files([tmp_path / "in"], tmp_path / "out", makes_mask=True)


def test_skip_makes_again_what_lacks_its_picture_or_its_mask(photos: Path, tmp_path: Path) -> None:
    draw(tmp_path / "out" / "0.png.mask.png")
    draw(tmp_path / "out" / "1.png")
    draw(tmp_path / "out" / "2.png")
    draw(tmp_path / "out" / "2.png.mask.png")
    with pytest.raises(ConfigurationError, match="and 2 more exist"):
        plan_files([photos], tmp_path / "out", save_mask=True)
    listed = plan_files([photos], tmp_path / "out", save_mask=True, existing="skip")
    assert [job.source.name for job in listed.skipped] == ["2.png"]
    assert [job.source.name for job in listed.todo] == ["0.png", "1.png", "a.png", "b.jpg"]
    assert len(plan_files([photos], tmp_path / "out", existing="skip").skipped) == 2
    assert len(plan_files([photos], tmp_path / "out", existing="overwrite").todo) == 5


def test_sorting_out_existing_results_takes_time_in_proportion_to_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0

    class Counted(Job):
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = Job.__hash__

    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
        for index in range(300):
            (tmp_path / folder / f"{index}.png").touch()
    monkeypatch.setattr(plan, "Job", Counted)
    assert len(plan_files(tmp_path / "in", tmp_path / "out", existing="skip").skipped) == 300
    with pytest.raises(ConfigurationError, match="and 299 more"):
        plan_files(tmp_path / "in", tmp_path / "out")
    assert compared < 3000


def test_results_inside_the_input_folder_are_not_inputs(photos: Path) -> None:
    draw(photos / "out" / "old.png")
    assert len(plan_files([photos], photos / "out").todo) == 5


def test_a_folder_that_may_not_be_written(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ConfigurationError, match="not a folder you may write to"):
        plan_files([photos], tmp_path / "out")
