"""The runner's promises: batches of one size, bounded memory, one failure costs one picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from mbu_ops.batch import Failure, FilePlan, Job, runner
from mbu_ops.batch.editor import Result
from mbu_ops.batch.runner import Runner
from mbu_ops.errors import ImageFileError, ShapeError
from mbu_ops.images import ImageFile, ImageKind

from ..pictures import draw


class Invert:
    """Stands in for an Editor; remembers the batches it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, files: Sequence[ImageFile]) -> list[Result]:
        images = torch.stack([file.to_tensor() for file in files])
        self.shapes.append(tuple(images.shape))
        return [Result(1 - image, None) for image in images]


def plan_of(jobs: list[Job]) -> FilePlan:
    return FilePlan(tuple(jobs))


def jobs_of(tmp_path: Path, sizes: list[tuple[int, int]]) -> list[Job]:
    return [
        Job(draw(tmp_path / "in" / f"{index}.png", size, index), tmp_path / "out" / f"{index}.png")
        for index, size in enumerate(sizes)
    ]


def test_pictures_of_one_size_share_batches(tmp_path: Path) -> None:
    edit, seen = Invert(), []
    jobs = jobs_of(tmp_path, [(8, 6), (5, 5)] * 4 + [(8, 6)])
    report = Runner(edit, 4, lambda: seen.append(1)).run(plan_of(jobs))
    assert sorted(edit.shapes) == [(1, 3, 6, 8), (4, 3, 5, 5), (4, 3, 6, 8)]
    assert len(report.written) == len(seen) == 9
    assert all(job.target.exists() for job in jobs)


def test_odd_sizes_are_not_held_back_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, most = set(), []

    def read(path: Path) -> ImageFile:
        held.add(path.name)
        return ImageFile(np.zeros((int(path.name), 4, 3), np.uint8), None, ImageKind())

    def write(path: Path, *_: object, **options: object) -> None:
        held.discard(path.stem)

    def edit(files: Sequence[ImageFile]) -> list[Result]:
        most.append(len(held))
        return [Result(file.to_tensor(), None) for file in files]

    monkeypatch.setattr(runner, "count_pixels", lambda path: 4 * int(path.name))
    monkeypatch.setattr(runner, "read", read)
    monkeypatch.setattr(runner, "write", write)
    jobs = [Job(tmp_path / str(index), tmp_path / f"{index}.out") for index in range(1, 400)]
    report = Runner(edit, 4, lambda: None).run(plan_of(jobs))
    assert len(report.written) == 399
    # ahead + gathered + being written; never in proportion to the number of pictures
    assert max(most) <= 2 * 4 + 2 * (4 + runner.THREADS) + 1


def test_large_pictures_go_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PIXELS_IN_FLIGHT", 2000)
    edit = Invert()
    Runner(edit, 16, lambda: None).run(plan_of(jobs_of(tmp_path, [(40, 30)] * 5)))
    assert edit.shapes == [(1, 3, 30, 40)] * 5


@pytest.mark.parametrize("heights", [[30] * 40, [1] * 40 + [30] * 40])
@pytest.mark.parametrize("slow", ["edit", "write"])
def test_few_large_pictures_are_in_memory_at_a_time(
    heights: list[int], slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PIXELS_IN_FLIGHT", 2000)
    lock, large, most = threading.Lock(), set(), []

    def read(path: Path) -> ImageFile:
        index, height = map(int, path.name.split("-"))
        with lock:
            if height > 1:
                large.add(index)
            most.append(len(large))
        return ImageFile(np.zeros((height, 40, 3), np.uint8), None, ImageKind())

    def write(path: Path, *_: object, **options: object) -> None:
        time.sleep(0.02 if slow == "write" else 0)
        with lock:
            large.discard(int(path.stem))

    def edit(files: Sequence[ImageFile]) -> list[Result]:
        time.sleep(0.02 if slow == "edit" else 0)
        return [Result(file.to_tensor(), None) for file in files]

    monkeypatch.setattr(runner, "count_pixels", lambda path: int(path.name.split("-")[1]) * 40)
    monkeypatch.setattr(runner, "read", read)
    monkeypatch.setattr(runner, "write", write)
    jobs = [Job(tmp_path / f"{index}-{height}", tmp_path / f"{index}.out") for index, height in enumerate(heights)]
    report = Runner(edit, 16, lambda: None).run(plan_of(jobs))
    assert len(report.written) == len(heights)
    assert max(most) <= 1 + 1 + 2  # read ahead, in hand, being written


@pytest.mark.parametrize("phase", ["read", "write"])
@pytest.mark.parametrize("error", [OverflowError("too large"), KeyError("x"), MemoryError()])
def test_an_error_nobody_foresaw_costs_one_picture_and_is_named(
    phase: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, whole = jobs_of(tmp_path, [(8, 6)] * 5), getattr(runner, phase)

    def fail_on_one(path: Path, *rest: Any, **options: Any) -> Any:
        if path in (jobs[1].source, jobs[1].target):
            raise error
        return whole(path, *rest, **options)

    monkeypatch.setattr(runner, phase, fail_on_one)
    report = Runner(Invert(), 2, lambda: None).run(plan_of(jobs))
    assert report.failed == (Failure(jobs[1], f"{type(error).__name__}: {error}"),)
    assert len(report.written) == 4


@pytest.mark.parametrize("phase", ["read", "edit", "write"])
def test_a_failure_costs_one_picture(phase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [(8, 6), (5, 5), (8, 6)]
    jobs = jobs_of(tmp_path, sizes)
    edit = Invert()
    if phase == "read":
        jobs[1].source.write_bytes(b"")
    if phase == "write":
        jobs[1].target.mkdir(parents=True)

    def fail_on_squares(files: Sequence[ImageFile]) -> list[Result]:
        if phase == "edit" and files[0].width == files[0].height:
            raise ShapeError("no squares")
        return edit(files)

    report = Runner(fail_on_squares, 2, lambda: None).run(FilePlan(tuple(jobs), overwrite=True))
    assert [failure.job for failure in report.failed] == [jobs[1]]
    assert {written.job for written in report.written} == {jobs[0], jobs[2]}


def test_an_unknown_error_in_the_edit_stops_the_run_and_its_threads(tmp_path: Path) -> None:
    def broken(_files: Sequence[ImageFile]) -> NoReturn:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        Runner(broken, 2, lambda: None).run(plan_of(jobs_of(tmp_path, [(8, 6)] * 9)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mbu-ops")]
    assert not (tmp_path / "out").exists()


def test_a_result_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    (job,) = jobs_of(tmp_path, [(8, 6)])
    job.target.parent.mkdir()
    job.target.write_bytes(b"mine")
    report = Runner(Invert(), 2, lambda: None).run(plan_of([job]))
    assert job.target.read_bytes() == b"mine"
    assert "exists" in report.failed[0].reason


def test_the_mask_is_written_before_its_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(draw(tmp_path / "a.png"), tmp_path / "out.png", tmp_path / "out.png.mask.png")

    def fail(*_args: object, **_options: object) -> NoReturn:
        raise ImageFileError("disk is full")

    monkeypatch.setattr(runner, "write", fail)

    def edit(files: Sequence[ImageFile]) -> list[Result]:
        return [Result(image, image[:1]) for image in (file.to_tensor() for file in files)]

    report = Runner(edit, 1, lambda: None).run(plan_of([job]))
    assert report.failed == (Failure(job, "disk is full"),)
    assert job.mask.exists()
    assert not job.target.exists()
