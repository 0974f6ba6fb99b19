from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ImageFileError
from mbu_ops.images import FoundImage, find, output_path, output_paths

names = st.text("abc .é\n'-", min_size=1, max_size=8).map(str.strip).filter(lambda name: name and set(name) - {"."})
suffixes = st.sampled_from([".jpg", ".PNG", ".tiff", ".webp"])
places = st.builds(
    lambda folders, stem, suffix: Path(*folders, stem + suffix), st.lists(names, max_size=3), names, suffixes
)


def touch(root: Path, *relative: str) -> None:
    for name in relative:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def relatives(found: Iterable[FoundImage]) -> list[str]:
    return [image.relative.as_posix() for image in found]


@given(places)
def test_every_place_is_mirrored_under_the_output_folder(place: Path) -> None:
    assert output_path(FoundImage(Path("in") / place, place), "out") == Path("out") / place


@given(st.lists(places, unique_by=lambda place: str(place).casefold(), min_size=2, max_size=6))
def test_different_places_never_share_an_output(found: list[Path]) -> None:
    paths = output_paths([FoundImage(Path("in") / place, place) for place in found], "out")
    assert len({str(path).casefold() for path in paths}) == len(found)
    assert all(path.is_relative_to("out") for path in paths)


@given(places, st.sampled_from([".png", ".jpg"]))
def test_a_suffix_that_is_asked_for_replaces_only_the_suffix(place: Path, suffix: str) -> None:
    path = output_path(FoundImage(place, place), "out", suffix=suffix)
    assert path == Path("out") / place.parent / (place.stem + suffix)


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


def test_one_file_can_be_given_its_output_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    found = find([tmp_path / "a.jpg"])
    assert output_paths(found, tmp_path / "b.png") == [tmp_path / "b.png"]
    assert output_paths(found, tmp_path / "folder") == [tmp_path / "folder/a.jpg"]
    assert output_paths(found, f"{tmp_path}/v1.2/") == [tmp_path / "v1.2/a.jpg"]
    (tmp_path / "v1.3").mkdir()
    assert output_paths(found, tmp_path / "v1.3") == [tmp_path / "v1.3/a.jpg"]
    with pytest.raises(ImageFileError, match=r"got '\.gif'"):
        output_paths(found, tmp_path / "b.gif")


def test_the_only_picture_of_a_folder_in_a_subfolder_goes_to_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "in/sub/a.jpg")
    assert output_paths(find([tmp_path / "in"]), tmp_path / "o.png") == [tmp_path / "o.png/sub/a.jpg"]


def test_a_gif_gets_a_name_that_can_be_written() -> None:
    assert output_path(FoundImage(Path("a.gif"), Path("a.gif")), "out") == Path("out/a.png")
    assert output_path(FoundImage(Path("a"), Path("a")), "out") == Path("out/a.png")


@pytest.mark.parametrize("pair", [("x/a.jpg", "y/a.jpg"), ("x/a.jpg", "y/A.JPG"), ("x/a.gif", "y/a.png")])
def test_two_results_of_one_name_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    touch(tmp_path, *pair)
    with pytest.raises(ImageFileError, match="both be written") as caught:
        output_paths(find([tmp_path / name for name in pair]), tmp_path / "out")
    assert all(name in str(caught.value) for name in pair)


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.jpg", "in/b.jpg")
    os.link(tmp_path / "in/a.jpg", tmp_path / "hard.jpg")
    (tmp_path / "soft.jpg").symlink_to(tmp_path / "in/a.jpg")
    (tmp_path / "same").symlink_to(tmp_path / "in")
    single = find([tmp_path / "in/a.jpg"])
    for out in ("in/a.jpg", "in", "hard.jpg", "soft.jpg", "same", "in/../in/a.jpg"):
        with pytest.raises(ImageFileError, match="would replace the input"):
            output_paths(single, tmp_path / out)
    with pytest.raises(ImageFileError, match="would replace the input"):
        output_paths(find([tmp_path / "in"]), tmp_path / "in")
