"""Edits in Ray Data, on a cluster of this machine: the same pictures as without it, and bad ones that stop nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import mbu_ops
from mbu_ops.errors import ChainSyntaxError, ConfigurationError, MBUOpsError
from mbu_ops.integrations.ray import edit

from ..portraits import portrait, texture

ray = pytest.importorskip("ray")
data = pytest.importorskip("ray.data")


NOTHING: Any = None


def test_what_cannot_be_is_told_before_anything_starts() -> None:
    with pytest.raises(ChainSyntaxError):
        edit(NOTHING, "vanish:smile")
    for wrong, message in (
        ({"views": 9}, "1 to 6 views"),
        ({"missing": "drop"}, "missing"),
        ({"which": 0}, "which|number"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            edit(NOTHING, "remove:smile", **wrong)
    with pytest.raises(MBUOpsError, match="no-such-weights"):
        edit(NOTHING, "remove:./no-such-weights")
    with pytest.raises(ConfigurationError, match="another column than 'error'"):
        edit(NOTHING, "remove:smile", column="error")


def test_a_column_that_is_not_there_is_told() -> None:
    class Rows:
        def map_batches(self, actor: Any, *, fn_constructor_args: tuple[Any, ...], **_: Any) -> Any:
            return actor(*fn_constructor_args)

    rows: Any = Rows()
    editing: Any = edit(rows, "remove:smile")
    with pytest.raises(ConfigurationError, match="in the column 'image', got a dataset of bytes, path: name theirs"):
        editing({"bytes": [b""], "path": ["a.png"]})


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.fixture
def threads_of_an_actor() -> Iterator[None]:
    """Ray gives an actor the threads of its cores, one here; sums in another order may round a value otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("threads_of_an_actor")
def test_files_and_arrays_are_edited_as_without_it(cluster: None, tmp_path: Path) -> None:
    photo = portrait().crop((60, 0, 400, 330))
    photo.save(tmp_path / "a.png")
    photo.resize((170, 165)).save(tmp_path / "b.jpg", quality=92)
    texture(90, 70).save(tmp_path / "empty.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    rows = edit(
        data.read_binary_files(str(tmp_path), include_paths=True), "remove:smile", column="bytes", batch_size=2, views=1
    ).take_all()
    found = {Path(row["path"]).name: row for row in rows}
    for name in ("a.png", "b.jpg"):
        assert found[name]["error"] == ""
        expected = mbu_ops.edit("remove:smile", tmp_path / name, views=1)
        with Image.open(io.BytesIO(found[name]["bytes"])) as edited:
            off = np.asarray(edited, int) - np.asarray(expected, int)
        assert np.abs(off).max() <= (0 if name == "a.png" else 40), "a JPEG is compressed again"
        assert np.abs(off).mean() < 2
    assert "expected a face in the photo, found none" in found["empty.png"]["error"]
    assert found["broken.png"]["bytes"] == b"no picture"
    assert found["broken.png"]["error"]

    arrays = [{"image": np.asarray(photo)}, {"image": np.asarray(photo.resize((200, 190)))}, {"image": np.zeros(3)}]
    results = edit(data.from_items(arrays), "remove:smile", views=1, actors=2, batch_size=1).take_all()
    errors = [row["error"] for row in results]
    assert sum(not error for error in errors) == 2
    for row in results:
        if not row["error"]:
            given = next(one["image"] for one in arrays if one["image"].shape == row["image"].shape)
            assert np.array_equal(row["image"], mbu_ops.edit("remove:smile", given, views=1))
