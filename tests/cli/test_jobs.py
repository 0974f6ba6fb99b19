from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from mbu_ops.errors import ConfigurationError, ImageFileError
from mbu_ops_cli.jobs import Job, _apply_existing, list_jobs, refuse_unnamed_pipe

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


def test_skip_makes_again_what_lacks_its_picture_or_its_mask(photos, tmp_path):
    draw(tmp_path / "out" / "0.png.mask.png")
    draw(tmp_path / "out" / "1.png")
    draw(tmp_path / "out" / "2.png")
    draw(tmp_path / "out" / "2.png.mask.png")
    with pytest.raises(ConfigurationError, match="and 2 more exist"):
        jobs([photos], tmp_path / "out", save_mask=True)
    listed = jobs([photos], tmp_path / "out", save_mask=True, existing="skip")
    assert [job.source.name for job in listed.skipped] == ["2.png"]
    assert [job.source.name for job in listed.todo] == ["0.png", "1.png", "a.png", "b.jpg"]
    assert len(jobs([photos], tmp_path / "out", existing="skip").skipped) == 2
    assert len(jobs([photos], tmp_path / "out", existing="overwrite").todo) == 5


def test_sorting_out_existing_results_takes_time_in_proportion_to_their_number():
    compared = 0

    class Counted(Job):
        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = Job.__hash__

    here = Path(__file__)
    every = [Counted(Path(str(index)), here, here) for index in range(300)]
    assert len(_apply_existing(every, "skip").skipped) == 300
    with pytest.raises(ConfigurationError, match="and 299 more"):
        _apply_existing(every, "error")
    assert compared < 3000


def test_results_inside_the_input_folder_are_not_inputs(photos):
    draw(photos / "out" / "old.png")
    assert len(jobs([photos], photos / "out").todo) == 5


def test_a_folder_that_may_not_be_written(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ConfigurationError, match="not a folder you may write to"):
        jobs([photos], tmp_path / "out")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b""])
def test_a_pipe_or_a_file_that_nobody_named_is_refused_and_left_alone(data, tmp_path):
    reader, writer = os.pipe()  # its writer may be slow: nothing is there yet
    (tmp_path / "a.png").write_bytes(data)
    with os.fdopen(reader, encoding="utf-8") as pipe, (tmp_path / "a.png").open(encoding="utf-8") as file:
        for stream in (pipe, file):
            with pytest.raises(ConfigurationError, match=r"add -i - .*< /dev/null"):
                refuse_unnamed_pipe(stream)
        os.write(writer, data)
        os.close(writer)
        assert pipe.buffer.read() == file.buffer.read() == data


def test_nothing_is_piped_in_by_a_device_a_closed_stream_or_none():
    with Path(os.devnull).open(encoding="utf-8") as device:
        refuse_unnamed_pipe(device)
    for stream in (device, None, io.StringIO("text")):
        refuse_unnamed_pipe(stream)
