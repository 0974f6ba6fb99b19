"""Inputs and folders made to lead a result out of the output folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbu_ops.errors import ImageFileError
from mbu_ops.images import FoundImage, find, output_path, output_paths, write_bytes


@pytest.mark.parametrize("relative", ["../a.png", "b/../../a.png", "/etc/a.png", "x/../../../a.png"])
def test_a_relative_place_cannot_climb_out(tmp_path: Path, relative: str) -> None:
    with pytest.raises(ImageFileError, match="outside"):
        output_path(FoundImage(Path("a.png"), Path(relative)), tmp_path / "out")


def test_a_link_inside_the_output_folder_cannot_lead_out(tmp_path: Path) -> None:
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/sub/a.png").write_bytes(b"")
    (tmp_path / "out").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "secret")
    with pytest.raises(ImageFileError, match="outside"):
        output_paths(find([tmp_path / "in"]), tmp_path / "out")


def test_a_pattern_cannot_climb_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(ImageFileError, match="outside"):
        output_paths(find(["*/../../*.png"]), "out/")
    # climbing before the first wildcard is only a place to look in
    assert output_paths(find(["../*/../*.png"]), "out/") == [Path("out/a.png")]


def test_a_link_under_the_final_name_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "a.png").symlink_to(tmp_path / "victim")
    with pytest.raises(ImageFileError, match="exists already"):
        write_bytes(tmp_path / "a.png", b"data")
    write_bytes(tmp_path / "a.png", b"data", overwrite=True)
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "a.png").is_symlink()


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ImageFileError, match="exists already"):
        write_bytes(tmp_path / "a.png", b"data")
    assert not (tmp_path / "nowhere").exists()
