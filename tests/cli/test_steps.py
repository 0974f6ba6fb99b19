"""Help of steps, and a verb from outside on the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mbu_ops.ops.verbs import Verb, get_verb, verbs
from mbu_ops_cli.app import run
from mbu_ops_cli.steps import option_lines, verb_lines

from ..conftest import Install
from ..pictures import draw
from .conftest import pixels_of

RECORD = """
from mbu_ops.ops.options import Option, number
from mbu_ops.ops.verbs import Verb
verb = Verb("blur", "blur_op:Blur", "blur what it covers", "blur:glasses,radius=3", call="segment",
            options=(Option("radius", number(0, 9), "how far", "2"),))
"""
OP = """
import torch
from mbu_ops.ops import Op
class Blur(Op):
    verb = "segment"
    radius = 2.0
    def forward(self, image):
        side = 2 * int(self.radius) + 1
        return torch.nn.functional.avg_pool2d(image, side, 1, int(self.radius), count_include_pad=False)
"""


@pytest.fixture
def blur(install: Install) -> Iterator[None]:
    install("blurring", "[mbu_ops.verbs]\nblur = blur_verb:verb\n", {"blur_verb": RECORD, "blur_op": OP})
    yield
    for name in ("blur_verb", "blur_op"):
        sys.modules.pop(name, None)


def test_help_has_a_line_for_each_verb_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chain", "--help"]) == 0
    out = capsys.readouterr().out
    assert set(re.findall(r"{\w*}?", out)) <= {"{stem}", "{ext}"}  # all else was filled in
    for verb in verbs():
        assert any(line.split() == f"{verb.example} {verb.help}".split() for line in out.splitlines())
        for option in verb.accepts.values():
            assert f"  {option.name}=" in out
            assert option.help in out


def test_options_say_which_verbs_take_them() -> None:
    lines = list(option_lines([get_verb(name) for name in ("add", "remove", "swap", "segment")]))
    assert all(line.startswith("  ") for line in lines)
    by_name = {(line.split("=")[0].strip(), line.rpartition("(")[2].rstrip(")")) for line in lines}
    assert {("guide", "add, swap"), ("dilation", "remove"), ("softness", "not segment")} <= by_name
    assert not any(line.lstrip().startswith("to=") for line in lines)
    assert next(line for line in lines if "method=" in line).endswith(get_verb("add").accepts["method"].help)


def test_a_long_example_has_its_help_below() -> None:
    long = Verb("paint", "a:B", "paint it", "paint:" + "x" * 40)
    assert list(verb_lines([long, get_verb("remove")])) == [
        "  paint:" + "x" * 40,
        "                paint it",
        "  remove:smile  take it away",
    ]


@pytest.mark.usefixtures("blur")
def test_a_verb_from_outside_is_one_of_the_command_line(
    hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chain", "--help"]) == 0
    out = capsys.readouterr().out
    assert "  blur:glasses,radius=3" in out
    assert "blur what it covers" in out
    assert "how far (blur)" in out
    assert "blur_op" not in sys.modules, "help needs no op"
    draw(tmp_path / "a.png")
    for radius, target in ((0, "same.png"), (3, "soft.png")):
        assert (
            run(["chain", f"blur:{hats},radius={radius}", "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / target)])
            == 0
        )
    before = pixels_of(tmp_path / "a.png").astype(float)
    assert (pixels_of(tmp_path / "same.png") == before).all()
    assert pixels_of(tmp_path / "soft.png").std() < before.std() / 2


def test_a_mask_is_refused_by_its_own_verb(hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(tmp_path / "a.png")
    assert run(["chain", f"segment:{hats}", "-i", str(tmp_path / "a.png"), "-o", "b", "--save-mask"]) == 2
    assert "segment writes the mask itself" in capsys.readouterr().err
