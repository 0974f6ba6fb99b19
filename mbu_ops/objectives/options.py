"""What can be chosen: frozen dataclasses whose fields say what they mean and which values they take.

Each objective names one, and so do other parts of a training run: flags of the command line, settings files and their
documentation are made from the fields. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

from mbu_ops.errors import ConfigurationError


class Option(NamedTuple):
    """What a field is, beside its type and default.

    Attributes:
        help: a sentence for people.
        least: the least value, for numbers; None for no limit.
        most: the largest value.
        open_: whether the limits themselves are no values.
        choices: the only values, for text.
        flag: its name on the command line, where that is not the field's.
        metavar: what stands for the value there.
        default: what to say of the default where it depends; None says it as it is.
    """

    help: str
    least: float | None = None
    most: float | None = None
    open_: bool = False
    choices: tuple[str, ...] = ()
    flag: str | None = None
    metavar: str | None = None
    default: str | None = None


def option(value: Any, help: str, **more: Any) -> Any:
    """Return a dataclass field that can be chosen.

    Args:
        value: the default.
        help: see :class:`Option`.
        **more: its other fields.
    """
    return field(default=value, metadata={"option": Option(help, **more)})


def options_in(kind: type) -> Iterator[tuple[str, Any, Option]]:
    """Yield name, default and description of what can be chosen in a dataclass, in order."""
    for one in fields(kind):
        if "option" in one.metadata:
            yield one.name, one.default, one.metadata["option"]


def check_options(chosen: Any) -> None:
    """Make sure that values are among those that their fields allow.

    Raises:
        ConfigurationError: naming the first that is not, and what was expected.
    """
    for name, default, about in options_in(type(chosen)):
        value = getattr(chosen, name)
        if value is None and default is None:
            continue
        if about.choices and value not in about.choices:
            raise ConfigurationError(f"expected {name} to be one of {', '.join(about.choices)}, got {value!r}")
        if about.least is None and about.most is None:
            continue
        low, high = -math.inf if about.least is None else about.least, math.inf if about.most is None else about.most
        inside = isinstance(value, int | float) and (low < value < high if about.open_ else low <= value <= high)
        if not inside or not math.isfinite(value):
            raise ConfigurationError(f"expected {name} to be {_limits(about)}, got {value!r}")


def _limits(about: Option) -> str:
    words = ("above", "below") if about.open_ else ("at least", "at most")
    limits = zip(words, (about.least, about.most), strict=True)
    return " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every objective can be told.

    Attributes:
        recipe: name of the set of loss weights to start from.
        loss_weights: loss weights to set instead, ``(term, weight)`` pairs.

    Raises:
        ConfigurationError: if a value is none of those that it can have.
    """

    recipe: str = option(
        "quick", "Loss weights to start from.", default="quick; for the paper's layers, the attribute's"
    )
    loss_weights: tuple[tuple[str, float], ...] = option(
        (), "Set a loss weight; 0 switches it off.", flag="loss", metavar="TERM=WEIGHT"
    )

    def __post_init__(self) -> None:
        check_options(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON can hold them."""
        return asdict(self) | {"loss_weights": [list(pair) for pair in self.loss_weights]}

    @property
    def arguments(self) -> dict[str, Any]:
        """What the objective's constructor is given beside networks and weights."""
        return {}


@dataclass(frozen=True, kw_only=True)
class DistanceOptions(Options):
    """What objectives with reconstructions can be told.

    Attributes:
        distance: a key of :data:`mbu_ops.objectives.terms.DISTANCES`; as published, ``"l1"``.
    """

    distance: str = option(
        "l1", "Of the reconstructions and the self-blends.", choices=("l1", "l2", "l2-reconstruction", "l2-self-blend")
    )

    @property
    def arguments(self) -> dict[str, Any]:
        """What the objective's constructor is given beside networks and weights."""
        return super().arguments | {"loss": self.distance}


@dataclass(frozen=True, kw_only=True)
class GuideOptions(DistanceOptions):
    """What objectives can be told whose guides are encoded.

    Attributes:
        guide_variation: how strongly guides are mirrored, moved and recoloured before they are encoded; 0 in the paper.
    """

    guide_variation: float = option(
        1.0,
        "How strongly guides are mirrored, moved and recoloured before they are encoded.",
        least=0,
        most=10,
        default="1; 0",
    )

    @property
    def arguments(self) -> dict[str, Any]:
        """What the objective's constructor is given beside networks and weights."""
        return super().arguments | {"guide_variation": self.guide_variation}
