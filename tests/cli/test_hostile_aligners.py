"""Aligners of plugins that are broken or mean: they cost the photos that they were asked about, and nothing else."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, save
from mbu_ops_cli.app import run

from ..conftest import Install
from ..pictures import draw

PLUGIN = """
import sys
from mbu_ops.families import FamilySpec
from mbu_ops.frames.frame import Frame

class Finder:
    def find(self, image):
        print("finding")
        if image.shape[-1] % 2:
            {code}
        return [Frame(10, 10, 16)]

def make():
    return Finder()

family = FamilySpec("pets", aligner="mean_aligner:make")
"""


@pytest.fixture
def chain(install: Install, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Return a function that runs the chain of a family whose aligner does that with pictures of an odd width."""
    model = tiny_mbu()
    info = WeightsInfo("mbu", dataclasses.asdict(model.config), 16, family="pets", attributes=("hat",))
    (tmp_path / "hats").mkdir()
    save(tmp_path / "hats" / "weights.safetensors", model, info, None, dtype=torch.float32)

    def call(code: str, *args: str, step: str = "remove") -> int:
        install(
            "mean-pets", "[mbu_ops.families]\npets = mean_aligner:family\n", {"mean_aligner": PLUGIN.format(code=code)}
        )
        return run(["chain", f"{step}:{tmp_path / 'hats'}{args[0]}", *args[1:]])

    yield call
    sys.modules.pop("mean_aligner", None)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no\\nluck')", "finding what to edit failed: RuntimeError: no"),
        ("raise KeyError('x')", "finding what to edit failed: KeyError"),
        ("sys.exit(0)", "finding what to edit failed: SystemExit: 0"),
        ("return None", "finding what to edit failed: TypeError"),
        ("return [(1, 2, 3, 4)]", "expected Frame or Box, got tuple"),
        ("return [Frame(500, 5, 8)]", "touches the image"),
        ("return [Frame(8, 8, 1e308)]", "finite numbers"),
        ("return []", "found none"),
        ("raise KeyboardInterrupt", "nobody interrupted it"),
        ("return iter(lambda: Frame(10, 10, 16), None)", "expected at most 1000 places in a photo, got more"),
        ("return [Frame(10, 10, 16)] * 1_000_000", "expected at most 1000 places in a photo, got more"),
    ],
)
def test_a_mean_aligner_costs_the_photo_it_is_mean_about(
    code: str, reason: str, chain: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index, width in enumerate((24, 25, 24, 25)):
        draw(tmp_path / "in" / f"{index}.png", (width, 20), index)
    out = tmp_path / "out"
    assert chain(code, "", "-i", str(tmp_path / "in"), "-o", str(out), "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert len(report["written"]) == 2
    assert [reason in entry["error"] for entry in report["failed"]] == [True, True]
    assert not any("\n" in entry["error"] for entry in report["failed"])
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "2.png"]


def test_a_talkative_aligner_does_not_talk_into_the_picture(
    chain: Callable[..., int], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    photo = draw(tmp_path / "a.png")
    assert chain("pass", "", "-i", str(photo), "-o", "-") == 0
    captured = capfdbinary.readouterr()
    assert Image.open(io.BytesIO(captured.out)).size == (24, 20)
    assert b"finding" in captured.err


def test_an_aligner_gets_a_copy_of_the_photo(chain: Callable[..., int], tmp_path: Path) -> None:
    photo = draw(tmp_path / "a.png", (25, 40))
    assert chain("image.zero_()", "", "-i", str(photo), "-o", str(tmp_path / "out.png")) == 0
    before, after = (np.asarray(Image.open(path)) for path in (photo, tmp_path / "out.png"))
    assert np.array_equal(before[30:], after[30:])


def test_any_sequence_of_places_is_told_as_boxes(chain: Callable[..., int], tmp_path: Path) -> None:
    photo = draw(tmp_path / "a.png", (25, 20))
    code = "return (frame for frame in [Frame(10, 10, 16), Frame(20, 10, 5)])"
    args = ("-i", str(photo), "-o", str(tmp_path / "out.png"), "--save-boxes", "--face", "largest")
    assert chain(code, "", *args) == 0
    faces = json.loads((tmp_path / "out.png.boxes.json").read_text())["faces"]
    assert [(face["side"], face["edited"]) for face in faces] == [(16, True), (5, False)]


def test_a_mean_aligner_in_a_guide_is_told_before_anything_is_written(
    chain: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, guide = draw(tmp_path / "a.png"), draw(tmp_path / "guide.png", (25, 20))
    args = ("-i", str(photo), "-o", str(tmp_path / "out.png"))
    assert chain("raise RuntimeError('no luck')", f"@{guide}", *args, step="add") == 3
    assert "family 'pets': finding what to edit failed: RuntimeError: no luck" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
