"""Say whether an image shows a content at all, so that an edit can leave alone what is as it should be.

A small network of its own beside a method's: an autoencoder that must not know the content, as MBU's common encoder,
knows it badly (a linear probe of MBU's codes found glasses with an AUC of 0.94, this network with 0.997). It belongs to
the weights of any method. May import nothing of this room.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mbu_ops.functional.mask import resize

SIDE = 128
"""Height and width at which it sees every image."""

WIDTHS = (3, 32, 64, 96, 128)
"""Channels of the image and of each convolution: the first quarters the side, each other one halves it."""

Doing = Literal["remove", "add"]
"""What is to be done: something is there to be removed, or is not there yet and can be added."""


class Detector(nn.Module, ABC):
    """How likely images show a content, and how sure that must be for an edit to have something to do.

    Args:
        thresholds: for ``"remove"`` the least probability that the content is there at which it is removed, for
            ``"add"`` the least probability that it is not there at which it is added; 0.5 each by default.

    Shape:
        ``(B, 3, H, W)`` RGB in [0, 1], any size, to ``(B,)`` in [0, 1].
    """

    def __init__(self, thresholds: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.thresholds: Mapping[str, float] = {"remove": 0.5, "add": 0.5} if thresholds is None else dict(thresholds)

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return the probability for each image."""

    def there(self, images: Tensor, drawn: Tensor | None) -> Tensor:  # noqa: ARG002
        """Return the probability for each image, whose edit may have been predicted already.

        Args:
            images: ``(B, 3, H, W)`` RGB in [0, 1].
            drawn: ``(B,)``, :attr:`mbu_ops.functional.layer.Layer.presence` of the edit; None where nothing says so.
        """
        probability: Tensor = self(images)
        return probability

    def sure(self, images: Tensor, doing: Doing, least: float | None = None, drawn: Tensor | None = None) -> Tensor:
        """Return for which images there is something to do.

        Args:
            images: ``(B, 3, H, W)`` RGB in [0, 1].
            doing: what is to be done.
            least: how sure it must be, from 0 to 1; by default what the thresholds say.
            drawn: as in :meth:`there`.

        Returns:
            ``(B,)`` bool.
        """
        there = self.there(images, drawn)
        return (there if doing == "remove" else 1 - there) >= (self.thresholds[doing] if least is None else least)

    def extra_repr(self) -> str:
        """Show the thresholds in ``repr``."""
        return ", ".join(f"{doing} from {least:.4g}" for doing, least in self.thresholds.items())


class OwnPresence(Detector):
    """What a method's own networks say: those with a function ``presence``.

    Args:
        model: the networks; they stay the op's, and are no part of this module.
        thresholds: see :class:`Detector`.

    Example:
        >>> from mbu_ops.testing import tiny_native
        >>> OwnPresence(tiny_native())(torch.rand(2, 3, 20, 20)).shape
        torch.Size([2])
    """

    def __init__(self, model: Any, thresholds: Mapping[str, float] | None = None) -> None:
        super().__init__(thresholds)
        self._model = (model,)

    def forward(self, images: Tensor) -> Tensor:
        """Return the probability for each image."""
        (model,) = self._model
        weight = next(model.parameters())
        there: Tensor = model.presence(resize(images.to(weight.dtype), model.config.size))
        return there.float()

    def there(self, images: Tensor, drawn: Tensor | None) -> Tensor:
        """Return the probability for each image: what the networks said when they drew the edit need not be asked."""
        return super().there(images, None) if drawn is None else drawn.float()


def detects_itself(model: Any) -> bool:
    """Return whether networks say themselves how likely an image shows the content."""
    return callable(getattr(model, "presence", None))


class Presence(Detector):
    """A network of its own, for methods that cannot tell.

    Trained by :func:`mbu_ops.training.presence.train_presence`. It draws nothing and is never trained with an op.

    Example:
        >>> presence = Presence({"remove": 0.0, "add": 1.0})
        >>> presence(torch.rand(2, 3, 48, 40)).shape
        torch.Size([2])
        >>> presence.sure(torch.rand(2, 3, 48, 40), "remove")
        tensor([True, True])
    """

    def __init__(self, thresholds: Mapping[str, float] | None = None) -> None:
        super().__init__(thresholds)
        layers: list[nn.Module] = []
        for before, after in pairwise(WIDTHS):
            layers += [nn.Conv2d(before, after, 3, 2, 1) if layers else nn.Conv2d(before, after, 5, 4, 2), nn.ReLU()]
        positions = (SIDE >> len(WIDTHS)) ** 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(WIDTHS[-1] * positions, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the probability for each image."""
        seen = self.fitted(images.to(next(self.parameters()).dtype))
        logits: Tensor = self.layers(torch.cat([seen, seen.flip(-1)]))  # what both ways say errs less
        # half precision is coarse near 1; chunk() would fix the size of exported batches
        mean: Tensor = torch.unflatten(logits.squeeze(1).float(), 0, (2, -1)).mean(0)
        return torch.sigmoid(mean)

    @staticmethod
    def fitted(images: Tensor) -> Tensor:
        """Return the images as the layers see them: ``(B, 3, 128, 128)`` in [-1, 1]."""
        return resize(images, (SIDE, SIDE)) * 2 - 1
