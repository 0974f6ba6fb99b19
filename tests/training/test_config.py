"""Settings of a run: every one that cannot work is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from mbu_ops.errors import ConfigurationError, TrainingStateError
from mbu_ops.objectives.mbu import MBUOptions
from mbu_ops.training.config import TrainingConfig, network_config


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"discriminator_rate": 0.0},
        {"average_decay": 1.0},
        {"coarse_steps": -1},
        {"steps": 9, "coarse_steps": 9},
    ],
)
def test_settings_that_cannot_work_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=list(wrong)[-1]):
        TrainingConfig(**wrong)


def test_how_long_may_change_what_may_not() -> None:
    less = MBUOptions(loss_weights=(("confusion", 0.05),))
    saved = TrainingConfig(options=less).to_dict()
    TrainingConfig(options=less, steps=9_999, save_every=7).check_resumable(saved)
    with pytest.raises(TrainingStateError, match="loss_weights"):
        TrainingConfig().check_resumable(saved)


def test_states_of_before_options_held_them_among_the_others() -> None:
    now = TrainingConfig().to_dict()
    before = {name: value for name, value in now.items() if name != "options"} | now["options"]
    TrainingConfig().check_resumable(before)
    with pytest.raises(TrainingStateError, match="hard_masks"):
        TrainingConfig().check_resumable(before | {"hard_masks": True})


def test_unknown_configurations_are_named() -> None:
    assert network_config("mbu", "lite").resolution == 128
    with pytest.raises(ConfigurationError, match="huge"):
        network_config("mbu", "huge")
