"""Training from Python: what a plan refuses before a picture is read, and what a run refuses before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mbu_ops.data import Source
from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.families import parse_attribute
from mbu_ops.objectives.mbu import MBUOptions
from mbu_ops.training import PairOptions, Plan, train
from mbu_ops.weights import read_info


@pytest.fixture
def source() -> Source:
    family, glasses = parse_attribute("avatars/glasses")
    return Source(family, glasses, contents=("glasses",), pictures=8)


def test_a_plan_knows_what_suits_the_networks(source: Source) -> None:
    plan = Plan.of(source, steps=300, options={"hard_masks": True, "distance": None})
    assert (plan.config.steps, plan.config.coarse_steps) == (300, 200)
    assert plan.config.options == MBUOptions(hard_masks=True)
    paper = Plan.of(source, config="paper").config
    assert (paper.steps, paper.coarse_steps, paper.batch_size) == (150_000, 0, 32)
    assert isinstance(paper.options, MBUOptions)
    assert (paper.options.recipe, paper.options.guide_variation) == ("glasses", 0.0)


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"options": {"to_dict": 1}}, "mbu has no option 'to_dict': expected one of recipe, loss_weights, distance"),
        ({"options": {"distance": "l3"}}, "expected distance to be one of l1, l2"),
        ({"steps": 0}, "expected steps to be at least 1, got 0"),
        ({"learning_rate": 0.0}, "expected learning_rate to be above 0"),
        ({"pairs": PairOptions(grow_masks=0.1)}, "mbu learns from no pairs: leave --grow-masks out"),
        ({"parser": "faces/skin"}, "mbu needs no parser"),
        ({"variation": 1.0}, "--variation goes with --labelled"),
        ({"method": "didd"}, "didd learns 2 contents at once"),
        ({"method": "parsing"}, "parsing learns from labelled pictures"),
        ({"method": "teapot"}, "there is no method 'teapot'"),
        ({"config": "huge"}, "expected a configuration of mbu"),
    ],
)
def test_what_cannot_work_is_named_before_pictures_are_read(
    source: Source, choices: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "training", None)
    with pytest.raises(ConfigurationError, match=says):
        Plan.of(source, **choices)


def test_a_run_is_one_and_goes_on(source: Source, tmp_path: Path) -> None:
    def plan(steps: int) -> Plan:
        return Plan.of(source, "press", steps=steps, batch_size=2, coarse_steps=0)

    trained = train(plan(1), tmp_path, licence="CC0 1.0")
    assert trained == (tmp_path / "weights.safetensors", 1, True)
    info = read_info(trained.weights)
    assert (info.method, info.attributes, info.licence) == ("press", ("glasses",), "CC0 1.0")
    with pytest.raises(ConfigurationError, match="holds a training run; add --resume"):
        train(plan(1), tmp_path)
    with pytest.raises(ConfigurationError, match="--from begins a run and --resume goes on with one"):
        train(plan(2), tmp_path, resume=True, start=tmp_path)
    with pytest.raises(WeightsError, match="nowhere"):
        train(plan(1), tmp_path / "other", start="./nowhere.safetensors")
    assert train(plan(2), tmp_path, resume=True).step == 2
