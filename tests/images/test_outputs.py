from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ConfigurationError, ImageFileError
from mbu_ops.images import FoundImage, find, output_path, output_paths, shared_names

from ..pictures import touch

names = st.text("abc .é\n'-", min_size=1, max_size=8).map(str.strip).filter(lambda name: name and set(name) - {"."})
suffixes = st.sampled_from([".jpg", ".PNG", ".tiff", ".webp"])
places = st.builds(
    lambda folders, stem, suffix: Path(*folders, stem + suffix), st.lists(names, max_size=3), names, suffixes
)


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


@pytest.mark.parametrize("inside", [["a.jpg"], ["sub/a.jpg"], ["a.jpg", "b.jpg"]])
def test_a_picture_s_name_for_the_results_of_a_folder_is_refused(tmp_path: Path, inside: list[str]) -> None:
    touch(tmp_path, *(f"in/{name}" for name in inside))
    for given_input in (tmp_path / "in", f"{tmp_path}/in/**/*.jpg"):
        found = find([given_input])
        for name in ("one.jpg", "one.GIF"):
            with pytest.raises(ImageFileError, match=r"expected a folder for the results .* end it in a slash"):
                output_paths(found, tmp_path / name)
        assert output_paths(found, f"{tmp_path}/one.jpg/") == [tmp_path / "one.jpg" / name for name in inside]
        assert output_paths(found, tmp_path / "v1.2") == [tmp_path / "v1.2" / name for name in inside]


def test_a_gif_gets_a_name_that_can_be_written() -> None:
    assert output_path(FoundImage(Path("a.gif"), Path("a.gif")), "out") == Path("out/a.png")
    assert output_path(FoundImage(Path("a"), Path("a")), "out") == Path("out/a.png")


@pytest.mark.parametrize("pair", [("x/a.jpg", "y/a.jpg"), ("x/a.jpg", "y/A.JPG"), ("x/a.gif", "y/a.png")])
def test_results_that_would_share_a_name_are_told_and_no_others(tmp_path: Path, pair: tuple[str, str]) -> None:
    touch(tmp_path, *pair, "x/b.jpg")
    found = find([tmp_path / name for name in (*pair, "x/b.jpg")])
    reasons = shared_names(found, output_paths(found, tmp_path / "out"))
    assert sorted(image.path.name for image in reasons) == sorted(Path(name).name for name in pair)
    assert all(name in reason and "both be written" in reason for name in pair for reason in reasons.values())


def test_many_results_of_one_name_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    found = find([tmp_path])
    reasons = shared_names(found, output_paths(found, tmp_path / "out" / "x.{ext}"))
    assert len(reasons) == 4
    assert "d.jpg' and '" in reasons[found[3]]
    assert "a.jpg' and 2 more would" in reasons[found[3]]


def test_a_pattern_names_results_in_mirrored_folders(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.JPG", "in/sub/b.gif")
    found = find([tmp_path / "in"])
    out = tmp_path / "out"
    for pattern, suffix, names in [
        ("new-{stem}.{ext}", None, ["new-a.JPG", "sub/new-b.png"]),
        ("new-{stem}.{ext}", ".webp", ["new-a.webp", "sub/new-b.webp"]),
        ("{stem}-{stem}.jpeg", None, ["a-a.jpeg", "sub/b-b.jpeg"]),
        ("{stem}-x.jpeg", ".jpg", ["a-x.jpeg", "sub/b-x.jpeg"]),
        ("{{{stem}}}.{ext}", None, ["{a}.JPG", "sub/{b}.png"]),
    ]:
        assert output_paths(found, out / pattern, suffix=suffix) == [out / name for name in names]
    assert output_paths(find([tmp_path / "in" / "a.JPG"]), "x-{stem}.{ext}") == [Path("x-a.JPG")]


def test_a_folder_whose_name_looks_like_a_pattern_is_that_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "out{1}/old.txt")
    found = find([tmp_path / "a.jpg"])
    assert output_paths(found, tmp_path / "out{1}") == [tmp_path / "out{1}" / "a.jpg"]
    assert output_paths(found, f"{tmp_path}/new{{1}}/") == [tmp_path / "new{1}" / "a.jpg"]


@pytest.mark.parametrize("name", ["{name}", "{}", "{stem!r}", "{stem:9}", "{stem.x}", "{stem", "{0}"])
def test_other_fields_of_a_pattern_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"expected \{stem\} and \{ext\} as the only fields"):
        output_paths([FoundImage(Path("a.jpg"), Path("a.jpg"))], f"out/{name}.{{ext}}")


@pytest.mark.parametrize("pattern", ["{stem}", "{ext}", "{stem}.gif", "{stem}.txt", "x.{stem}"])
def test_a_pattern_without_a_suffix_that_can_be_written_is_refused(pattern: str) -> None:
    with pytest.raises(ImageFileError, match="expected a name that ends in one of"):
        output_paths([FoundImage(Path("a.jpg"), Path("a.jpg"))], f"out/{pattern}")


@pytest.mark.parametrize("out", ["a.jpg", "out/{stem}.jpg"])
def test_a_name_of_another_format_than_asked_for_is_refused(out: str) -> None:
    with pytest.raises(ImageFileError, match=r"expected a name that ends in \.png or \{ext\} .*got '\.jpg'"):
        output_paths([FoundImage(Path("b.jpg"), Path("b.jpg"), named=True)], out, suffix=".png")


@given(st.sampled_from(["..", ".", "{ext}", "{0.__class__}", "a}b{", "..{stem}", "\\..\\x"]))
def test_names_of_inputs_cannot_climb_out_of_the_folder_through_a_pattern(stem: str) -> None:
    (path,) = output_paths([FoundImage(Path("a"), Path(f"{stem}.jpg"))], "out/{stem}-new.{ext}")
    assert path.parent == Path("out")
    assert path.name.endswith("-new.jpg")


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
