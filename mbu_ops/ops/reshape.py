"""Change the shapes of a picture's parts by a mask, and make pictures from masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, cast

import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.any_size import is_open
from mbu_ops.functional.check import check_code, check_fits, check_image, check_labels
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import Edit
from mbu_ops.ops.base import EditOp, Op
from mbu_ops.ops.bound import BoundBase
from mbu_ops.ops.method import expand_code, to_frame
from mbu_ops.ops.one_input import Pass, edit_whole
from mbu_ops.ops.parse import Parser

UNSPECIFIED = 255
"""A number in labels that is no part's."""


class Composer(Parser, Protocol):
    """Networks that put pictures together from components, in the shapes of a mask."""

    def one_hot(self, labels: Tensor) -> Tensor:
        """Return masks ``(B, parts, R, R)`` of numbers of parts."""

    def edit(self, image: Tensor, mask: Tensor) -> Layer:
        """Return images redrawn to fit other masks, and where."""

    def generate(self, mask: Tensor, code: Tensor, background: Tensor) -> Tensor:
        """Return pictures with the shapes of masks and the look of codes."""


class Reshape(EditOp):
    """Redraw a picture so that its parts have the shapes of an edited mask: hair off the forehead, an open mouth.

    Take the picture's own mask from :class:`~mbu_ops.ops.parse.Parse`, change it, and give it back; only what changed,
    and a few pixels around it, is redrawn.

    Args:
        model: a network that composes pictures, such as :class:`mbu_ops.methods.portrait.Portrait`.
        look: how the mask is cut and what detail is kept, see :class:`mbu_ops.ops.look.Look`.
        guides: default codes, not needed.

    Raises:
        UnsupportedVerbError: if the method cannot.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_portrait
        >>> model, image = tiny_portrait(), torch.rand(2, 3, 48, 40)
        >>> labels = torch.zeros(2, 1, 48, 40, dtype=torch.uint8)
        >>> Reshape(model)(image, labels).shape
        torch.Size([2, 3, 48, 40])
    """

    verb: ClassVar[str] = "edit"
    whole: ClassVar[bool] = True

    @property
    def part_count(self) -> int:
        """How many parts its masks tell apart."""
        return cast("Composer", self.model).part_count

    def forward(self, image: Tensor, labels: Tensor) -> Tensor:
        """Return the image with the shapes of a mask.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            labels: ``(1, 1, h, w)`` for all images or ``(B, 1, h, w)``, whole numbers of parts; any size. A number that
                is no part's, such as :data:`UNSPECIFIED`, leaves its pixel as it is.

        Returns:
            Same shape and dtype as ``image``.

        Raises:
            ShapeError: if either has another shape, or is empty.
            DTypeError: if the image holds no floating-point numbers, or the labels no whole ones.
            DeviceError: if they and the weights are not all on one device.
        """
        return self.edit(image, labels).image

    def edit(self, image: Tensor, labels: Tensor) -> Edit:
        """Return the result with its mask and raw pixels; arguments and errors as in :meth:`forward`."""
        check_image(image)
        check_labels(labels)
        check_fits(image, labels, "labels")
        return edit_whole(self.model, image, self.passes(labels), self.detail)

    def predict(self, seen: Tensor, labels: Tensor) -> Layer:
        """Return the image with the shapes of labels ``(1 or B, 1, h, w)``."""
        model = cast("Composer", self.model)
        # read at the labels' own size: what nobody changed must not change because it was rounded elsewhere
        own = resize(model.parse(seen), (labels.shape[-2], labels.shape[-1])).argmax(1, keepdim=True)
        wanted = mask_in_frame(model, torch.where(labels == own, UNSPECIFIED, labels.long()), seen)
        return model.edit(seen, wanted)

    def bind(self, labels: Tensor) -> BoundReshape:
        """Return the op as a module with one input, for ``nn.Sequential`` and :class:`mbu_ops.Framed`.

        Args:
            labels: as in :meth:`forward`.
        """
        return BoundReshape(self, labels)


