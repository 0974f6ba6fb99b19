from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mbu_ops.batch import FilePlan, Job, plan, plan_files
from mbu_ops.errors import ConfigurationError, ImageFileError

from ..pictures import draw, draw_tree, touch


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


def test_results_that_share_a_name_stop_no_others(tmp_path: Path) -> None:
    for name in ("p.gif", "p.png", "q.png"):
        draw(tmp_path / "in" / name)
    plan = plan_files(tmp_path / "in", tmp_path / "out")
    assert [job.source.name for job in plan.todo] == ["q.png"]
    assert [failure.job.source.name for failure in plan.refused] == ["p.gif", "p.png"]
    assert all("both be written" in failure.reason for failure in plan.refused)
    renamed = plan_files(tmp_path / "in", tmp_path / "out" / "{stem}.{ext}", format="webp")
    assert [job.target.name for job in renamed.todo] == ["q.webp"]


def test_a_format_for_all_results(photos: Path, tmp_path: Path) -> None:
    todo = plan_files(photos, tmp_path / "out", format="AVIF").todo
    assert {job.target.suffix for job in todo} == {".avif"}
    assert plan_files(photos / "0.png", "-", format="jpg").format == "JPEG"
    assert plan_files("-", "a.webp", format="webp").todo == (Job(None, Path("a.webp")),)
    for format in ("gif", "docx", ".png", ""):
        with pytest.raises(ConfigurationError, match="--format: expected one of jpg, jpeg,"):
            plan_files(photos, tmp_path / "out", format=format)
    for source, out in [(photos / "0.png", "a.jpg"), ("-", "a.jpg")]:
        with pytest.raises(ImageFileError, match=r"ends in \.png or"):
            plan_files(source, out, format="png")
    with pytest.raises(ConfigurationError, match="mask is written as PNG"):
        plan_files(photos, tmp_path / "out", format="jpg", makes_mask=True)
    assert plan_files("-", "-", format="png", makes_mask=True).format == "PNG"


def test_heic_without_its_extra_is_refused_before_anything_is_done(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for out, format in [("out", "heic"), ("{stem}.heic", None)]:
        with pytest.raises(ImageFileError, match=r"pip install 'mbu-ops\[heic\]'"):
            plan_files(photos, tmp_path / out, format=format)
    # a HEIC photo among the inputs costs no other
    (photos / "a.heic").touch()
    plan = plan_files([photos / "a.heic", photos / "0.png"], tmp_path / "out")
    assert [job.target.name for job in plan.todo] == ["a.heic", "0.png"]


def test_a_quality_is_refused_where_no_result_has_one(photos: Path, tmp_path: Path) -> None:
    assert plan_files(photos, tmp_path / "out", quality=80).quality == 80
    assert plan_files("-", "-", quality=80).quality == 80
    for arguments in ({"format": "png"}, {"format": "bmp"}, {"makes_mask": True}):
        with pytest.raises(ConfigurationError, match="--quality is for JPEG, WebP, AVIF, HEIC and videos"):
            plan_files(photos, tmp_path / "out", quality=80, **arguments)
    for quality in (0, 101):
        with pytest.raises(ConfigurationError, match="from 1 to 100"):
            plan_files(photos, tmp_path / "out", quality=quality)


def test_patterns_beside_the_inputs(photos: Path) -> None:
    plan = plan_files(photos, photos / "{stem}-new.{ext}")
    assert [job.target.relative_to(photos).as_posix() for job in plan.todo][-1] == "trip/deep/b-new.jpg"
    draw(photos / "0-new.png")
    with pytest.raises(ImageFileError, match="would replace the input"):
        plan_files(photos, photos / "{stem}-new.{ext}", existing="overwrite")
    with pytest.raises(ConfigurationError, match="no name to fill a pattern"):
        plan_files("-", "{stem}.png")


def test_results_of_a_pattern_in_a_folder_inside_the_input_are_no_inputs(photos: Path) -> None:
    draw(photos / "out" / "0-new.png")
    plan = plan_files(photos, photos / "out" / "{stem}-new.{ext}", existing="skip")
    assert [job.source.name for job in plan.skipped] == ["0.png"]
    assert len(plan.todo) == 4


def test_files_that_are_not_read_are_part_of_the_plan(photos: Path, tmp_path: Path) -> None:
    touch(photos, "a.avi", "trip/b.txt")
    assert [file.path.name for file in plan_files(photos, tmp_path / "out").unread] == ["a.avi", "b.txt"]


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


def test_shards_are_disjoint_and_complete(photos: Path, tmp_path: Path) -> None:
    whole = plan_files(photos, tmp_path / "out").todo
    for count in (1, 2, 3, 7):
        parts = [plan_files(photos, tmp_path / "out", shard=(number, count)).todo for number in range(1, count + 1)]
        assert sorted(str(job) for part in parts for job in part) == sorted(map(str, whole))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_minds_its_own_results_only(photos: Path, tmp_path: Path) -> None:
    first = plan_files(photos, tmp_path / "out", shard=(1, 2)).todo
    for job in first:
        assert job.target is not None
        touch(job.target.parent, job.target.name)
    assert plan_files(photos, tmp_path / "out", shard=(2, 2)).todo
    again = plan_files(photos, tmp_path / "out", shard=(1, 2), existing="skip")
    assert (again.todo, again.skipped) == ((), first)


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (-1, 1), (1, 0)])
def test_shards_that_are_none(photos: Path, tmp_path: Path, shard: tuple[int, int]) -> None:
    with pytest.raises(ConfigurationError, match="I/N with I from 1 to N"):
        plan_files(photos, tmp_path / "out", shard=shard)


def test_stdin_has_no_parts() -> None:
    with pytest.raises(ConfigurationError, match="stdin is one picture"):
        plan_files("-", "-", shard=(1, 2))
