"""Configurations are read and written by the types of their fields, and strangers' files are not believed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.config import NetworkConfig, config_from_dict, config_to_dict, field_types


@dataclass(frozen=True, slots=True)
class Everything(NetworkConfig):
    """A field of every kind."""

    blocks: tuple[tuple[int, ...], ...] = ((1, 2), (3,))
    rates: tuple[float, ...] = (0.5, 1)
    switches: tuple[bool, ...] = (True, False)
    deep: tuple[tuple[tuple[float, ...], ...], ...] = (((0.5,),),)
    rate: float = 0.5
    soft: bool = True
    count: int = 3


@dataclass(frozen=True, slots=True)
class Needy(NetworkConfig):
    """A field that has no default."""

    count: int = field(kw_only=True)


def test_the_file_gives_back_what_was_written() -> None:
    config = Everything(
        64, ((4, 5), ()), (1.5,), (), ((), ((2.0, 3.0), ())), 2.5, False, 9, patch=2, removal_dilation=5
    )
    values = json.loads(json.dumps(config_to_dict(config)))
    assert values["blocks"] == [[4, 5], []]
    again = config_from_dict(Everything, values)
    assert again == config
    assert again.removal_dilation == 5, "it is written, though sizes are compared without it"
    assert isinstance(again.deep[1][0], tuple)
    assert config_from_dict(Everything, {}) == Everything()


def test_every_configuration_has_a_frame() -> None:
    config = Everything(96)
    assert config.size == (96, 96)
    assert (config.patch, config.removal_dilation) == (1, 2)
    assert replace(config, removal_dilation=7) == config, "no size of the networks"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("resolution", 64.0, "a positive whole number"),
        ("count", True, "a positive whole number"),
        ("count", 0, "a positive whole number"),
        ("count", "3", "a positive whole number"),
        ("rate", True, "a positive number"),
        ("rate", 0, "a positive number"),
        ("rate", -0.5, "a positive number"),
        ("rate", float("nan"), "a positive number"),
        ("rate", float("inf"), "a positive number"),
        ("rate", 10**400, "a positive number"),
        ("soft", 1, "true or false"),
        ("rates", 0.5, "a list of positive numbers"),
        ("rates", [0.5, "1"], "a list of positive numbers"),
        ("rates", {"0": 1}, "a list of positive numbers"),
        ("switches", [1], "a list of values true or false"),
        ("blocks", [1, 2], "a list of lists of positive whole numbers"),
        ("blocks", [[1], [2.0]], "a list of lists of positive whole numbers"),
        ("blocks", [["12"]], "a list of lists of positive whole numbers"),
        ("blocks", "12", "a list of lists of positive whole numbers"),
        ("deep", [[0.5]], "a list of lists of lists of positive numbers"),
    ],
)
def test_values_of_another_type_are_named(name: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=f"expected {expected} for {name}, got "):
        config_from_dict(Everything, {name: value})


def test_whole_numbers_are_numbers() -> None:
    assert config_from_dict(Everything, {"rate": 2, "rates": [1]}) == Everything(rate=2.0, rates=(1.0,))


def test_unknown_and_missing_settings_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"expected the settings resolution, patch, .*, count, got 'colour'"):
        config_from_dict(Everything, {"colour": 1})
    with pytest.raises(ConfigurationError, match="expected the settings count, got none for count"):
        config_from_dict(Needy, {"resolution": 8})
    assert config_from_dict(Needy, {"count": 2}) == Needy(count=2)


@pytest.mark.parametrize("kind", [str, "int | None", "tuple[int, int]", "tuple[str, ...]", "list[int]", "tuple"])
def test_types_that_files_cannot_hold_are_named(kind: object) -> None:
    odd: Any = dataclass(frozen=True)(type("Odd", (NetworkConfig,), {"__annotations__": {"odd": kind}, "odd": None}))
    with pytest.raises(ConfigurationError, match=r"expected Odd\.odd to be of type bool, int, float, or a tuple"):
        field_types(odd)
