"""`edit_files`: a folder in, a folder out, and a report of every picture."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbu_ops import Framed
from mbu_ops.batch import Job, edit_files, edit_planned, plan_files
from mbu_ops.errors import ConfigurationError, ImageFileError
from mbu_ops.frames import Box, Frame
from mbu_ops.images import read, write
from mbu_ops.ops import Chain
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import tiny_mbu, tiny_presence

from ..pictures import draw, draw_tree, smooth, touch


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_tree(tmp_path / "photos")


@pytest.fixture
def chain() -> Chain:
    return Chain([("remove:hat", Remove(tiny_mbu(0))), ("remove:scarf", Remove(tiny_mbu(1)))]).eval()


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def names(jobs: Iterable[Job]) -> list[str]:
    return sorted(job.source.name for job in jobs)


def test_a_folder_is_edited_as_the_module_edits_its_pictures(chain: Chain, photos: Path, tmp_path: Path) -> None:
    report = edit_files(chain, photos, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(photos)
    assert sorted(written.job.target for written in report.written if written.job.target) == sorted(
        (tmp_path / "out").rglob("*.???")
    )
    assert (report.failed, report.skipped) == ((), ())
    for name in ("0.png", "trip/a.png"):
        expected = chain(read(photos / name).to_tensor()[None])[0].permute(1, 2, 0).detach().numpy()
        assert np.abs(read(tmp_path / "out" / name).pixels - 255 * expected).max() <= 1
        assert (read(tmp_path / "out" / name).pixels != read(photos / name).pixels).any()


def test_files_patterns_and_folders_together(photos: Path, tmp_path: Path) -> None:
    report = edit_files(nn.Hardtanh(0, 0.5), [photos / "0.png", f"{photos}/trip/*.png"], tmp_path / "out")
    assert sorted(written.job.target.name for written in report.written) == ["0.png", "a.png"]
    assert read(tmp_path / "out" / "0.png").pixels.max() == 128


def test_one_file_to_one_file(chain: Chain, photos: Path, tmp_path: Path) -> None:
    (written,) = edit_files(chain, str(photos / "0.png"), str(tmp_path / "result.jpg")).written
    assert read(written.job.target).kind.format == "JPEG"


def test_places_masks_and_boxes_are_written_beside_the_results(chain: Chain, photos: Path, tmp_path: Path) -> None:
    class Middle:
        def find(self, photo: Tensor) -> list[Frame]:
            return [Frame(photo.shape[-1] / 2, photo.shape[-2] / 2, 12)]

    out = tmp_path / "out"
    edit_files(Framed(chain, Middle()), photos / "0.png", out / "0.png", save_mask=True, save_boxes=True)
    assert tree(out) == ["0.png", "0.png.boxes.json", "0.png.mask.png"]
    before, after, mask = (read(path).pixels for path in (photos / "0.png", out / "0.png", out / "0.png.mask.png"))
    assert np.array_equal(before[mask == 0], after[mask == 0])
    assert 0 < (mask > 0).mean() < 0.5
    (face,) = json.loads((out / "0.png.boxes.json").read_text())["faces"]
    assert (face["x"], face["y"], face["side"], face["edited"]) == (12, 10, 12, True)


@pytest.mark.parametrize("framed", [False, True])
def test_an_op_that_makes_masks_writes_them_as_png(framed: bool, photos: Path, tmp_path: Path) -> None:
    op = Segment(tiny_mbu()).eval()
    edit_files(Framed(op, Box(0, 0, 16, 20)) if framed else op, photos, tmp_path / "out")
    assert tree(tmp_path / "out") == ["0.png", "1.png", "2.png", "trip/a.png", "trip/deep/b.png"]
    assert read(tmp_path / "out" / "trip" / "deep" / "b.png").kind.grey


def test_results_that_collide_are_refused_before_anything_is_written(chain: Chain, tmp_path: Path) -> None:
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "in" / "a.jpg")
    with pytest.raises(ImageFileError, match="both be written"):
        edit_files(Segment(tiny_mbu()), tmp_path / "in", tmp_path / "out")
    with pytest.raises(ImageFileError, match="replace the input"):
        edit_files(chain, tmp_path / "in" / "a.png", tmp_path / "in" / "a.png", existing="overwrite")
    with pytest.raises(ConfigurationError, match="same folder"):
        edit_files(chain, tmp_path / "in", tmp_path / "in")
    assert tree(tmp_path) == ["in/a.jpg", "in/a.png"]


def test_existing_results_are_refused_skipped_or_replaced(chain: Chain, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "trip").mkdir(parents=True)
    for name in ("1.png", "trip/a.png"):
        (out / name).write_bytes(b"mine")
    with pytest.raises(ConfigurationError, match="exist already"):
        edit_files(chain, photos, out)
    assert tree(out) == ["1.png", "trip/a.png"]

    report = edit_files(chain, photos, out, existing="skip")
    assert names(report.skipped) == ["1.png", "a.png"]
    assert names(written.job for written in report.written) == ["0.png", "2.png", "b.jpg"]
    assert (out / "1.png").read_bytes() == b"mine"

    report = edit_files(chain, photos, out, existing="overwrite")
    assert (len(report.written), report.skipped) == (5, ())
    assert read(out / "1.png").width == 24


def test_a_broken_picture_costs_no_other(chain: Chain, photos: Path, tmp_path: Path) -> None:
    (photos / "empty.jpg").touch()
    whole = (photos / "0.png").read_bytes()
    (photos / "half.png").write_bytes(whole[: len(whole) // 2])
    report = edit_files(chain, photos, tmp_path / "out")
    reasons = {failure.job.source.name: failure.reason for failure in report.failed}
    assert "empty file" in reasons.pop("empty.jpg")
    assert "damaged" in reasons.pop("half.png")
    assert not reasons
    assert len(report.written) == len(tree(tmp_path / "out")) == 5


def test_progress_counts_failures_too_and_not_what_is_skipped(chain: Chain, photos: Path, tmp_path: Path) -> None:
    (photos / "empty.jpg").touch()
    draw(tmp_path / "out" / "0.png")
    told = []
    edit_files(chain, photos, tmp_path / "out", existing="skip", progress=lambda *counts: told.append(counts))
    assert told == [(finished, 5) for finished in range(1, 6)]


def test_steps_without_anything_to_do_are_named(tmp_path: Path) -> None:
    remove = Remove(tiny_mbu())
    remove.detector = tiny_presence()
    write(tmp_path / "dark.png", torch.full((3, 16, 30), 0.1))
    op = Chain([("remove:hat", remove), ("dim", nn.Hardtanh(0, 0.5))])
    (written,) = edit_files(op, tmp_path / "dark.png", tmp_path / "out.png").written
    assert written.idle == ("remove:hat",)


@pytest.mark.parametrize("finished", [1, 17])
def test_an_interruption_leaves_whole_files_which_a_second_run_adds_to(
    finished: int, chain: Chain, tmp_path: Path
) -> None:
    for index in range(40):
        draw(tmp_path / "in" / f"{index:02}.png", seed=index)
    out = tmp_path / "out"

    def interrupt(done: int, total: int) -> None:
        if done == finished:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_files(chain, tmp_path / "in", out, save_mask=True, batch_size=4, progress=interrupt)
    left = tree(out)
    assert finished <= len([name for name in left if not name.endswith(".mask.png")]) < 40
    assert all(read(out / name).width == 24 for name in left)

    times = {name: (out / name).stat().st_mtime_ns for name in left if f"{name}.mask.png" in left}
    report = edit_files(chain, tmp_path / "in", out, save_mask=True, existing="skip")
    assert (len(report.skipped), len(report.written)) == (len(times), 40 - len(times))
    assert len(tree(out)) == 80
    assert times == {name: (out / name).stat().st_mtime_ns for name in times}


def test_formats_qualities_and_names_of_results(chain: Chain, photos: Path, tmp_path: Path) -> None:
    report = edit_files(chain, photos, tmp_path / "out" / "{stem}-new.{ext}", format="jpg", quality=60)
    names_of_results = ["0-new.jpg", "1-new.jpg", "2-new.jpg", "trip/a-new.jpg", "trip/deep/b-new.jpg"]
    assert tree(tmp_path / "out") == names_of_results
    assert len(report.written) == 5
    edit_files(chain, photos, tmp_path / "fine", format="jpg", quality=98)
    for name, fine in zip(names_of_results, tree(tmp_path / "fine"), strict=True):
        assert (tmp_path / "out" / name).stat().st_size < (tmp_path / "fine" / fine).stat().st_size


@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_heic_and_avif_photos_are_edited_and_stay_what_they_are(chain: Chain, suffix: str, tmp_path: Path) -> None:
    write(tmp_path / "in" / f"a.{suffix}", smooth(64, 48))
    edit_files(chain, tmp_path / "in", tmp_path / "out")
    result = read(tmp_path / "out" / f"a.{suffix}")
    assert result.kind.format == {"heic": "HEIF", "avif": "AVIF"}[suffix]
    source = read(tmp_path / "in" / f"a.{suffix}")
    expected = chain(source.to_tensor()[None])[0].permute(1, 2, 0).detach().numpy()
    assert np.abs(result.pixels - 255 * expected).mean() < 4


def test_what_stops_a_few_files_is_reported_beside_the_rest(chain: Chain, photos: Path, tmp_path: Path) -> None:
    draw(photos / "0.gif")
    touch(photos, "clip.avi")
    report = edit_files(chain, photos, tmp_path / "out")
    assert names(failure.job for failure in report.failed) == ["0.gif", "0.png"]
    assert [file.path.name for file in report.unread] == ["clip.avi"]
    assert len(report.written) == len(tree(tmp_path / "out")) == 4


def test_a_plan_can_be_looked_at_before_it_is_done(chain: Chain, photos: Path, tmp_path: Path) -> None:
    plan = plan_files(photos, tmp_path / "out")
    assert names(plan.todo) == ["0.png", "1.png", "2.png", "a.png", "b.jpg"]
    assert not (tmp_path / "out").exists()
    report = edit_planned(chain, plan, batch_size=2)
    assert {written.job for written in report.written} == set(plan.todo)


def test_the_op_works_where_its_weights_are(photos: Path, tmp_path: Path) -> None:
    op = nn.Conv2d(3, 3, 1, device="meta")
    with pytest.raises(NotImplementedError, match="meta"):
        edit_files(op, photos, tmp_path / "out")
    assert torch.device("meta") == next(op.parameters()).device
    assert tree(tmp_path) == [f"photos/{name}" for name in tree(photos)]
