"""The settings of a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from mbu_ops.errors import ConfigurationError, TrainingStateError
from mbu_ops.methods import get_method


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of a training run; defaults are for ``lite``. The shipped weights' cards say how each was trained.

    What the paper trained its configuration with is :data:`PUBLISHED`.

    Attributes:
        method: name of the method.
        config: name of one of the method's configurations.
        recipe: name of the set of loss weights to start from.
        loss_weights: loss weights to set instead, ``(term, weight)`` pairs.
        distance: reconstruction distance, ``"l1"`` as published or another key of
            :data:`mbu_ops.objectives.terms.DISTANCES`.
        guide_variation: how strongly guides are mirrored, moved and recoloured before they are encoded; 0 in the paper.
        hard_masks: whether training blends with masks as hard as the ops use them; not in the paper.
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
        pairs: how pairs are made, for methods that learn from such: ``(kind, share)``, see
            :class:`mbu_ops.data.composites.Composites`; empty for what there is masks and a pen for.
        removal_dilation: how far the masks of removals grow with the exported weights, in pixels of the frame; None for
            what the configuration says.
        seed: seed of the first weights and of every batch.
        save_every: steps between two states on disk.
        sample_every: steps between two sample sheets.
        log_every: steps between two lines of the log.
    """

    method: str = "mbu"
    config: str = "lite"
    recipe: str = "quick"
    loss_weights: tuple[tuple[str, float], ...] = ()
    distance: str = "l1"
    guide_variation: float = 1.0
    hard_masks: bool = False
    steps: int = 9_000
    coarse_steps: int = 6_000
    batch_size: int = 16
    learning_rate: float = 5e-4
    learning_rate_decay: float = 0.0
    discriminator_rate: float = 1.0
    gradient_clip: float = 5.0
    adam_beta2: float = 0.999
    average_decay: float = 0.999
    flip: bool = True
    pairs: tuple[tuple[str, float], ...] = ()
    removal_dilation: int | None = None
    seed: int = 0
    save_every: int = 500
    sample_every: int = 1_000
    log_every: int = 50

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch_size",
            "learning_rate",
            "discriminator_rate",
            "gradient_clip",
            "save_every",
            "sample_every",
            "log_every",
        ):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.removal_dilation is not None and not self.removal_dilation > 0:
            raise ConfigurationError(f"removal_dilation must be above 0, got {self.removal_dilation}")
        if not 0 <= self.guide_variation < 10:
            raise ConfigurationError(f"guide_variation must be at least 0 and below 10, got {self.guide_variation}")
        if not 0 <= self.learning_rate_decay <= 1:
            raise ConfigurationError(f"learning_rate_decay must be from 0 to 1, got {self.learning_rate_decay}")
        for name in ("average_decay", "adam_beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if not 0 <= self.coarse_steps < self.steps:
            raise ConfigurationError(
                f"coarse_steps must be at least 0 and below steps ({self.steps}), so that the run ends at the full "
                f"resolution; got {self.coarse_steps}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        lists = {name: [list(pair) for pair in getattr(self, name)] for name in ("loss_weights", "pairs")}
        return asdict(self) | lists

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
    "guide_variation": 0.0,
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
