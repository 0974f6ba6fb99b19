"""What can be chosen says which values it takes, and each objective has options of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods import get_method, method_names
from mbu_ops.methods.mbu import MBU
from mbu_ops.objectives import build_objective, objective_of
from mbu_ops.objectives.mbu import MBUOptions
from mbu_ops.objectives.options import DistanceOptions, Options, check_options, option, options_in
from mbu_ops.testing import tiny_maae, tiny_mbu, tiny_native


@dataclass(frozen=True)
class Soup:
    """Some choices."""

    salt: float = option(0.5, "How much.", least=0, most=1)
    heat: float = option(60.0, "How hot.", least=0, open_=True)
    kind: str = option("leek", "Of what.", choices=("leek", "pea"))
    bowls: int | None = option(None, "How many.", least=1)
    name: str = "soup"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"salt": 1.5}, "expected salt to be at least 0 and at most 1, got 1.5"),
        ({"salt": float("nan")}, "expected salt to be at least 0 and at most 1, got nan"),
        ({"heat": 0.0}, "expected heat to be above 0, got 0"),
        ({"heat": float("inf")}, "expected heat to be above 0, got inf"),
        ({"kind": "bean"}, "expected kind to be one of leek, pea, got 'bean'"),
        ({"bowls": 0}, "expected bowls to be at least 1, got 0"),
        ({"salt": "much"}, "expected salt to be at least 0 and at most 1, got 'much'"),
    ],
)
def test_a_value_that_cannot_be_is_named(wrong: dict[str, Any], says: str) -> None:
    check_options(Soup())
    with pytest.raises(ConfigurationError, match=says):
        check_options(Soup(**wrong))


def test_what_can_be_chosen_is_listed_in_order() -> None:
    assert [name for name, _, _ in options_in(Soup)] == ["salt", "heat", "kind", "bowls"]


@pytest.mark.parametrize("method", [name for name in method_names() if get_method(name).info.objective])
def test_every_objective_says_what_it_can_be_told(method: str) -> None:
    options = objective_of(get_method(method)).options()
    assert isinstance(options, Options)
    for name, _, about in options_in(type(options)):
        assert about.help.endswith("."), name
    saved = options.to_dict()
    assert saved["recipe"] == "quick"
    assert (method == "mbu") == ("hard_masks" in saved)  # nobody carries another's knobs


def test_options_of_another_objective_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected MBUOptions for MBUObjective, got DistanceOptions"):
        build_objective(tiny_mbu(), DistanceOptions())
    with pytest.raises(ConfigurationError, match="expected DistanceOptions for MAAEObjective, got MBUOptions"):
        build_objective(tiny_maae(), MBUOptions())


def test_without_options_it_gets_its_defaults() -> None:
    assert type(build_objective(tiny_native())).__name__ == "NativeObjective"


def test_what_cannot_be_trained_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(MBU, "info", replace(MBU.info, objective=None))
    with pytest.raises(ConfigurationError, match="expected a method that can be trained here, got mbu"):
        objective_of(MBU)
