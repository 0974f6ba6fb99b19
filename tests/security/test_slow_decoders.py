"""Pictures that take for ever to decode, or end the process that does: each costs its own time, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbu_ops.batch import FilePlan, Job
from mbu_ops.batch.editor import Result
from mbu_ops.batch.runner import Runner
from mbu_ops.errors import ConfigurationError, ImageFileError
from mbu_ops.images import ImageFile, ImageKind, Limits, deadline, encode, isolated, limited, read, reader
from mbu_ops.images.isolated import Decoder

from ..pictures import draw
from .test_image_bombs import repeated

APART = Limits(isolate=True)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A decoder that comes back only when the test is over."""
    over = threading.Event()

    def decode(*_: object) -> ImageFile:
        over.wait(30)
        raise ImageFileError("came back")

    monkeypatch.setattr(reader, "decode", decode)
    yield over
    over.set()


def test_a_deadline_needs_no_consent(stuck: threading.Event, tmp_path: Path) -> None:
    path = draw(tmp_path / "slow.png")
    with limited(Limits(timeout=0.05)), pytest.raises(ImageFileError, match=r"slow\.png.* within 0\.05 s, and was not"):
        read(path)
    assert not stuck.is_set()


def test_what_comes_while_the_deadline_passes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(Future[int]):
        def result(self, timeout: float | None = None) -> int:
            value = super().result()
            if timeout is not None:
                raise TimeoutError
            return value

    monkeypatch.setattr(deadline, "Future", Late)
    assert deadline.within(5, lambda: 3, "a photo") == 3


def test_ctrl_c_does_not_wait_for_a_decoder(stuck: threading.Event, tmp_path: Path) -> None:
    jobs = tuple(Job(draw(tmp_path / f"{index}.png"), tmp_path / "out" / f"{index}.png") for index in range(3))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    assert main is not None
    press = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    press.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Runner(lambda images: [Result(image, None) for image in images], 2, lambda: None).run(FilePlan(jobs))
        assert not stuck.is_set()
    finally:
        press.cancel()
        signal.signal(signal.SIGINT, before)


def test_limits_hold_in_the_threads_of_a_run(tmp_path: Path) -> None:
    jobs = tuple(Job(draw(tmp_path / f"{index}.png"), tmp_path / "out" / f"{index}.png") for index in range(2))
    run = Runner(lambda images: [Result(image, None) for image in images], 2, lambda: None)
    with limited(Limits(max_pixels=100)):
        report = run.run(FilePlan(jobs))
    assert [failure.reason.partition(",")[0] for failure in report.failed] == [
        f"{str(job.source)!r}: expected at most 0.0001 million pixels" for job in jobs
    ]


KINDS = [
    (
        "JPEG",
        {"quality": 83, "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x3b\x01\x02\0\x04\0\0\0Ann\0\0\0\0\0", "dpi": (72, 72)},
    ),
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
]


@pytest.mark.parametrize(("format", "options"), KINDS)
def test_what_is_decoded_apart_is_the_same(format: str, options: dict[str, object], tmp_path: Path) -> None:
    path = draw(tmp_path / f"a.{format.lower()}", **options)
    here = read(path)
    with limited(APART):
        there = read(path)
    assert there.kind == here.kind
    np.testing.assert_array_equal(there.pixels, here.pixels)


def test_16_bits_and_alpha_come_back_from_there() -> None:
    deep = np.arange(48, dtype=np.uint16).reshape(4, 4, 3) * 999
    alpha = np.arange(16, dtype=np.uint16).reshape(4, 4)
    data = encode(deep, ImageFile(deep, alpha, ImageKind(bits=16, alpha=True)))
    with limited(APART):
        there = read(data)
    assert there.kind == read(data).kind
    np.testing.assert_array_equal(there.pixels, deep)
    np.testing.assert_array_equal(there.alpha, alpha)


def test_errors_from_there_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9\x1b[31m.png"
    path.write_bytes(b"no picture")
    with (
        limited(APART),
        pytest.raises(ImageFileError, match="got another kind of file") as caught,
    ):
        read(path)
    assert str(caught.value).startswith(repr(str(path)))


def test_a_process_that_takes_too_long_is_ended_and_the_next_one_reads_on() -> None:
    with limited(Limits(isolate=True, timeout=0.01)), pytest.raises(ImageFileError, match="to be decoded within"):
        read(repeated(80, 1500))
    with limited(APART):
        assert read(repeated(1)).width == 64


def test_a_process_that_ends_costs_one_picture() -> None:
    decoder = Decoder()
    decoder.end()
    with pytest.raises(ImageFileError, match=r"a\.png: expected an image, and decoding it ended its process"):
        decoder.decode(encode(np.zeros((4, 4, 3), np.uint8)), "a.png", Limits())


def test_a_process_that_is_ended_as_it_answers_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder()

    def late(*parts: Any) -> ImageFile:
        decoder.end()  # the deadline passes in another thread
        return ImageFile(*parts)

    monkeypatch.setattr(isolated, "ImageFile", late)
    assert decoder.decode(encode(np.zeros((4, 4, 3), np.uint8)), "a.png", Limits()).width == 4
    assert not decoder.is_ready


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limits")
def test_such_a_process_writes_no_files(tmp_path: Path) -> None:
    code = (
        "import sys; from mbu_ops.images import worker, reader; "
        "from mbu_ops.errors import ImageFileError\n"
        "def decode(*_):\n"
        f"    open({str(tmp_path / 'proof')!r}, 'w').write('x' * 100)\n"
        "worker.decode = decode; worker.main()"
    )
    request = b'{"length": 1, "name": "a", "limits": {}}\nx'
    done = subprocess.run([sys.executable, "-c", code], input=request, capture_output=True, timeout=60)
    assert done.returncode != 0
    assert not done.stdout
    assert not (tmp_path / "proof").exists() or not (tmp_path / "proof").stat().st_size


def test_no_process_outlives_the_command(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png")
    code = (
        "import sys; from mbu_ops.images import Limits, limited, read\n"
        f"with limited(Limits(isolate=True)): read({str(path)!r})\n"
        "import subprocess; sys.stdout.write(' '.join(str(child) for child in "
        "open('/proc/self/task/%d/children' % __import__('os').getpid()).read().split()))"
    )
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        pytest.skip("needs to see a process's children")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    (child,) = done.stdout.split()
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"timeout": float("inf")}, {"max_memory": -1}])
def test_limits_are_numbers_above_zero(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=f"positive number for {next(iter(wrong))}"):
        Limits(**wrong)
