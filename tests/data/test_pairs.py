"""What a family draws, and what it must not get away with."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from mbu_ops.data import Pair
from mbu_ops.data.domains import Domains
from mbu_ops.data.pairs import drawn_again, drawn_pairs, found_regions
from mbu_ops.errors import ConfigurationError, DataError, MissingPackageError, PluginError
from mbu_ops.families import AttributeSpec, FamilySpec, Layout

HAT = AttributeSpec("hat", "Hat")


def pair(number: int, side: int = 16, dtype: DTypeLike = np.uint8) -> Pair:
    """A grey picture, and the same with a white hat; the number is its shade."""
    without = np.full((side, side, 3), number % 200, dtype)
    with_ = without.copy()
    with_[:4] = 255
    mask = np.zeros((side, side), bool)
    mask[:4] = True
    return Pair(without, with_, mask)


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FamilySpec]:
    """A function that makes a family draw with the given function."""

    def make(draw: object) -> FamilySpec:
        module = ModuleType("pets_that_draw")
        module.draw = draw
        monkeypatch.setitem(sys.modules, "pets_that_draw", module)
        return FamilySpec("pets", attributes=(HAT,), pictures="pets_that_draw:draw")

    return make


def crowd(attribute: str, partition: str, count: int, resolution: int) -> Iterator[Pair]:
    assert attribute == "hat"
    yield from (pair(number + {"train": 0, "validation": 100}[partition], resolution) for number in range(count))


def test_pairs_come_as_they_are_drawn(family: Callable[..., FamilySpec]) -> None:
    pairs = list(drawn_pairs(family(crowd), HAT, "train", 3, 16))
    assert [int(one.without[8, 8, 0]) for one in pairs] == [0, 1, 2]
    assert pairs[0].mask.sum() == 64


def test_domains_share_no_subject(family: Callable[..., FamilySpec]) -> None:
    domains = Domains.drawn(family(crowd), HAT, 16, 10)
    assert domains.with_.shape == domains.without.shape == (10, 3, 16, 16)
    shades = [set(images[:, 0, 8, 8].tolist()) for images in (domains.with_, domains.without)]
    assert not shades[0] & shades[1]
    assert (domains.with_[:, :, :4] == 255).all()
    assert not (domains.without == 255).any()
    assert domains.pairs == ()
    known = Domains.drawn(family(crowd), HAT, 16, 10, truth=True)
    assert torch.equal(known.without, domains.without)
    assert [int(one.without[8, 8, 0]) for one in known.pairs[10:]] == known.without[:, 0, 8, 8].tolist()
    assert "pets" in domains.source
    assert "train" in domains.source


def test_partitions_share_no_subject(family: Callable[..., FamilySpec]) -> None:
    drawing = family(crowd)
    train, validation = (Domains.drawn(drawing, HAT, 16, 8, partition) for partition in ("train", "validation"))
    assert not set(train.without[:, 0, 8, 8].tolist()) & set(validation.without[:, 0, 8, 8].tolist())


def test_a_content_is_drawn_again_on_somebody_else_where_the_family_can(family: Callable[..., FamilySpec]) -> None:
    pairs = [pair(1)._replace(another=lambda: pair(5)), pair(2)._replace(another=lambda: pair(6))]
    drawing = family(crowd)
    assert [int(one.without[8, 8, 0]) for one in drawn_again(drawing, pairs)] == [5, 6]
    assert drawn_again(drawing, [*pairs, pair(3)]) is None
    with pytest.raises(DataError, match="expected a drawn Pair of"):
        drawn_again(drawing, [pair(1)._replace(another=lambda: pair(1, side=8))])
    with pytest.raises(PluginError, match="drawing the content of picture 0 again failed: ZeroDivisionError"):
        drawn_again(drawing, [pair(1)._replace(another=lambda: pair(1 // 0))])


def test_a_family_that_draws_nothing_says_what_to_give_instead() -> None:
    with pytest.raises(ConfigurationError, match=r"draws no pictures .* --with and --without"):
        next(drawn_pairs(FamilySpec("pets", attributes=(HAT,)), HAT, "train", 1, 16))


def fails(*_: object) -> Iterator[Pair]:
    yield pair(0)
    raise RuntimeError("no\nink")


def lacks(*_: object) -> NoReturn:
    raise MissingPackageError("drawing needs ink:\npip install ink")


@pytest.mark.parametrize(
    ("draw", "error", "says"),
    [
        (fails, PluginError, "drawing picture 1 failed: RuntimeError: no ink"),
        (lacks, MissingPackageError, "^drawing needs ink: pip install ink$"),
        (3, PluginError, "not a function"),
        (lambda *_: None, PluginError, "TypeError"),
        (lambda *_: [pair(0)], DataError, "expected 2 drawn pairs, got 1"),
        (lambda *_: map(pair, itertools.count()), DataError, "expected 2 drawn pairs, got more"),
        (lambda *_: exit(), PluginError, "drawing failed: SystemExit"),
        (lambda *_: [pair(0, side=8), pair(1)], DataError, "expected a drawn Pair"),
        (lambda *_: [pair(0, dtype=np.float32), pair(1)], DataError, "float32"),
        (lambda *_: ["a", "b"], DataError, "got str"),
        (lambda *_: [Pair("a", "b", "c")] * 2, DataError, "expected a drawn Pair"),
        (lambda *_: [pair(0)._replace(another=3)] * 2, DataError, "expected a function that draws the content again"),
    ],
)
def test_what_is_not_a_picture_is_refused(
    family: Callable[..., FamilySpec], draw: Callable[..., Any] | int, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        list(drawn_pairs(family(draw), HAT, "train", 2, 16))


def test_a_function_that_is_not_there(family: Callable[..., FamilySpec]) -> None:
    drawing = FamilySpec("pets", attributes=(HAT,), pictures="no_such_module:draw")
    with pytest.raises(PluginError, match="pictures names 'no_such_module:draw', which cannot be used: ModuleNotFound"):
        next(drawn_pairs(drawing, HAT, "train", 1, 16))


def test_what_a_plugin_prints_does_not_reach_stdout(
    family: Callable[..., FamilySpec], capsys: pytest.CaptureFixture[str]
) -> None:
    def chatty(*_: object) -> Iterator[Pair]:
        print("a")
        yield pair(0)

    list(drawn_pairs(family(chatty), HAT, "train", 1, 16))
    assert capsys.readouterr().out == ""


# -- regions ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FamilySpec]:
    """A function that makes a family find regions with the given function."""

    def make(find: object) -> FamilySpec:
        module = ModuleType("pets_that_know")
        module.find = find
        monkeypatch.setitem(sys.modules, "pets_that_know", module)
        return FamilySpec("pets", attributes=(HAT,), regions="pets_that_know:find")

    return make


def bright(attribute: str, images: Tensor) -> Tensor:
    """The brighter half of each picture, as one knows it who has seen the picture."""
    assert attribute == "hat"
    assert images.dtype == torch.float32
    assert images.max() <= 1
    return images.mean(1, keepdim=True)


def test_regions_are_asked_for_in_small_batches_and_kept_as_bytes(knowing: Callable[..., FamilySpec]) -> None:
    sizes = []

    def find(attribute: str, images: Tensor) -> Tensor:
        sizes.append(len(images))
        return bright(attribute, images)

    pixels = torch.randint(0, 256, (130, 3, 8, 8), dtype=torch.uint8)
    regions = found_regions(knowing(find), HAT, pixels)
    assert sizes == [64, 64, 2]
    assert regions.dtype == torch.uint8
    assert torch.equal(regions, pixels.float().mean(1, keepdim=True).round().to(torch.uint8))


def test_regions_end_at_0_and_1(knowing: Callable[..., FamilySpec]) -> None:
    pixels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    for value, expected in ((-3.0, 0), (7.0, 255), (0.5, 128)):
        family = knowing(lambda _, images, value=value: torch.full((len(images), 1, 4, 4), value))
        assert found_regions(family, HAT, pixels).unique().tolist() == [expected]


def test_a_family_may_not_know(knowing: Callable[..., FamilySpec]) -> None:
    pixels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert found_regions(FamilySpec("pets", attributes=(HAT,)), HAT, pixels) is None
    assert found_regions(knowing(lambda *_: None), HAT, pixels) is None


@pytest.mark.parametrize(
    ("find", "says"),
    [
        (3, "not a function"),
        (lambda *_: 1 / 0, "finding regions failed: ZeroDivisionError"),
        (lambda *_: exit(), "finding regions failed: SystemExit"),
        (lambda _, images: images, r"expected regions of shape \(2, 1, 4, 4\), got \(2, 3, 4, 4\)"),
        (lambda _, images: images[:1, :1], r"got \(1, 1, 4, 4\)"),
        (lambda *_: "everywhere", "got str"),
    ],
)
def test_what_is_no_region_is_refused(
    knowing: Callable[..., FamilySpec], find: Callable[..., Any] | int, says: str
) -> None:
    with pytest.raises(PluginError, match=says):
        found_regions(knowing(find), HAT, torch.zeros(2, 3, 4, 4, dtype=torch.uint8))


@pytest.fixture
def known(knowing: Callable[..., FamilySpec]) -> tuple[Domains, Domains]:
    """Eight pictures a side whose regions are their brightness, with both placed at random."""
    pixels = torch.randint(0, 256, (16, 1, 8, 8), dtype=torch.uint8).expand(-1, 3, -1, -1)
    moved = Layout(width=(0.5, 1.0), right=(-0.2, 0.2))
    plain = Domains(pixels[:8], pixels[8:], with_layout=moved, without_layout=moved)
    return plain, plain.with_known_regions(knowing(bright), HAT)


def test_regions_come_with_the_batches_and_move_with_the_pictures(known: tuple[Domains, Domains]) -> None:
    plain, regions = known
    for step in range(3):
        for before, after in zip(plain.batch(6, 0, step), regions.batch(6, 0, step), strict=True):
            assert after.shape == (6, 4, 8, 8)
            assert torch.equal(after[:, :3], before), "the same pictures, mirrored and moved the same way"
            torch.testing.assert_close(after[:, 3], after[:, 0], atol=0.01, rtol=0)


def test_regions_are_no_other_pictures(known: tuple[Domains, Domains]) -> None:
    plain, regions = known
    assert regions.facts == plain.facts
    assert torch.equal(regions.with_, plain.with_)
    assert regions.with_regions.shape == (8, 1, 8, 8)
    assert plain.with_regions is plain.without_regions is None


def test_where_nobody_knows_batches_have_three_channels(
    known: tuple[Domains, Domains], knowing: Callable[..., FamilySpec]
) -> None:
    plain, _ = known
    first = plain.with_[:, :1].float() / 255

    def of_one_domain(attribute: str, images: Tensor) -> Tensor | None:
        return bright(attribute, images) if torch.equal(images[:, :1], first) else None

    for find in (lambda *_: None, of_one_domain):
        unknown = plain.with_known_regions(knowing(find), HAT)
        assert all(batch.shape == (4, 3, 8, 8) for batch in unknown.batch(4, 0, 0))
