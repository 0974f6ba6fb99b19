"""Settings of a run: every one that cannot work is refused by name."""

import pytest

from mbu_ops.errors import ConfigurationError, TrainingStateError
from mbu_ops.training.config import TrainingConfig, network_config


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"discriminator_rate": 0.0},
        {"guide_variation": -0.1},
        {"guide_variation": float("nan")},
        {"average_decay": 1.0},
        {"coarse_steps": -1},
        {"steps": 9, "coarse_steps": 9},
    ],
)
def test_settings_that_cannot_work_are_named(wrong):
    with pytest.raises(ConfigurationError, match=list(wrong)[-1]):
        TrainingConfig(**wrong)


def test_how_long_may_change_what_may_not():
    saved = TrainingConfig(loss_weights=(("confusion", 0.05),)).to_dict()
    TrainingConfig(loss_weights=(("confusion", 0.05),), steps=9_999, save_every=7).check_resumable(saved)
    with pytest.raises(TrainingStateError, match="loss_weights"):
        TrainingConfig().check_resumable(saved)


def test_unknown_configurations_are_named():
    assert network_config("mbu", "lite").resolution == 128
    with pytest.raises(ConfigurationError, match="huge"):
        network_config("mbu", "huge")
