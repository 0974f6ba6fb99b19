"""The settings of a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mbu_ops.errors import ConfigurationError, TrainingStateError
from mbu_ops.methods import get_method
from mbu_ops.objectives import objective_of
from mbu_ops.objectives.options import Options, check_options, option


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run; defaults are for ``lite``. The shipped weights' cards say how each was trained.

    What the paper trained its configuration with is :data:`PUBLISHED`.

    Attributes:
        method: name of the method.
        config: name of one of the method's configurations.
        options: what its objective is told, an object of the objective's own class; its defaults if None.
        steps: steps of the whole run.
        coarse_steps: how many of them, from the first on, pass at half the resolution.
        batch_size: images of each domain in a step.
        learning_rate: Adam's, for the networks.
        learning_rate_decay: share of the run, its last part, in which all learning rates fall to a tenth; 0 for none.
        discriminator_rate: how many times faster the discriminators learn; 1 in the paper (more than 1: two
            time-scale update rule, Heusel et al., NeurIPS 2017).
        gradient_clip: largest norm of each group's gradient.
        adam_beta2: decay of Adam's running mean of squared gradients; a lower one lets a sudden large gradient do less.
        average_decay: decay of the exponential moving average of the weights, which is what is exported.
        flip: whether to mirror half of the images.
        removal_dilation: how far the masks of removals grow with the exported weights, in pixels of the frame; None for
            what the configuration says.
        seed: seed of the first weights and of every batch.
        save_every: steps between two states on disk.
        sample_every: steps between two sample sheets.
        log_every: steps between two lines of the log.

    Raises:
        ConfigurationError: if a value is none of those that it can have.
    """

    method: str = "mbu"
    config: str = "lite"
    options: Options | None = None
    steps: int = option(9_000, "Steps of the whole run.", least=1, default="9000; 150000 for the paper's layers")
    coarse_steps: int = option(6_000, "First steps, at half the resolution.", least=0, default="two thirds of them; 0")
    batch_size: int = option(16, "Images of each domain in a step.", least=2, default="16; 32")
    learning_rate: float = option(5e-4, "Of the networks.", least=0, open_=True, default="0.0005; 0.0002")
    learning_rate_decay: float = option(
        0.0, "Share of the run, its last part, in which the learning rates fall to a tenth.", least=0, most=1
    )
    discriminator_rate: float = option(1.0, "How many times faster the discriminators learn.", least=0, open_=True)
    gradient_clip: float = option(
        5.0, "Largest norm of a gradient; smaller ones keep a run from exploding.", least=0, open_=True
    )
    adam_beta2: float = option(
        0.999, "Decay of Adam's mean of squared gradients; 0.99 where gradients jump.", least=0, most=0.999999
    )
    average_decay: float = option(
        0.999,
        "Of the moving average of the weights, which is what is written; 0 for the last step's own.",
        least=0,
        most=0.999999,
    )
    flip: bool = option(True, "Never mirror pictures: for digits, letters and all that has a side.", flag="no-flip")
    removal_dilation: int | None = option(
        None,
        "How far removals with these weights grow the mask, in pixels of the frame; may change with --resume.",
        least=1,
        default="2; 1 for native",
    )
    seed: int = option(0, "Of the first weights and of every batch.", least=0)
    save_every: int = option(500, "Steps between states.", least=1)
    sample_every: int = option(1_000, "Steps between sample sheets.", least=1)
    log_every: int = 50

    def __post_init__(self) -> None:
        check_options(self)
        if not self.log_every > 0:
            raise ConfigurationError(f"expected log_every to be above 0, got {self.log_every}")
        if not 0 <= self.coarse_steps < self.steps:
            raise ConfigurationError(
                f"coarse_steps must be at least 0 and below steps ({self.steps}), so that the run ends at the full "
                f"resolution; got {self.coarse_steps}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        options = self.options or objective_of(get_method(self.method)).options()
        return asdict(replace(self, options=None)) | {"options": options.to_dict()}

    def rate_at(self, step: int) -> float:
        """Return the share of the learning rates with which a step is taken, counted from 0.

        Example:
            >>> settings = TrainingConfig(steps=100, coarse_steps=0, learning_rate_decay=0.5)
            >>> [round(settings.rate_at(step), 6) for step in (0, 50, 75, 100)]
            [1.0, 1.0, 0.55, 0.1]
        """
        falling = self.learning_rate_decay * self.steps
        done = max(0.0, step - (self.steps - falling))
        return 1 - 0.9 * min(1.0, done / falling) if falling else 1.0

    def check_resumable(self, saved: dict[str, Any]) -> None:
        """Raise unless a run with the saved settings can go on with these.

        Only how long to train, how often to write and how removals use the result may change: anything else would be
        another run.

        Raises:
            TrainingStateError: naming each setting that differs.
        """
        free = {"steps", "save_every", "sample_every", "log_every", "removal_dilation"}
        now = self.to_dict()
        # states of before objectives had options of their own held them among the others
        saved = {"options": {name: saved.get(name, value) for name, value in now["options"].items()}} | saved
        differing = [
            f"{field.name} (saved {saved.get(field.name)!r}, now {now[field.name]!r})"
            for field in fields(self)
            if field.name not in free and saved.get(field.name, field.default) != now[field.name]
        ]
        if differing:
            raise TrainingStateError(
                f"cannot resume with other settings: {'; '.join(differing)}; use the saved ones or another --out"
            )


PUBLISHED: dict[str, Any] = {
    "steps": 150_000,
    "coarse_steps": 0,
    "batch_size": 32,
    "learning_rate": 2e-4,
}
"""The paper's own schedule (its appendix A), for configurations of its own layers."""


def network_config(method: str, name: str) -> Any:
    """Return a named configuration of a method's networks.

    Raises:
        ConfigurationError: if the method or the configuration is unknown.
    """
    configs = get_method(method).configs
    if name not in configs:
        raise ConfigurationError(f"expected a configuration of {method} ({', '.join(configs)}), got {name!r}")
    return configs[name]
