"""What is measured of edits of two contents, on edits whose quality is known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.judge import Judge
from mbu_ops.evaluation.translation import (
    OneNetwork,
    PairEditor,
    TwoNetworks,
    measure_translations,
    write_translations,
)
from mbu_ops.images import read
from mbu_ops.ops.redraw import Redraw
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer
from mbu_ops.ops.translate import Translate
from mbu_ops.testing import tiny_didd, tiny_mbu
from mbu_ops.weights import WeightsInfo, load, save

CONTENTS = ("hat", "tie")


class Channel(Judge):
    """Says that images whose channel is bright show a content."""

    def __init__(self, *channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, images: Tensor) -> Tensor:
        first, *second = (images[:, channel].mean((1, 2)) for channel in self.channels)
        return first - (second[0] if second else 0.5)


class Painter(PairEditor):
    """A hat is a bright red channel and a tie a bright green one; translation forgets every other hat."""

    def translate(self, images: Tensor, guides: Tensor, content: int) -> Tensor:
        result = images.clone()
        result[:, content] = guides[:, content].mean((1, 2), keepdim=True)
        result[:, 1 - content] = 0
        if content == 0:
            result[::2] = images[::2]
        return result

    def strip(self, images: Tensor) -> Tensor:
        return images * torch.tensor([0.0, 0, 1]).view(3, 1, 1)

    def both(self, images: Tensor, first: Tensor, second: Tensor) -> Tensor:
        result = images.clone()
        result[:, 0], result[:, 1] = first[:, 0], second[:, 1]
        return result


@pytest.fixture
def examples() -> Examples:
    hats, ties = torch.rand(6, 3, 16, 16) * 0.2, torch.rand(4, 3, 16, 16) * 0.2
    hats[:, 0] += 0.8
    ties[:, 1] += 0.8
    return Examples(hats, ties)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    model = tiny_didd()
    path = tmp_path / "pair.safetensors"
    info = WeightsInfo("didd", model.config_to_dict(model.config), 16, attributes=CONTENTS)
    save(path, model, info, torch.rand(2, *model.guide_shape), torch.float32)
    return path


@pytest.fixture
def single(tmp_path: Path) -> list[Path]:
    paths = []
    for seed, content in enumerate(CONTENTS):
        model = tiny_mbu(seed)
        paths.append(tmp_path / f"{content}.safetensors")
        info = WeightsInfo("mbu", model.config_to_dict(model.config), 16, attributes=(content,))
        save(paths[-1], model, info, dtype=torch.float32)
    return paths


def test_figures_say_what_the_edits_do(examples: Examples, tmp_path: Path) -> None:
    file = tmp_path / "painter"
    file.write_bytes(bytes(2_000_000))
    judges = Channel(0), Channel(1)
    found = {
        figure.name: figure for figure in measure_translations(Painter(file), examples, CONTENTS, Channel(0, 1), judges)
    }
    assert {name: figure.count for name, figure in found.items()} == {
        "judge_hat": 6,
        "judge_tie": 4,
        "to_hat": 4,
        "strict_hat": 4,
        "psnr_hat": 4,
        "ms_hat": 4,
        "to_tie": 6,
        "strict_tie": 6,
        "psnr_tie": 6,
        "ms_tie": 6,
        "strip_hat": 6,
        "both_hat": 6,
        "strip_tie": 4,
        "both_tie": 4,
        "megabytes": 1,
    }
    shares = {name: figure.value for name, figure in found.items() if figure.unit == "share"}
    assert shares == {**dict.fromkeys(shares, 1.0), "to_hat": 0.5, "strict_hat": 0.5}
    assert found["megabytes"].value == 2
    # every other picture is untouched (100 dB), the rest lose a channel
    assert 50 < found["psnr_hat"].value < 60


def test_what_is_not_given_is_not_measured(examples: Examples) -> None:
    names = {figure.name for figure in measure_translations(Painter(), examples, CONTENTS, Channel(0, 1))}
    assert not {name for name in names if name.startswith(("strict", "strip", "both", "identity", "kid"))}


def test_the_same_seed_chooses_the_same_guides(examples: Examples) -> None:
    def psnr(seed: int) -> list[float]:
        figures = measure_translations(Painter(), examples, CONTENTS, Channel(0, 1), seed=seed)
        return [figure.value for figure in figures if figure.unit == "dB"]

    assert psnr(3) == psnr(3) != psnr(4)


@torch.no_grad()
@pytest.mark.parametrize("contents", [CONTENTS, CONTENTS[::-1]])
def test_one_network_edits_as_its_ops_do_in_either_order(pair: Path, contents: tuple[str, str]) -> None:
    editor = PairEditor.of(str(pair), contents)
    assert isinstance(editor, OneNetwork)
    loaded = load(pair)
    images, first, second = torch.rand(3, 2, 3, 24, 20)
    views = [loaded.for_content(content, pair).model for content in contents]
    for content in (0, 1):
        expected = Translate(views[content])(images, first)
        assert torch.equal(editor.translate(images, first, content), expected)
    assert torch.equal(editor.strip(images), Redraw(loaded.model, {0: None, 1: None})(images))
    codes = [Transfer(view).encode(guides) for view, guides in zip(views, (first, second), strict=True)]
    changes = dict(zip((CONTENTS.index(content) for content in contents), codes, strict=True))
    assert torch.equal(editor.both(images, first, second), Redraw(loaded.model, changes)(images))


@torch.no_grad()
def test_two_networks_edit_one_after_the_other(single: list[Path]) -> None:
    editor = PairEditor.of("+".join(map(str, single)), CONTENTS)
    assert isinstance(editor, TwoNetworks)
    assert editor.files == tuple(single)
    models = [load(path).model for path in single]
    images, first, second = torch.rand(3, 2, 3, 24, 20)
    assert torch.equal(editor.translate(images, first, 0), Transfer(models[0])(Remove(models[1])(images), first))
    assert torch.equal(editor.translate(images, second, 1), Transfer(models[1])(Remove(models[0])(images), second))
    assert torch.equal(editor.strip(images), Remove(models[1])(Remove(models[0])(images)))
    assert torch.equal(
        editor.both(images, first, second), Transfer(models[1])(Transfer(models[0])(images, first), second)
    )


def test_weights_of_other_contents_are_named(pair: Path, single: list[Path]) -> None:
    for name, says in (
        (str(single[0]), "edit hat, not hat and tie"),
        (f"{single[1]}+{single[0]}", "edit tie, not hat"),
        ("+".join(map(str, [*single, pair])), "expected weights of two contents"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            PairEditor.of(name, CONTENTS)
    with pytest.raises(WeightsError, match="no such file"):
        PairEditor.of("./nowhere.safetensors", CONTENTS)


def test_a_sheet_shows_every_edit(pair: Path, examples: Examples, tmp_path: Path) -> None:
    path = write_translations(tmp_path / "sheet.png", PairEditor.of(str(pair), CONTENTS), examples, count=4)
    assert read(path).to_tensor().shape == (3, 9 * 16, 4 * 16)