class BoundReshape(BoundBase):
    """A :class:`Reshape` with its mask: one image in, one image out.

    Args:
        op: the op.
        labels: as in :meth:`Reshape.forward`.
    """

    op: Reshape
    labels: Tensor

    def __init__(self, op: Reshape, labels: Tensor) -> None:
        super().__init__(op)
        check_labels(labels)
        self.register_buffer("labels", labels, persistent=False)

    @property
    def told_each(self) -> bool:
        """Whether there is a mask for each image of a batch."""
        return self.labels.shape[0] > 1

    def passes(self) -> Sequence[Pass]:
        """Return the one prediction of the edit."""
        return self.op.passes(self.labels)


class Generate(Op):
    """Make pictures from masks: the shapes of a mask, the look of a guide or of a code, any background.

    Args:
        model: a network that composes pictures, such as :class:`mbu_ops.methods.portrait.Portrait`.
        guides: default codes ``(N, C, 1, 1)``.

    Raises:
        UnsupportedVerbError: if the method cannot.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_portrait
        >>> generate, labels = Generate(tiny_portrait()), torch.zeros(2, 1, 48, 40, dtype=torch.uint8)
        >>> generate(labels, generate.encode(torch.rand(1, 3, 64, 64))).shape
        torch.Size([2, 3, 32, 32])
    """

    verb: ClassVar[str] = "generate"
    whole: ClassVar[bool] = True

    @property
    def part_count(self) -> int:
        """How many parts its masks tell apart."""
        return cast("Composer", self.model).part_count

    def forward(self, labels: Tensor, code: Tensor | None = None, background: Tensor | None = None) -> Tensor:
        """Return pictures with the shapes of masks.

        Args:
            labels: ``(B, 1, H, W)``, whole numbers of parts; any size.
            code: the look, ``(1, C, 1, 1)`` for all or ``(B, C, 1, 1)`` from :meth:`encode`; the first default code if
                None.
            background: ``(1, 3, h, w)`` or ``(B, 3, h, w)`` RGB in [0, 1], a picture whose background shows where the
                mask has none of the components; grey if None.

        Returns:
            ``(B, 3, R, R)`` in [0, 1], at the size that the networks draw.

        Raises:
            ConfigurationError: if there is neither a code nor a default one.
            ShapeError: if a shape does not fit.
            DTypeError: if labels hold no whole numbers, or the others no floating-point ones.
            DeviceError: if they and the weights are not all on one device.
        """
        check_labels(labels)
        model = cast("Composer", self.model)
        weight = next(iter(model.parameters()))
        if code is None:
            if self.guides is None:
                raise ConfigurationError(
                    "expected a code, got none, and these weights have no default one: encode a guide picture"
                )
            code = self.guides[:1]
        check_code(code, model.code_shape)
        like = torch.full((labels.shape[0], 3, *model.config.size), 0.5, dtype=weight.dtype, device=weight.device)
        check_fits(like, labels, "labels")
        if background is not None:
            behind = to_frame(model, background, "background")
            check_fits(like, behind, "background")
            like = behind.expand(labels.shape[0], -1, -1, -1)
        return model.generate(mask_in_frame(model, labels, like), expand_code(model, like, code), like)

    def encode(self, guide: Tensor) -> Tensor:
        """Return the code of the look of guides, ``(B, C, 1, 1)``.

        Args:
            guide: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
        """
        return self.model.encode_guide(to_frame(self.model, guide, "guide"))


def mask_in_frame(model: Composer, labels: Tensor, frame: Tensor) -> Tensor:
    """Return labels of any size as masks ``(B, parts, R, R)`` of the size and dtype of the model's frame.

    Each pixel of the frame belongs to the part that covers most of it; to none, if most of it is unspecified.
    """
    size = (frame.shape[-2], frame.shape[-1])
    mask = model.one_hot(labels)
    if not is_open(*labels.shape[-2:]) and tuple(labels.shape[-2:]) == size:
        return mask.to(frame.dtype)
    shares = resize(mask.float(), size)
    known = shares.sum(1, keepdim=True) > 0.5
    return (model.one_hot(shares.argmax(1, keepdim=True)) * known).to(frame.dtype)
