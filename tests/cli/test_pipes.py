from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from mbu_ops.errors import ConfigurationError
from mbu_ops_cli.pipes import refuse_unnamed_pipe


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b""])
def test_a_pipe_or_a_file_that_nobody_named_is_refused_and_left_alone(data: bytes, tmp_path: Path) -> None:
    reader, writer = os.pipe()  # its writer may be slow: nothing is there yet
    (tmp_path / "a.png").write_bytes(data)
    with os.fdopen(reader, encoding="utf-8") as pipe, (tmp_path / "a.png").open(encoding="utf-8") as file:
        for stream in (pipe, file):
            with pytest.raises(ConfigurationError, match=r"add -i - .*< /dev/null"):
                refuse_unnamed_pipe(stream)
        os.write(writer, data)
        os.close(writer)
        assert pipe.buffer.read() == file.buffer.read() == data


def test_nothing_is_piped_in_by_a_device_a_closed_stream_or_none() -> None:
    with Path(os.devnull).open(encoding="utf-8") as device:
        refuse_unnamed_pipe(device)
    for stream in (device, None, io.StringIO("text")):
        refuse_unnamed_pipe(stream)
