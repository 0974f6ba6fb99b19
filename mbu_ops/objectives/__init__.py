"""What the methods learn from: one file per paper, its losses and its optimisation steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbu_ops.methods.base import Networks
    from mbu_ops.methods.info import MethodInfo


class Objective(Protocol):
    """What the training loop asks of an objective."""

    @property
    def model(self) -> Any:
        """The networks it trains."""

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates; each group gets an optimiser of its own."""

    def steps(self, *batches: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield group, weighted terms and measurements; the group is updated before the next is asked for.

        Batches are those of the pictures that the networks learn from: ``without``, ``with``, and, of a pair of
        contents, images that show neither, where there are such (:meth:`mbu_ops.data.domains.Domains.batch`); or
        images and labels (:meth:`mbu_ops.data.labelled.Labelled.batch`).
        """

    def settle(self, model: Any, *examples: Tensor) -> None:
        """Make networks whose weights stand ready for use: measure what training does not keep.

        Args:
            model: the networks, such as the average of those that were trained.
            examples: pictures of the training, as its data give them (:class:`mbu_ops.data.pictures.Pictures`).
        """

    def guides(self, model: Any, *examples: Tensor) -> Tensor | None:
        """Return default guide codes as a weights file holds them, or None for networks that follow no guides."""

    def sheet(self, model: Any, *examples: Tensor) -> Tensor:
        """Draw one picture ``(3, height, width)`` that shows what networks can do by now."""


def build_objective(
    model: Networks,
    recipe: str,
    overrides: Mapping[str, float] | None = None,
    distance: str = "l1",
    guide_variation: float = 0.0,
    hard_masks: bool = False,
    aids: Mapping[str, nn.Module] | None = None,
) -> Objective:
    """Return the objective that trains a method's networks; the method names it in its ``info``.

    Args:
        model: the networks.
        recipe: which published set of loss weights to start from.
        overrides: loss weights to set instead, by term.
        distance: of the reconstruction terms, a key of :data:`mbu_ops.objectives.terms.DISTANCES`.
        guide_variation: how strongly the guides are varied before they are encoded; 0 for not at all.
        hard_masks: whether training blends with masks as hard as the ops use them.
        aids: networks that help with the training, by name; those that the method names among its ``info.aids`` are
            used. ``"identity"`` describes whose picture it is, ``(N, 3, H, W)`` in [0, 1] to ``(N, D)``;
            ``"parser"`` is a trained :class:`mbu_ops.methods.parsing.Parsing`.

    Raises:
        ConfigurationError: for an unknown recipe, term or distance, hard masks for a method without masks, or a method
            that cannot be trained here.
    """
    info: MethodInfo = model.info
    if info.objective is None:
        raise ConfigurationError(
            f"expected a method that can be trained here, got {info.name}: choose another --method"
        )
    module, _, name = info.objective.partition(":")
    kind = getattr(import_module(module), name)
    options: dict[str, Any] = {"hard_masks": True} if hard_masks else {}  # not every method has masks
    options |= {name: aid for name, aid in (aids or {}).items() if name in model.info.aids}
    objective: Objective = kind.build(model, recipe, overrides or {}, distance, guide_variation, **options)
    return objective
