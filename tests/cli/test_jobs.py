from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from mbu_ops.errors import ConfigurationError, ImageFileError
from mbu_ops_cli.jobs import Job, list_jobs, picture_waits

from .conftest import draw


def jobs(inputs, out, *, makes_mask=False, save_mask=False, existing="error"):
    return list_jobs(
        [str(path) for path in inputs],
        None if out is None else str(out),
        makes_mask=makes_mask,
        save_mask=save_mask,
        existing=existing,
    )


def test_pipes():
    assert jobs(["-"], None).todo == (Job(None, None),)
    assert jobs(["-"], "-").todo == (Job(None, None),)
    assert jobs(["-"], "a.png").todo == (Job(None, Path("a.png")),)
    assert str(Job(None, None)) == "-"


def test_one_file_to_stdout(photos):
    assert jobs([photos / "0.png"], "-").todo == (Job(photos / "0.png", None),)


def test_masks_get_names_of_their_own(tmp_path):
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "in" / "a.jpg")
    todo = jobs([tmp_path / "in"], tmp_path / "out", save_mask=True).todo
    assert {job.mask.name for job in todo} == {"a.png.mask.png", "a.jpg.mask.png"}


def test_masks_that_would_share_a_name_are_refused(tmp_path):
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "in" / "a.jpg")
    with pytest.raises(ImageFileError, match="both be written"):
        jobs([tmp_path / "in"], tmp_path / "out", makes_mask=True)


def test_skip_redoes_a_picture_whose_mask_alone_is_there(photos, tmp_path):
    draw(tmp_path / "out" / "0.png.mask.png")
    draw(tmp_path / "out" / "1.png")
    with pytest.raises(ConfigurationError, match="and 1 more exist"):
        jobs([photos], tmp_path / "out", save_mask=True)
    listed = jobs([photos], tmp_path / "out", save_mask=True, existing="skip")
    assert [job.source.name for job in listed.skipped] == ["1.png"]
    assert [job.source.name for job in listed.todo] == ["0.png", "2.png", "a.png", "b.jpg"]
    assert len(jobs([photos], tmp_path / "out", existing="overwrite").todo) == 5


def test_results_inside_the_input_folder_are_not_inputs(photos):
    draw(photos / "out" / "old.png")
    assert len(jobs([photos], photos / "out").todo) == 5


def test_a_folder_that_may_not_be_written(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ConfigurationError, match="not a folder you may write to"):
        jobs([photos], tmp_path / "out")


@pytest.mark.parametrize(("data", "expected"), [(b"\x89PNG\r\n\x1a\n", True), (b"make demo\n", False), (b"", False)])
def test_a_waiting_picture_is_seen_and_left_in_the_pipe(data, expected):
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        assert picture_waits(stream) is expected
        assert stream.buffer.read() == data


def test_a_silent_pipe_is_not_waited_for():
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as stream:
        assert picture_waits(stream) is False
    os.close(writer)


def test_a_stream_that_is_no_file_has_no_picture():
    assert picture_waits(io.StringIO("text")) is False
