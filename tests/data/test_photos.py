"""Ordinary photos: what is found is cut once and kept, and what cannot be used is counted and named."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mbu_ops.data import photos as module
from mbu_ops.data.cuts import INDEX, Cuts, stamp
from mbu_ops.data.cutting import cut_file
from mbu_ops.data.domains import Domains
from mbu_ops.data.photos import KEPT, Photos, Unused
from mbu_ops.errors import DataError, PluginError
from mbu_ops.families import FamilySpec, FrameSpec, get_family
from mbu_ops.frames.frame import Frame

from ..portraits import head_on_texture

FAMILY = FamilySpec("dolls", title="Dolls", frames=(FrameSpec("doll"),), aligner="fake_dolls:build")
TOP = FrameSpec("top", within="doll", y=0.25, height=0.5)


class Finder:
    """Finds bright squares by their columns; a photo may hold several that share no column."""

    def __init__(self) -> None:
        self.searched = 0
        self.fails: Callable[[], object] = lambda: None

    def find(self, image: Tensor) -> tuple[Frame, ...]:
        self.searched += 1
        self.fails()
        bright = image[0].amin(0) > 0.45
        frames, columns = [], [*bright.any(0).tolist(), False]
        start: int | None = None
        for column, there in enumerate(columns):
            if there and start is None:
                start = column
            elif not there and start is not None:
                rows = bright[:, start:column].any(1).nonzero()
                side = column - start
                frames.append(Frame(start + side / 2, float(rows[0]) + side / 2, side))
                start = None
        return tuple(sorted(frames, key=lambda one: -one.side))


def draw(path: Path, *dolls: tuple[int, int, int], size: tuple[int, int] = (90, 70), seed: int = 0) -> Path:
    """Write a dark photo with dolls (left, top, side): white above, grey below."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
    for left, top, side in dolls:
        pixels[top : top + side, left : left + side] = 130
        pixels[top : top + side // 2, left : left + side] = 255
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def finder() -> Finder:
    return Finder()


@pytest.fixture
def photos(tmp_path: Path, finder: Finder) -> Callable[..., Photos]:
    """Open the same cuts anew, as another run does."""

    def opened(every: bool = False) -> Photos:
        return Photos(FAMILY, module.GuardedAligner(FAMILY, finder), Cuts(tmp_path / "cuts"), every)

    return opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(10):
        draw(tmp_path / "photos" / f"{index}.png", (10 + 3 * index, 5 + 2 * index, 24), seed=index)
    return tmp_path / "photos"


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_what_is_found_is_cut(folder: Path, photos: Callable[..., Photos]) -> None:
    pictures, unused = photos().pictures(files(folder), 24)
    assert len(pictures) == 10
    assert not unused
    for picture in pictures:
        assert picture.frame == KEPT
        shown = cut_file(picture, 24).astype(int)
        assert (shown[2:10, 2:-2] > 230).all()
        assert (np.abs(shown[14:22, 2:-2] - 130) < 25).all()
        top = cut_file(picture, (12, 24), TOP)
        assert (top[2:-2, 2:-2] > 230).all()


def test_turned_places_are_cut_upright(tmp_path: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[20:60, 20:40] = 255  # the left half; of a place that lies on its right side it is the lower half
    Image.fromarray(pixels).save(tmp_path / "a.png")
    finder.find = lambda _image: (Frame(40, 40, 40, 90.0),)  # type: ignore[assignment,method-assign]
    [picture], _ = photos().pictures([tmp_path / "a.png"], 40)
    shown = cut_file(picture, 40)
    assert (shown[:18] < 25).all()
    assert (shown[22:] > 230).all()


def test_orientation_is_that_of_exif(tmp_path: Path, photos: Callable[..., Photos]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    straight = draw(tmp_path / "b.png", (20, 10, 30))
    with Image.open(straight) as image:
        image.rotate(90, expand=True).save(tmp_path / "a.png", exif=exif)
    (turned, upright), _ = photos().pictures([tmp_path / "a.png", straight], 30)
    assert np.array_equal(cut_file(turned, 30), cut_file(upright, 30))


def test_a_photo_is_searched_once(folder: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    first, _ = photos().pictures(files(folder), 24)
    again, _ = photos().pictures(files(folder), (12, 24), TOP)
    assert again == first
    assert finder.searched == 10
    draw(folder / "new.png", (10, 10, 24))
    assert len(photos().pictures(files(folder), 24)[0]) == 11
    assert finder.searched == 11


@pytest.mark.parametrize("how", ["other bytes", "other time"])
def test_a_changed_photo_is_searched_again(
    folder: Path, finder: Finder, photos: Callable[..., Photos], tmp_path: Path, how: str
) -> None:
    photos().pictures(files(folder), 24)
    changed = folder / "3.png"
    status = changed.stat()
    draw(changed, (50, 30, 36), seed=99)
    when = status.st_mtime_ns + (10**9 if how == "other time" else 0)
    if how == "other bytes":
        assert changed.stat().st_size != status.st_size
    os.utime(changed, ns=(when, when))
    pictures, _ = photos().pictures(files(folder), 24)
    assert finder.searched == 11
    assert len(list((tmp_path / "cuts").glob("*.jpg"))) == 10, "the cut of the earlier version is removed"
    with Image.open(pictures[3].path) as image:
        assert image.size == (72, 72)


def test_a_cut_that_was_removed_is_made_again_without_a_search(
    folder: Path, finder: Finder, photos: Callable[..., Photos]
) -> None:
    pictures, _ = photos().pictures(files(folder), 24)
    pictures[4].path.unlink()
    assert photos().pictures(files(folder), 24)[0] == pictures
    assert pictures[4].path.is_file()
    assert finder.searched == 10


@pytest.mark.parametrize("damage", ["torn", "foreign", "binary"])
def test_a_damaged_index_costs_its_lines_only(
    folder: Path, finder: Finder, photos: Callable[..., Photos], tmp_path: Path, damage: str
) -> None:
    photos().pictures(files(folder), 24)
    index = tmp_path / "cuts" / INDEX
    lines = index.read_bytes().splitlines(keepends=True)
    if damage == "torn":
        index.write_bytes(b"".join(lines)[:-20])
    elif damage == "foreign":
        line = json.loads(lines[5])
        odd = [[], 7, {"path": 1}, line | {"places": [[1, 2]]}, line | {"places": [[0, 0, math.nan, 1, 0, 0]]}]
        odd += [line | {"places": "all"}, line | {"bytes": True}, line | {"places": [[1, 1, 0, 0, 0, 0]]}]
        text = "".join(json.dumps(one) + "\n" for one in odd)
        index.write_bytes(b"".join(lines[:5] + lines[6:]) + text.encode())
    else:
        index.write_bytes(b"\xff\x00[[[[\n" + b"".join(lines[1:]))
    assert len(photos().pictures(files(folder), 24)[0]) == 10
    assert finder.searched == 11
    photos().pictures(files(folder), 24)
    assert finder.searched == 11, "the line that was written after a torn one counts"


def test_an_interrupted_search_goes_on(
    folder: Path, finder: Finder, photos: Callable[..., Photos], tmp_path: Path
) -> None:
    def stop() -> None:
        if finder.searched == 5:
            signal.raise_signal(signal.SIGINT)

    finder.fails = stop
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with another
    try:
        with pytest.raises(KeyboardInterrupt):
            photos().pictures(files(folder), 24)
    finally:
        signal.signal(signal.SIGINT, before)
    finder.fails = lambda: None
    finder.searched = 0
    assert len(photos().pictures(files(folder), 24)[0]) == 10
    assert finder.searched == 6
    assert not list((tmp_path / "cuts").glob(".*"))


def test_a_crash_between_cut_and_index(
    folder: Path, photos: Callable[..., Photos], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Cuts, "remember", fail)
        with pytest.raises(KeyboardInterrupt):
            photos().pictures(files(folder), 24)
    assert len(photos().pictures(files(folder), 24)[0]) == 10


def test_what_cannot_be_used_is_counted_and_named(folder: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    for name in ("sea", "sky", "sand", "snow"):
        draw(folder / f"{name}.png")
    draw(folder / "tiny.png", (10, 10, 11))
    (folder / "no\npicture.jpg").write_bytes(b"\xff\xd8\xff no")
    hostile = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\x1b[2J.png"))
    draw(hostile, (10, 10, 24))
    pictures, unused = photos().pictures([*files(folder), folder / "gone.png"], 24)
    assert len(pictures) == 11
    line = str(unused)
    assert line.startswith("7 of 18 photos cannot be used: ")
    assert "4 without dolls ('sand.png', 'sea.png', 'sky.png' and 1 more)" in line
    assert "2 unreadable ('gone.png', 'no\\npicture.jpg')" in line
    assert "1 too small ('tiny.png')" in line
    assert line.isprintable()
    searched = finder.searched
    assert str(photos().pictures([*files(folder), folder / "gone.png"], 24)[1]) == line
    assert finder.searched == searched, "nothing in a photo is remembered too"
    assert len(photos().pictures([folder / "tiny.png"], 22)[0]) == 1, "it is large enough for smaller networks"


def test_names_that_are_no_text(tmp_path: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    names = [b"\xff.png", b"\xfe.png", b"a\nb.png", "\u202egnp.png".encode()]
    hostile = [Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)) for name in names]
    for photo in hostile:
        draw(photo, (10, 10, 24))
    first, _ = photos().pictures(hostile, 24)
    assert len({picture.path for picture in first}) == 4
    assert photos().pictures(hostile, 24)[0] == first
    assert finder.searched == 4


def test_a_plugin_that_fails_costs_one_photo(folder: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    def fail() -> None:
        if finder.searched == 3:
            raise ValueError("no luck")

    finder.fails = fail
    pictures, unused = photos().pictures(files(folder), 24)
    assert len(pictures) == 9
    assert "1 that could not be searched ('2.png')" in str(unused)
    assert len(photos().pictures(files(folder), 24)[0]) == 10, "it is tried again"


def test_one_or_all_of_several(tmp_path: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    photo = draw(tmp_path / "two.png", (5, 5, 24), (40, 10, 40), (31, 60, 6))
    [largest], _ = photos().pictures([photo], 24)
    with Image.open(largest.path) as image:
        assert image.size == (80, 80)
    pictures, unused = photos(every=True).pictures([photo], 24)
    assert len(pictures) == 2, "one is too small"
    assert pictures[0] == largest
    assert not unused
    assert finder.searched == 1


def test_progress_counts_what_is_searched(folder: Path, finder: Finder, tmp_path: Path) -> None:
    told: list[object] = []

    @contextmanager
    def progress(total: int, doing: str) -> Iterator[Callable[[], None]]:
        told.append((total, doing))
        yield lambda: told.append(1)

    searching = Photos(FAMILY, finder, Cuts(tmp_path / "cuts"), progress=progress)
    searching.pictures(files(folder)[:4], 24)
    searching.pictures(files(folder)[:6], 24)
    searching.pictures(files(folder)[:6], 24)
    assert told == [(4, "looking for dolls"), 1, 1, 1, 1, (2, "looking for dolls"), 1, 1]


def test_folders_become_domains(folder: Path, tmp_path: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    draw(folder / "sea.png")
    lines: list[str] = []
    domains = Domains.from_folders([folder], [folder], (12, 24), report=lines.append, frame=TOP, photos=photos())
    assert domains.size == (12, 24)
    assert domains.with_.shape[1:] == (3, 12, 24)
    unseen = Domains.from_folders([folder], [folder], (12, 24), "validation", 0.9, frame=TOP, photos=photos())
    assert finder.searched == 11, "held out by the photos' names, from the same cuts"
    assert len(unseen.with_) < 11
    assert domains.facts["frame"] == "top"
    assert domains.facts["found"] == "largest"
    assert lines == ["2 of 22 photos cannot be used: 2 without dolls ('sea.png', 'sea.png')"]
    plain = Domains.from_folders([folder], [folder], 16, report=lines.append)
    assert set(plain.facts) == {"source", "holdout", "with", "without"}, "what runs of before have saved"


def test_too_few_are_an_error_that_says_why(folder: Path, tmp_path: Path, photos: Callable[..., Photos]) -> None:
    for photo in files(folder)[:6]:
        draw(photo)
    with pytest.raises(DataError, match=r"at least 8 pictures of dolls, found 4 in 10 photos of .*6 without dolls .*"):
        Domains.from_folders([folder], [folder], 24, photos=photos())


def test_a_folder_that_cannot_be_written_is_named(folder: Path, tmp_path: Path, photos: Callable[..., Photos]) -> None:
    (tmp_path / "cuts").write_text("taken")
    with pytest.raises(DataError, match=r"could not keep cuts of photos in .*cuts"):
        photos().pictures(files(folder), 24)


class Network(nn.Module):
    """An aligner with weights."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.register_buffer("value", torch.tensor(value))

    def find(self, _image: Tensor) -> tuple[Frame, ...]:
        return ()


def test_each_aligner_has_cuts_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = ModuleType("fake_dolls")
    monkeypatch.setitem(sys.modules, "fake_dolls", plugin)
    found = []
    for value in (1.0, 1.0, 2.0):
        plugin.build = lambda value=value: Network(value)
        found.append(Photos.of(FAMILY, tmp_path).cuts.folder)
    assert found[0] == found[1] != found[2]
    assert found[0].parent == tmp_path
    plugin.build = Finder
    assert Photos.of(FAMILY, tmp_path).cuts.folder not in found

    class Broken(Network):
        def state_dict(self, *_: object, **__: object) -> dict[str, object]:  # type: ignore[override]
            raise RuntimeError("no state")

    plugin.build = lambda: Broken(1.0)
    with pytest.raises(PluginError, match="describing its aligner failed"):
        Photos.of(FAMILY, tmp_path)


def test_two_runs_share_a_folder(folder: Path, finder: Finder, photos: Callable[..., Photos]) -> None:
    one, two = photos(), photos()
    assert one.pictures(files(folder), 24)[0] == two.pictures(files(folder), 24)[0]
    assert photos().cuts.found(stamp(folder / "0.png")) is not None


def test_nothing_unused_says_nothing() -> None:
    assert not Unused(3)


def test_real_faces_are_cut_upright(tmp_path: Path) -> None:
    photo = head_on_texture(420, 360, (60, 40, 300))
    for angle in (0, 12):
        photo.rotate(angle, Image.Resampling.BICUBIC).save(tmp_path / f"{angle}.png")
    pictures, unused = Photos.of(get_family("faces"), tmp_path / "cuts").pictures(files(tmp_path), 128)
    assert not unused
    straight, turned = (cut_file(picture, 64)[8:-8, 8:-8].astype(int) for picture in pictures)
    assert np.abs(straight - turned).mean() < 8
    assert np.abs(straight - turned[:, ::-1]).mean() > 20
