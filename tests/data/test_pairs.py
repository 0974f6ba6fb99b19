"""What a family draws, and what it must not get away with."""

import itertools
import sys
from types import ModuleType

import numpy as np
import pytest

from mbu_ops.data import Pair
from mbu_ops.data.domains import Domains
from mbu_ops.data.pairs import drawn_pairs
from mbu_ops.errors import ConfigurationError, DataError, PluginError
from mbu_ops.families import AttributeSpec, FamilySpec

HAT = AttributeSpec("hat", "Hat")


def pair(number, side=16, dtype=np.uint8):
    """A grey picture, and the same with a white hat; the number is its shade."""
    without = np.full((side, side, 3), number % 200, dtype)
    with_ = without.copy()
    with_[:4] = 255
    mask = np.zeros((side, side), bool)
    mask[:4] = True
    return Pair(without, with_, mask)


@pytest.fixture
def family(monkeypatch):
    """A function that makes a family draw with the given function."""

    def make(draw):
        module = ModuleType("pets_that_draw")
        module.draw = draw
        monkeypatch.setitem(sys.modules, "pets_that_draw", module)
        return FamilySpec("pets", attributes=(HAT,), pictures="pets_that_draw:draw")

    return make


def crowd(attribute, partition, count, resolution):
    assert attribute == "hat"
    yield from (pair(number + {"train": 0, "validation": 100}[partition], resolution) for number in range(count))


def test_pairs_come_as_they_are_drawn(family):
    pairs = list(drawn_pairs(family(crowd), HAT, "train", 3, 16))
    assert [int(one.without[8, 8, 0]) for one in pairs] == [0, 1, 2]
    assert pairs[0].mask.sum() == 64


def test_domains_share_no_subject(family):
    domains = Domains.drawn(family(crowd), HAT, 16, 10)
    assert domains.with_.shape == domains.without.shape == (10, 3, 16, 16)
    shades = [set(images[:, 0, 8, 8].tolist()) for images in (domains.with_, domains.without)]
    assert not shades[0] & shades[1]
    assert (domains.with_[:, :, :4] == 255).all()
    assert not (domains.without == 255).any()
    assert "pets" in domains.source
    assert "train" in domains.source


def test_partitions_share_no_subject(family):
    drawing = family(crowd)
    train, validation = (Domains.drawn(drawing, HAT, 16, 8, partition) for partition in ("train", "validation"))
    assert not set(train.without[:, 0, 8, 8].tolist()) & set(validation.without[:, 0, 8, 8].tolist())


def test_a_family_that_draws_nothing_says_what_to_give_instead():
    with pytest.raises(ConfigurationError, match=r"draws no pictures .* --with and --without"):
        next(drawn_pairs(FamilySpec("pets", attributes=(HAT,)), HAT, "train", 1, 16))


def fails(*_):
    yield pair(0)
    raise RuntimeError("no\nink")


@pytest.mark.parametrize(
    ("draw", "error", "says"),
    [
        (fails, PluginError, "drawing picture 1 failed: RuntimeError: no ink"),
        (3, PluginError, "not a function"),
        (lambda *_: None, PluginError, "TypeError"),
        (lambda *_: [pair(0)], DataError, "expected 2 drawn pairs, got 1"),
        (lambda *_: map(pair, itertools.count()), DataError, "expected 2 drawn pairs, got more"),
        (lambda *_: exit(), PluginError, "drawing failed: SystemExit"),
        (lambda *_: [pair(0, side=8), pair(1)], DataError, "expected a drawn Pair"),
        (lambda *_: [pair(0, dtype=np.float32), pair(1)], DataError, "float32"),
        (lambda *_: ["a", "b"], DataError, "got str"),
        (lambda *_: [Pair("a", "b", "c")] * 2, DataError, "expected a drawn Pair"),
    ],
)
def test_what_is_not_a_picture_is_refused(family, draw, error, says):
    with pytest.raises(error, match=says):
        list(drawn_pairs(family(draw), HAT, "train", 2, 16))


def test_a_function_that_is_not_there(family):
    drawing = FamilySpec("pets", attributes=(HAT,), pictures="no_such_module:draw")
    with pytest.raises(PluginError, match="pictures names 'no_such_module:draw', which cannot be used: ModuleNotFound"):
        next(drawn_pairs(drawing, HAT, "train", 1, 16))


def test_what_a_plugin_prints_does_not_reach_stdout(family, capsys):
    def chatty(*_):
        print("a")
        yield pair(0)

    list(drawn_pairs(family(chatty), HAT, "train", 1, 16))
    assert capsys.readouterr().out == ""
