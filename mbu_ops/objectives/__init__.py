"""What the methods learn from: one file per paper, its losses and its optimisation steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbu_ops.methods.base import Networks
    from mbu_ops.methods.info import MethodInfo
    from mbu_ops.objectives.options import Options


class Objective(Protocol):
    """What the training loop asks of an objective; its class also has ``build``, as :func:`build_objective` calls it.

    Attributes:
        options: dataclass of what it can be told.
    """

    options: ClassVar[type[Options]]

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


def objective_of(method: type[Networks]) -> type[Any]:
    """Return the objective that trains a method's networks; the method names it in its ``info``.

    Raises:
        ConfigurationError: for a method that cannot be trained here.
    """
    info: MethodInfo = method.info
    if info.objective is None:
        raise ConfigurationError(
            f"expected a method that can be trained here, got {info.name}: choose another --method"
        )
    module, _, name = info.objective.partition(":")
    kind: type[Any] = getattr(import_module(module), name)
    return kind


def build_objective(
    model: Networks, options: Options | None = None, aids: Mapping[str, nn.Module] | None = None
) -> Objective:
    """Return the objective that trains some networks.

    Args:
        model: the networks.
        options: what the objective is told, an object of its own class ``options``; its defaults if None.
        aids: networks that help with the training, by name; those that the method names among its ``info.aids`` are
            used. ``"identity"`` describes whose picture it is, ``(N, 3, H, W)`` in [0, 1] to ``(N, D)``;
            ``"parser"`` is a trained :class:`mbu_ops.methods.parsing.Parsing`.

    Raises:
        ConfigurationError: for options of another objective, an unknown recipe or term, or a method that cannot be
            trained here.
    """
    used = {name: aid for name, aid in (aids or {}).items() if name in model.info.aids}
    objective: Objective = objective_of(type(model)).build(model, options, used)
    return objective
