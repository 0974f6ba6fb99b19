"""Parsing: shares that sum to 1, a view of each part, sizes from strangers, and weights that know their parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import mbu_ops
from mbu_ops import weights
from mbu_ops.errors import ConfigurationError, UnsupportedVerbError, WeightsError
from mbu_ops.families import get_family
from mbu_ops.methods import get_method
from mbu_ops.methods.base import to_signed
from mbu_ops.methods.mbu import MBU
from mbu_ops.methods.parsing import CONFIGS, Parsing, ParsingConfig, PartView
from mbu_ops.ops.segment import Segment
from mbu_ops.testing import tiny_parsing
from mbu_ops.testing.tiny import TINY_PARSING
from mbu_ops.weights import WeightsInfo, load_pretrained

PARTS = ("rest", "left_eye", "right_eye", "mouth", "skin")


@pytest.fixture
def model() -> Parsing:
    return tiny_parsing()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 3, 32, 32)


@pytest.fixture
def file(model: Parsing, tmp_path: Path) -> Path:
    info = WeightsInfo("parsing", model.config_to_dict(model.config), 32, attributes=PARTS)
    weights.save(tmp_path / "parser.safetensors", model, info, dtype=torch.float32)
    return tmp_path / "parser.safetensors"


def test_it_is_found_by_name() -> None:
    assert get_method("parsing") is Parsing
    info = Parsing.info
    assert (info.learns_from, info.draws, info.refines, info.follows_guides) == ("parts", *3 * [False])


# -- the network ------------------------------------------------------------------------------------------------------


def test_shares_of_each_pixel_sum_to_1(model: Parsing, image: Tensor) -> None:
    shares = model.parse(image)
    assert shares.shape == (3, 5, 32, 32)
    assert shares.min() >= 0
    torch.testing.assert_close(shares.sum(1), torch.ones(3, 32, 32))
    torch.testing.assert_close(shares, model.logits(image).softmax(1))
    assert shares.argmax(1).unique().tolist() == [0, 1, 2, 3, 4]


def test_no_picture_of_a_batch_influences_another(image: Tensor) -> None:
    model = tiny_parsing(dtype=torch.float64)
    together = model.logits(image.double())
    torch.testing.assert_close(together[1:2], model.logits(image[1:2].double()))


def test_gradients_reach_the_image_and_every_weight(model: Parsing, image: Tensor) -> None:
    image.requires_grad_()
    model.parse(image)[:, 2].mean().backward()
    assert image.grad is not None
    assert (image.grad.abs().sum((1, 2, 3)) > 0).all()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_it_is_a_u_net() -> None:
    """Written out once more, for two scales and blocks of two pixels."""
    model = tiny_parsing()
    image = torch.rand(2, 3, 32, 32)
    fine = model.down[0](nn.functional.pixel_unshuffle(to_signed(image), 2))
    coarse = model.down[1](nn.functional.max_pool2d(fine, 2))
    assert (fine.shape, coarse.shape) == ((2, 8, 16, 16), (2, 12, 8, 8))
    up = model.up[0](torch.cat([coarse.repeat_interleave(2, -1).repeat_interleave(2, -2), fine], 1))
    torch.testing.assert_close(model.logits(image), nn.functional.pixel_shuffle(model.name_pixels(up), 2))


def test_layers_are_those_of_the_published_network() -> None:
    with torch.device("meta"):
        model = Parsing("paper")
    shapes = [tuple(one.weight.shape[:2]) for one in model.modules() if isinstance(one, nn.Conv2d)]
    down = [(64, 3), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (512, 256), (512, 512)]
    bottom = [(1024, 512), (1024, 1024)]
    up = [(512, 1536), (512, 512), (256, 768), (256, 256), (128, 384), (128, 128), (64, 192), (64, 64)]
    assert shapes == [*down, *bottom, *up, (19, 64)]
    assert model.config.resolution == 256


@pytest.mark.parametrize("name", ["lite", "small"])
def test_small_configurations_work(name: str) -> None:
    model = Parsing(name).eval()
    side = model.config.resolution
    with torch.no_grad():
        assert model.parse(torch.rand(1, 3, side, side)).shape == (1, 19, side, side)


def test_it_neither_refines_nor_draws(model: Parsing) -> None:
    assert model.stems() == ()
    assert model.painters() == {}


def test_the_fast_form_finds_the_same_without_batch_norm(model: Parsing, image: Tensor) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast = model.train().for_inference()
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not fast.training
    assert not any(isinstance(one, nn.BatchNorm2d) for one in fast.modules())
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    image.requires_grad_()
    expected = model.eval().parse(image)
    torch.testing.assert_close(fast.parse(image), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fast.for_inference().parse(image), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fast.for_content(2).segment(image), expected[:, 2:3], atol=1e-5, rtol=1e-4)
    fast.parse(image)[:, 1].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


# -- contents ---------------------------------------------------------------------------------------------------------


def test_its_contents_are_the_parts(model: Parsing) -> None:
    assert model.contents == model.part_count == 5
    assert model.guide_shape == (5, 1, 1, 1)


def test_a_view_segments_one_part(model: Parsing, image: Tensor) -> None:
    shares = model.parse(image)
    for number in range(5):
        view = model.for_content(number)
        torch.testing.assert_close(view.segment(image), shares[:, number : number + 1])
        assert isinstance(view, PartView)
        assert (view.info.name, view.config, view.info.verbs) == ("parsing", model.config, frozenset({"segment"}))
        assert not view.info.mirrors, "left and right would be mixed up"
        assert not {"encode_guide", "transfer", "remove"} & set(dir(view)), "it segments, and no more"


@pytest.mark.parametrize("number", [-1, 5, 10**9])
def test_parts_that_are_not_there_are_named(model: Parsing, number: int) -> None:
    with pytest.raises(ConfigurationError, match=f"expected a content from 0 to 4, got {number}"):
        model.for_content(number)


def test_a_view_is_what_segment_asks(model: Parsing) -> None:
    image = torch.rand(2, 3, 45, 38, requires_grad=True)
    op = Segment(model.for_content(3))
    assert not op.mirrors, "left and right would be mixed up"
    mask = op(image)
    assert mask.shape == (2, 1, 45, 38)
    assert 0 <= mask.min() < 0.05
    assert 0.5 < mask.max() <= 1
    mask.mean().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    edit = op.edit(image.detach())
    assert torch.equal(edit.image, image)
    torch.testing.assert_close(edit.mask, mask)
    assert Segment(model.for_content(3), threshold=0.5)(image).unique().tolist() == [0, 1]


def test_other_verbs_are_refused(model: Parsing) -> None:
    with pytest.raises(UnsupportedVerbError, match="expected a method that can remove, got parsing"):
        mbu_ops.Remove(model.for_content(1))
    with pytest.raises(ConfigurationError, match=r"the parsing networks of 5: take model\.for_content\(0\)"):
        Segment(model)


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_a_family_s_parts_say_what_is_learnt() -> None:
    anatomy = get_family("faces").anatomy
    names = Parsing.contents_in(anatomy)
    assert names == anatomy.names
    assert Parsing.config_for(CONFIGS["lite"], names, anatomy) == CONFIGS["lite"]
    assert Parsing.config_for(CONFIGS["lite"], names[:7]) == replace(CONFIGS["lite"], parts=7)
    with pytest.raises(ConfigurationError, match="parts must lie between 2 and 255, got 1"):
        Parsing.config_for(CONFIGS["lite"], names[:1])
    with pytest.raises(ConfigurationError, match="mbu does not learn from labelled pictures, got masks of 19 parts"):
        MBU.contents_in(anatomy)


@pytest.mark.parametrize("config", [*CONFIGS.values(), TINY_PARSING], ids=[*CONFIGS, "tiny"])
def test_configurations_survive_the_file(config: ParsingConfig) -> None:
    assert Parsing.config_from_dict(Parsing.config_to_dict(config)) == config


def test_unknown_configurations_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"configuration of parsing \(paper, lite, small\), got 'huge'"):
        Parsing("huge")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"parts": 1}, "parts must lie between 2 and 255, got 1"),
        ({"parts": 256}, "parts must lie between 2 and 255, got 256"),
        ({"parts": -5}, "parts must lie between 2 and 255"),
        ({"widths": ()}, "resolution must be a multiple"),
        ({"resolution": 0}, "got 0"),
        ({"resolution": -32}, "got -32"),
        ({"resolution": 33}, "got 33"),
        ({"patch": 0}, "resolution must be a multiple"),
        ({"patch": -2}, "resolution must be a multiple"),
        ({"patch": 32}, r"resolution must be a multiple of patch \* 2\*\*\(scales - 1\), got 32"),
        ({"patch": 3}, "got 32"),
        ({"widths": (4,) * 7}, "got 32"),
        ({"widths": (4,) * 100_000}, "got 32"),
    ],
)
def test_sizes_that_cannot_work_are_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        replace(TINY_PARSING, **changes)


@pytest.mark.parametrize("field", ["resolution", "widths", "parts", "patch", "removal_dilation"])
@pytest.mark.parametrize("value", [None, "3", {}, [0], [2.5], -1, True, float("nan")])
def test_configurations_from_strangers_are_checked(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"for {field}, got"):
        Parsing.config_from_dict({field: value})


def test_settings_of_other_methods_are_named() -> None:
    with pytest.raises(ConfigurationError, match="got 'common_widths'"):
        Parsing.config_from_dict({"common_widths": [8, 16]})


# -- weights ----------------------------------------------------------------------------------------------------------


def test_weights_know_their_parts(file: Path, model: Parsing, image: Tensor) -> None:
    pretrained = load_pretrained(file)
    assert pretrained.info.attributes == PARTS
    assert pretrained.guides is None
    assert not pretrained.model.training
    assert torch.equal(pretrained.model.parse(image), model.parse(image))
    for name, number in (("rest", 0), ("mouth", 3)):
        view = load_pretrained(file, content=name).model
        assert torch.equal(view.segment(image), model.for_content(number).segment(image))


def test_a_part_is_segmented_by_name(file: Path, model: Parsing) -> None:
    image = torch.rand(2, 3, 50, 40)
    op = Segment.from_pretrained(file, content="skin")
    assert torch.equal(op(image), Segment(model.for_content(4))(image))
    assert op.guides is None
    half = Segment.from_pretrained(file, content="skin", dtype=torch.float16)
    assert (half(image) - op(image)).abs().mean() < 0.05


@pytest.mark.parametrize("content", ["hair", "", None])
def test_parts_that_weights_do_not_know_are_named(file: Path, content: str | None) -> None:
    error = ConfigurationError if content is None else WeightsError
    with pytest.raises(error, match="content"):
        Segment.from_pretrained(file, content=content)


@pytest.mark.parametrize("names", [(), PARTS[:4], (*PARTS, "hair")])
def test_weights_name_each_part(model: Parsing, tmp_path: Path, names: tuple[str, ...]) -> None:
    info = WeightsInfo("parsing", model.config_to_dict(model.config), 32, attributes=names)
    with pytest.raises(WeightsError, match="expected the names of the 5 contents that 'parsing' edits"):
        weights.save(tmp_path / "parser.safetensors", model, info)
    assert not list(tmp_path.iterdir())


Config = dict[str, object]
HOSTILE: dict[str, tuple[Callable[[Config], Config], str]] = {
    "more parts than weights": (lambda c: c | {"parts": 6}, "names of the 6 contents"),
    "parts beyond a byte": (lambda c: c | {"parts": 10**12}, "parts must lie between 2 and 255"),
    "no parts": (lambda c: c | {"parts": 0}, "positive whole number for parts"),
    "widths that would fill all memory": (lambda c: c | {"widths": [10**7, 10**7]}, "expected down"),
    "widths that overflow": (lambda c: c | {"widths": [10**30, 12]}, "cannot be built"),
    "widths that overflow multiplied": (lambda c: c | {"widths": [2**62, 2**62]}, "parser"),
    "scales without end": (lambda c: c | {"widths": [4] * 10**5}, "resolution must be a multiple"),
    "no scales": (lambda c: c | {"widths": []}, "resolution must be a multiple"),
    "another scale": (lambda c: c | {"widths": [8, 12, 12]}, "missing"),
    "a picture beyond all pictures": (lambda c: c | {"resolution": 2**4000, "patch": 2**3999}, "of resolution 32"),
    "a patch beyond the picture": (lambda c: c | {"patch": 10**18}, "resolution must be a multiple"),
    "the largest patch": (lambda c: c | {"patch": 16}, "expected down"),
    "another resolution": (lambda c: c | {"resolution": 64}, "of resolution 32, got 64"),
    "a setting that is unknown": (lambda c: c | {"depth": 3}, "got 'depth'"),
    "a setting that is no number": (lambda c: c | {"resolution": "32"}, "positive whole number for resolution"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_sizes_in_a_file_are_refused(case: str, file: Path, model: Parsing) -> None:
    change, says = HOSTILE[case]
    info = WeightsInfo("parsing", change(model.config_to_dict(model.config)), 32, attributes=PARTS)
    save_file(load_file(file), file, {"format": "pt", "mbu_ops": info.to_json()})
    with pytest.raises(WeightsError, match=says) as caught:
        weights.load(file)
    assert "parser.safetensors" in str(caught.value)
    assert len(str(caught.value)) < 2_000


def test_the_file_holds_no_more_than_the_network(file: Path, model: Parsing) -> None:
    with safe_open(file, "pt") as stored:
        names = set(stored.keys())
    assert names == {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
