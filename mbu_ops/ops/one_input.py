"""Edits of whole images by whoever was told all but the image, and by predictions, one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.render import Edit, compose, render
from mbu_ops.ops.method import Method, Sight

Pass = Callable[[Tensor], Layer]
"""One prediction: from what a model sees, ``(B, 3, R, R)``, to the layer that it puts on the image."""


class Decision(Protocol):
    """Says which images have something to do."""

    def __call__(self, seen: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Return whether there is something to do, ``(B,)`` bool.

        Args:
            seen: ``(B, 3, R, R)``, what a model sees.
            drawn: ``(B,)``, :attr:`mbu_ops.functional.layer.Layer.presence` of the edit, where it is predicted already.
        """


class OneInput(nn.Module, ABC):
    """A module that makes an edit of images and needs nothing else: it was told all, or needs to be told nothing.

    Attributes:
        model: the method that predicts.
    """

    model: Method

    @property
    def guide(self) -> Tensor | None:
        """The guide picture ``(1, 3, h, w)``, where its own pixels may be taken."""
        return None

    @property
    def told_each(self) -> bool:
        """Whether it was told something for each image of a batch, and not one thing for all."""
        return False

    @property
    @abstractmethod
    def frame(self) -> FrameSpec:
        """Which frame of a place in a photo is edited."""

    @property
    @abstractmethod
    def frame_size(self) -> tuple[int, int]:
        """Height and width of what the model sees, in pixels."""

    @property
    @abstractmethod
    def detail(self) -> float:
        """Share of the image's own detail to keep."""

    @property
    @abstractmethod
    def mirrors(self) -> bool:
        """Whether a mirrored image gives the mirrored result."""

    @property
    def decision(self) -> Decision | None:
        """What says which images have something to do, see :attr:`EditOp.decision`; None where all are edited."""
        return None

    @abstractmethod
    def passes(self) -> Sequence[Pass]:
        """Return the predictions that make up the edit, see :meth:`EditOp.passes`."""

    def looking(self, yaw: float) -> OneInput:  # noqa: ARG002
        """Return what makes the edit of something that looks away, see :attr:`mbu_ops.frames.Frame.yaw`; here, itself.

        Args:
            yaw: in degrees, positive to the picture's right.
        """
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Return the edited image.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.

        Returns:
            Same shape and dtype.

        Raises:
            ShapeError: if the image has another shape, or is empty.
            DTypeError: if it holds no floating-point numbers.
            DeviceError: if it is not where the weights are.
        """
        return self.edit(image).image

    def edit(self, image: Tensor) -> Edit:
        """Return the result with its mask and raw pixels; arguments and errors as in :meth:`forward`."""
        return edit_whole(self.model, image, self.passes(), self.detail, self.guide, self.decision, self.frame)


def left_by(step: nn.Module, image: Tensor) -> Tensor:
    """Return which images a step of a chain leaves as they are, for there is nothing to do.

    Args:
        step: an edit that was told all but the image; any other module leaves none.
        image: ``(B, 3, H, W)`` RGB in [0, 1].

    Returns:
        ``(B,)`` bool.
    """
    if isinstance(step, OneInput) and (decision := step.decision) is not None:
        return ~decision(Sight.of(step.model, image, step.frame).seen(image))
    return torch.zeros(image.shape[0], dtype=torch.bool, device=image.device)


def edit_whole(
    model: Method,
    image: Tensor,
    passes: Sequence[Pass],
    detail: float,
    guide: Tensor | None = None,
    decision: Decision | None = None,
    frame: FrameSpec = WHOLE_FRAME,
) -> Edit:
    """Return the edit that predictions make of whole images, which show a family's first frame.

    Args:
        model: whose frame it is.
        image: ``(B, 3, H, W)`` RGB in [0, 1], any size.
        passes: one prediction after another.
        detail: share of the image's own detail to keep.
        guide: the guide picture, where its own pixels may be taken.
        decision: which images to edit, before the first prediction; all if None.
        frame: which part of the images the model sees, see :class:`mbu_ops.ops.method.Sight`.

    Returns:
        All of it as one edit, at the image's size and dtype.

    Raises:
        ShapeError: if the image has another shape, or is empty.
        DTypeError: if it holds no floating-point numbers.
        DeviceError: if it is not where the weights are.
    """
    whole: Edit | None = None
    chosen: Tensor | None = None
    for predict in passes:
        sight = Sight.of(model, image, frame)
        seen = sight.seen(image)
        layer = predict(seen)
        if decision is not None:  # one for the whole edit: what one pass took away the next must not miss
            chosen = decision(seen, layer.presence) if chosen is None else chosen
            layer = layer._replace(mask=layer.mask * chosen.to(layer.mask.dtype).view(-1, 1, 1, 1))
        edit = render(image, sight.keeping(layer, image, seen, detail), sight.area, guide)
        whole, image = edit if whole is None else compose(whole, edit), edit.image
    assert whole is not None  # noqa: S101 - every edit has a prediction
    return whole
