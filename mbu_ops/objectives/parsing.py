"""The objective of parsing networks: pixel-wise cross entropy (Gu et al., CVPR 2019, equation 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.functional.grid import grid
from mbu_ops.functional.palette import palette_image, spread_palette
from mbu_ops.methods.parsing import Parsing
from mbu_ops.objectives.terms import BuiltByNames, LossWeights


@dataclass(frozen=True, slots=True)
class ParsingLossWeights(LossWeights):
    """Weight of each term; 0 switches a term off.

    Attributes:
        cross_entropy: of each pixel's part, a mean over pixels; the paper's only term.
        overlap: 1 - soft Dice, a mean over the parts that a batch shows: small parts count as much as large ones
            (Milletari, Navab, Ahmadi; 3DV 2016). Not in the paper.
    """

    cross_entropy: float = 1.0
    overlap: float = 0.0


LOSS_WEIGHTS: dict[str, ParsingLossWeights] = {
    "paper": ParsingLossWeights(),
    "quick": ParsingLossWeights(overlap=0.2),
}
"""The published loss; and ``quick``, ours, in which eyes and lips count too in runs of an hour."""


class ParsingObjective(BuiltByNames):
    """Losses of one step.

    Args:
        model: the network.
        weights: weight of each term.
    """

    network = Parsing
    recipes = LOSS_WEIGHTS

    def __init__(self, model: Parsing, weights: ParsingLossWeights | None = None) -> None:
        super().__init__()
        self.model: Any = model
        self.weights = weights or ParsingLossWeights()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        return {"networks": list(self.model.parameters())}

    def steps(self, images: Tensor, labels: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one batch.

        Args:
            images: ``(B, 3, R, R)`` RGB in [0, 1].
            labels: ``(B, 1, R, R)`` uint8, numbers of parts.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        logits, wanted = self.model.logits(images), labels[:, 0].long()
        terms = {}
        if self.weights.cross_entropy:
            terms["cross_entropy"] = self.weights.cross_entropy * F.cross_entropy(logits, wanted)
        if self.weights.overlap:
            terms["overlap"] = self.weights.overlap * missing_overlap(logits.softmax(1), wanted)
        accuracy = (logits.detach().argmax(1) == wanted).float().mean()
        yield "networks", terms, {"accuracy": accuracy}

    def settle(self, model: Any, *examples: Tensor) -> None:
        """Do nothing: the running averages of one domain are right as they are."""

    def guides(self, model: Any, *examples: Tensor) -> None:
        """Return none: parsing follows no guides."""

    def sheet(self, model: Any, images: Tensor, labels: Tensor) -> Tensor:
        """Draw pictures, their parts as given, and as found."""
        colours = spread_palette(model.contents).to(images.device)
        found = model.logits(images).argmax(1, keepdim=True)
        return grid([images, palette_image(labels, colours), palette_image(found, colours)])


def missing_overlap(shares: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - soft Dice, a mean over the parts that the labels show.

    Args:
        shares: ``(B, parts, H, W)``, how likely each pixel belongs to each part.
        labels: ``(B, H, W)`` int64.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[[0, 1]]])
        >>> missing_overlap(torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float(), labels).item()
        0.0
    """
    wanted = F.one_hot(labels, shares.shape[1]).movedim(-1, 1).to(shares.dtype)
    common, sizes = (shares * wanted).sum((0, 2, 3)), (shares + wanted).sum((0, 2, 3))
    shown = wanted.sum((0, 2, 3)) > 0
    return (1 - 2 * common / sizes.clamp(min=1e-6))[shown].mean()
