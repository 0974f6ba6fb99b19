"""What the methods learn from: one file per paper, its losses and its optimisation steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor, nn


class Objective(Protocol):
    """What the training loop asks of an objective."""

    @property
    def model(self) -> Any:
        """The networks it trains."""

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates; each group gets an optimiser of its own."""

    def steps(self, without: Tensor, with_: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield group, weighted terms and measurements; the group is updated before the next is asked for."""

    def settle(self, model: Any, without: Tensor, with_: Tensor) -> None:
        """Make networks whose weights stand ready for use: measure what training does not keep."""


def build_objective(
    model: nn.Module,
    method: str,
    recipe: str,
    overrides: Mapping[str, float] | None = None,
    distance: str = "l1",
    guide_variation: float = 0.0,
) -> Objective:
    """Return the objective that trains a method's networks.

    Args:
        model: the networks.
        method: the method's name.
        recipe: which published set of loss weights to start from.
        overrides: loss weights to set instead, by term.
        distance: ``"l1"`` or ``"l2"`` for the reconstruction terms.
        guide_variation: how strongly the guides are varied before they are encoded; 0 for not at all.

    Raises:
        ConfigurationError: for a method without an objective, or an unknown recipe, term or distance.
    """
    try:
        build = _BUILDERS[method]
    except KeyError:
        raise ConfigurationError(
            f"expected a method that can be trained ({', '.join(_BUILDERS)}), got {method!r}"
        ) from None
    return build(model, recipe, overrides or {}, distance, guide_variation)


def _mbu(
    model: nn.Module, recipe: str, overrides: Mapping[str, float], distance: str, guide_variation: float
) -> Objective:
    from mbu_ops.methods.mbu import MBU
    from mbu_ops.objectives.mbu import MBULossWeights, MBUObjective

    if not isinstance(model, MBU):
        raise ConfigurationError(f"the objective of 'mbu' trains an MBU network, got {type(model).__name__}")
    return MBUObjective(model, MBULossWeights.named(recipe, overrides), distance, guide_variation)


_BUILDERS: dict[str, Callable[[nn.Module, str, Mapping[str, float], str, float], Objective]] = {"mbu": _mbu}
