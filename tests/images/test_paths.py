from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from mbu_ops.errors import ImageFileError
from mbu_ops.images import FoundImage, UnreadFile, find, search
from mbu_ops.images.paths import summarise_unread

from ..pictures import touch


def relatives(found: Iterable[FoundImage]) -> list[str]:
    return [image.relative.as_posix() for image in found]


def test_a_folder_is_searched_to_the_bottom_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "a/z.PNG", "a/y.txt", "a/.hidden.jpg", ".cache/x.jpg", "c/d/e.tiff", "noext")
    assert relatives(find([tmp_path])) == ["b.jpg", "a/z.PNG", "c/d/e.tiff"]


def test_a_file_named_by_itself_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a/photo", "a/.hidden.jpg")
    assert relatives(find([tmp_path / "a/photo", tmp_path / "a/.hidden.jpg"])) == ["photo", ".hidden.jpg"]


def test_a_pattern_mirrors_what_lies_under_its_fixed_part(tmp_path: Path) -> None:
    touch(tmp_path, "x/1/a.jpg", "x/2/a.jpg", "x/2/b.txt", "x/2/.c.jpg")
    assert relatives(find([f"{tmp_path}/x/*/*"])) == ["1/a.jpg", "2/a.jpg"]
    assert relatives(find([f"{tmp_path}/**/a.jpg"])) == ["x/1/a.jpg", "x/2/a.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].jpg", "a1.jpg")
    assert relatives(find([tmp_path / "a[1].jpg"])) == ["a[1].jpg"]


def test_a_pattern_relative_to_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.jpg", "b/c.jpg")
    monkeypatch.chdir(tmp_path)
    assert relatives(find(["*.jpg"])) == ["a.jpg"]
    assert relatives(find(["b/../*.jpg"])) == ["a.jpg"]
    assert relatives(find(["."])) == ["a.jpg", "b/c.jpg"]


def test_the_same_file_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    assert relatives(find([tmp_path, tmp_path / "a.jpg", f"{tmp_path}/*.jpg"])) == ["a.jpg"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/out").symlink_to(tmp_path / "elsewhere")
    assert relatives(find([tmp_path / "in"])) == ["a.jpg"]


def test_results_of_an_earlier_run_are_not_inputs(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "out/a.jpg")
    assert relatives(find([tmp_path], out=tmp_path / "out")) == ["a.jpg"]
    assert relatives(find([f"{tmp_path}/**/*.jpg"], out=tmp_path / "out")) == ["a.jpg"]


def test_an_output_folder_around_or_beside_the_input_hides_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "photos/a.jpg", "photos/b/c.jpg")
    monkeypatch.chdir(tmp_path)
    for out in (".", "..", "photos", tmp_path, "results"):
        assert relatives(find(["photos"], out=out)) == ["a.jpg", "b/c.jpg"]
        assert relatives(find(["photos/**/*.jpg"], out=out)) == ["a.jpg", "b/c.jpg"]
    assert relatives(find(["photos"], out="photos/b")) == ["a.jpg"]
    assert relatives(find(["photos/*/*.jpg", "photos/b"], out="photos")) == ["b/c.jpg"]


def test_inputs_that_are_missing_or_hold_nothing_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for given_input, what in [("missing.jpg", "no such file"), ("empty", "found none"), ("*.jpg", "found none")]:
        with pytest.raises(ImageFileError, match=what) as caught:
            find([tmp_path / given_input])
        assert given_input in str(caught.value)


def test_files_that_are_not_read_are_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "in/a.jpg", "in/b.MOV", "in/c/d.mov", "in/e.heic", "in/f", "in/.hidden.mov", "in/out/old.txt")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    files = search([tmp_path / "in"], out=tmp_path / "in" / "out")
    assert relatives(files.images) == ["a.jpg"]
    assert [file.path.name for file in files.unread] == ["b.MOV", "e.heic", "f", "d.mov"]
    assert {file.path.name: file.reason for file in files.unread}["e.heic"] == "pip install 'mbu-ops[heic]'"
    assert summarise_unread(files.unread) == (
        "2 .mov (unsupported format), 1 .heic (pip install 'mbu-ops[heic]'), 1 without suffix (unsupported format)"
    )


def test_heic_is_found_where_its_package_is(tmp_path: Path) -> None:
    touch(tmp_path, "a.heic", "b.HIF", "c.avif")
    files = search([tmp_path])
    assert relatives(files.images) == ["a.heic", "b.HIF", "c.avif"]
    assert files.unread == ()


def test_a_file_that_is_named_by_itself_is_read_and_not_counted(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.jpg", "in/photo")
    files = search([tmp_path / "in", tmp_path / "in" / "photo"])
    assert relatives(files.images) == ["a.jpg", "photo"]
    assert files.unread == ()


def test_a_folder_that_holds_no_picture_says_what_it_holds(tmp_path: Path) -> None:
    touch(tmp_path, "a.mov", "b.mov")
    with pytest.raises(ImageFileError, match=r"found none but 2 \.mov \(unsupported format\)"):
        find([tmp_path])
    with pytest.raises(ImageFileError, match=r"found none but 2 \.mov"):
        find([f"{tmp_path}/*"])


def test_a_summary_of_many_kinds_of_files_ends() -> None:
    files = [UnreadFile(Path(f"a.{index}"), "unsupported format") for index in range(20)]
    assert summarise_unread(files).endswith(", 14 others")
