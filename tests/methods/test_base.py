"""What networks of every method share, and what those of several contents have beside it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import mbu_ops
from mbu_ops.errors import ConfigurationError
from mbu_ops.methods import get_method
from mbu_ops.methods.base import each_content, to_signed, to_unit
from mbu_ops.testing import tiny_didd, tiny_maae, tiny_mbu

METHODS = ("mbu", "press", "didd", "maae")


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_asked_what_it_is(name: str) -> None:
    method: Any = get_method(name)
    assert method.info.name == name
    assert {"paper", "lite"} <= set(method.configs)
    assert len({type(config) for config in method.configs.values()}) == 1
    with torch.device("meta"):
        model = method("lite")
    states = dict(model.named_modules())
    assert {*model.stems(), *model.painters()} <= set(states)
    for stem in model.stems():
        assert states[stem].in_channels == 3 * model.config.patch**2
    for painter, channels in model.painters().items():
        assert states[painter].out_channels == channels * model.config.patch**2


@pytest.mark.parametrize("name", METHODS)
def test_unknown_configurations_are_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"expected a configuration of {name} .*lite.*, got 'huge'"):
        get_method(name)("huge")


def test_guides_of_several_contents_come_together() -> None:
    assert tiny_mbu().guide_shape == tiny_mbu().code_shape == (4, 4, 4)
    assert tiny_maae().guide_shape == (1, 1, 1)
    assert tiny_didd().guide_shape == (2, *tiny_didd().code_shape) == (2, 4, 4, 4)


def test_each_content_is_the_network_itself_where_it_knows_one() -> None:
    for model in (tiny_mbu(), tiny_maae()):
        assert each_content(model) == [model]
        with pytest.raises(ConfigurationError, match=f"{model.info.name} edits one content only: .* without number 0"):
            model.for_content(0)
    pair = tiny_didd()
    assert [view.index for view in each_content(pair)] == [0, 1]
    assert all(view.networks is pair for view in each_content(pair))


@pytest.mark.parametrize("op", [mbu_ops.Transfer, mbu_ops.Remove, mbu_ops.Swap, mbu_ops.Segment, mbu_ops.Interpolate])
def test_ops_on_one_content_refuse_networks_of_several(op: Any) -> None:
    expected = r"got the didd networks of 2: take model\.for_content\(0\)"
    with pytest.raises(ConfigurationError, match=expected):
        op(tiny_didd())
    op(tiny_didd().for_content(0))


def test_a_method_without_a_fast_form_is_its_own() -> None:
    for model in (tiny_didd(), tiny_maae()):
        assert model.for_inference() is model


def test_pixels_inside_are_signed() -> None:
    assert to_signed(torch.tensor([0.0, 0.25, 1.0])).tolist() == [-1, -0.5, 1]
    assert to_unit(torch.tensor([-1.0, -0.5, 1.0])).tolist() == [0, 0.25, 1]
