"""Edit several contents of one network in one pass, and draw between two images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, ShapeError
from mbu_ops.functional.check import check_code, check_fits, check_floating, check_image
from mbu_ops.ops.base import Method, Op, apply_layer, expand_code, to_frame
from mbu_ops.ops.edit import Edit

if TYPE_CHECKING:
    from mbu_ops.methods.base import Layer
    from mbu_ops.methods.didd import Codes


class ManyContents(Method, Protocol):
    """Networks of several contents, numbered from 0."""

    contents: int

    def redraw(self, image: Tensor, changes: Mapping[int, Tensor | None]) -> Layer:
        """Return the image with some contents changed: each to a code's, or to none."""

    def encode(self, image: Tensor) -> Codes:
        """Return what an image is made of: its common code, and one for each content."""

    def compared(self, image: Tensor, before: Codes, after: Codes) -> Layer:
        """Draw an image by other codes than its own, and say where that differs from its own drawing."""


class Redraw(Op):
    """Change several contents of one network at once: ``remove:smile add:glasses`` in one pass.

    Args:
        model: networks of several contents, such as :class:`mbu_ops.methods.didd.DIDD`.
        changes: for each content to change, by its number, the code it gets, ``(1, C, S, S)`` for all images or
            ``(B, C, S, S)``; None removes it.
        threshold: mask values up to this one leave the image as it is, bit for bit.
        softness: length of the ramp from there to a full mask; 0 for a hard mask.
        dilation: how far the mask grows first, in pixels of the model's frame; what the weights say for removals when
            None, if anything is removed.
        detail: share of the image's own detail, beyond the model's resolution, to keep where the structure stayed.

    Raises:
        ConfigurationError: if nothing changes, or a number is no content's.
        UnsupportedVerbError: if the method cannot.

    Example:
        >>> import torch
        >>> from mbu_ops.methods.didd import DIDD
        >>> model = DIDD("digits").eval()
        >>> code = model.for_content(1).encode_guide(torch.rand(1, 3, 32, 32))
        >>> Redraw(model, {0: None, 1: code})(torch.rand(2, 3, 48, 40)).shape
        torch.Size([2, 3, 48, 40])
    """

    verb: ClassVar[str] = "translate"
    whole: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        changes: Mapping[int, Tensor | None] | None = None,
        threshold: float = 0.05,
        softness: float = 0.1,
        dilation: int | None = None,
        detail: float = 1.0,
    ) -> None:
        super().__init__(model)
        count = getattr(model, "contents", 1)
        if not changes or not all(0 <= index < count for index in changes):
            raise ConfigurationError(
                f"expected changes of contents 0 to {count - 1}, got {sorted(changes or ())}: {{0: None}} removes the "
                "first, {1: code} gives the second a code; load_pretrained(..., whole=True).model is the network"
            )
        self.contents = tuple(sorted(changes))
        for index in self.contents:
            code = changes[index]
            if code is not None:
                check_code(code, self.model.code_shape)
                self.register_buffer(f"code{index}", code, persistent=False)  # torch.export trips over a buffer of None
        removes = any(code is None for code in changes.values())
        self.dilation: int = dilation if dilation is not None else self.model.config.removal_dilation * removes
        self.threshold, self.softness, self.detail = threshold, softness, detail

    def forward(self, image: Tensor) -> Tensor:
        """Return the edited image.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.

        Returns:
            Same shape and dtype.
        """
        return self.edit(image).image

    def edit(self, image: Tensor) -> Edit:
        """Return the result with its mask and raw pixels."""
        model = cast("ManyContents", self.model)
        frame = to_frame(model, image)
        codes: dict[int, Tensor | None] = {index: getattr(self, f"code{index}", None) for index in self.contents}
        changes = {index: None if code is None else expand_code(model, image, code) for index, code in codes.items()}
        layer = model.redraw(frame, changes)
        return apply_layer(image, frame, layer, self.threshold, self.softness, self.detail, self.dilation)


class Mix(Op):
    """Draw between two images, each code by an amount of its own: the common code, and each content's.

    Args:
        model: networks of several contents, such as :class:`mbu_ops.methods.didd.DIDD`.
        threshold: mask values up to this one leave the image as it is, bit for bit.
        softness: length of the ramp from there to a full mask; 0 for a hard mask.
        detail: share of the image's own detail, beyond the model's resolution, to keep where the structure stayed.

    Raises:
        UnsupportedVerbError: if the method cannot mix.

    Example:
        >>> import torch
        >>> from mbu_ops.methods.didd import DIDD
        >>> mix = Mix(DIDD("digits").eval())
        >>> image, other = torch.rand(2, 3, 48, 40), torch.rand(1, 3, 30, 30)
        >>> mix(image, other, torch.tensor([0.5, 0.0, 1.0])).shape
        torch.Size([2, 3, 48, 40])
        >>> torch.equal(mix(image, other, torch.zeros(3)), image)
        True
    """

    verb: ClassVar[str] = "mix"
    whole: ClassVar[bool] = True

    def __init__(self, model: nn.Module, threshold: float = 0.1, softness: float = 0.1, detail: float = 1.0) -> None:
        super().__init__(model)
        self.threshold, self.softness, self.detail = threshold, softness, detail

    def forward(self, image: Tensor, other: Tensor, amounts: Tensor) -> Tensor:
        """Return the image between the two.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            other: ``(1, 3, h, w)`` for all images, or ``(B, 3, h, w)``; any size.
            amounts: ``(1 + contents,)`` for all images or ``(B, 1 + contents)``: for the common code and each content,
                0 keeps the image's own and 1 takes the other's.

        Returns:
            Same shape and dtype as ``image``.

        Raises:
            ShapeError: if any has another shape, or is empty.
            DTypeError: if any holds no floating-point numbers.
            DeviceError: if they and the weights are not all on one device.
        """
        return self.edit(image, other, amounts).image

    def edit(self, image: Tensor, other: Tensor, amounts: Tensor) -> Edit:
        """Return the result with its mask and raw pixels; arguments and errors as in :meth:`forward`."""
        check_image(image)
        check_image(other, "other")
        check_fits(image, other, "other")
        check_floating(amounts, "amounts")
        model = cast("ManyContents", self.model)
        count, size = 1 + model.contents, image.shape[0]  # len() would fix the size of exported batches
        if amounts.shape not in ((count,), (size, count)):
            raise ShapeError(
                f"expected amounts of shape ({count},) or ({size}, {count}), got {tuple(amounts.shape)}: one for the "
                "common code and one for each content"
            )
        frame = to_frame(model, image)
        own, others = model.encode(frame), model.encode(to_frame(model, other, "other"))
        spread = type(own)(*(code.expand(size, -1, -1, -1) for code in others))
        layer = model.compared(frame, own, own.mixed(spread, amounts))
        return apply_layer(image, frame, layer, self.threshold, self.softness, self.detail)
