"""Edit several contents of one network in one pass, and draw between two images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, ShapeError
from mbu_ops.functional.check import check_code, check_fits, check_floating, check_image
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.render import Edit
from mbu_ops.ops.base import EditOp
from mbu_ops.ops.look import REMOVAL, Look
from mbu_ops.ops.method import Method, expand_code, to_frame
from mbu_ops.ops.one_input import OneInput, edit_whole

if TYPE_CHECKING:
    from mbu_ops.methods.didd import Codes


class ManyContents(Method, Protocol):
    """Networks of several contents, numbered from 0."""

    contents: int

    def redraw(self, image: Tensor, changes: Mapping[int, Tensor | None]) -> Layer:
        """Return the image with some contents changed: each to a code's, or to none."""

    def encode(self, image: Tensor) -> Codes:
        """Return what an image is made of: its common code, and one for each content."""

    def compared(self, before: Codes, after: Codes) -> Layer:
        """Draw an image by other codes than its own, and say where that differs from its own drawing."""


class Redraw(EditOp, OneInput):
    """Change several contents of one network at once: ``remove:smile add:glasses`` in one pass.

    Args:
        model: networks of several contents, such as :class:`mbu_ops.methods.didd.DIDD`.
        changes: for each content to change, by its number, the code it gets, ``(1, C, S, S)`` for all images or
            ``(B, C, S, S)``; None removes it.
        look: how the mask is cut and what detail is kept; :data:`mbu_ops.ops.look.REMOVAL` by default.

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
    usual_look: ClassVar[Look] = REMOVAL

    def __init__(
        self,
        model: nn.Module,
        changes: Mapping[int, Tensor | None] | None = None,
        look: Look | None = None,
    ) -> None:
        super().__init__(model, look)
        count = cast("ManyContents", model).contents
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

    @property
    def removes(self) -> bool:  # type: ignore[override]
        """Whether a content goes away."""
        return any(code is None for code in self._codes().values())

    @property
    def told_each(self) -> bool:
        """Whether there is a code for each image of a batch."""
        return any(code is not None and code.shape[0] > 1 for code in self._codes().values())

    def predict(self, seen: Tensor) -> Layer:
        """Return the image with the contents changed."""
        model = cast("ManyContents", self.model)
        codes = self._codes().items()
        changes = {index: None if code is None else expand_code(model, seen, code) for index, code in codes}
        return model.redraw(seen, changes)

    def _codes(self) -> dict[int, Tensor | None]:
        return {index: getattr(self, f"code{index}", None) for index in self.contents}


class Mix(EditOp):
    """Draw between two images, each code by an amount of its own: the common code, and each content's.

    Args:
        model: networks of several contents, such as :class:`mbu_ops.methods.didd.DIDD`.
        look: how the mask is cut and what detail is kept, see :class:`mbu_ops.ops.look.Look`.

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
        others = to_frame(model, other, "other").expand(size, -1, -1, -1)
        return edit_whole(model, image, self.passes(others, amounts), self.detail)

    def predict(self, seen: Tensor, other: Tensor, amounts: Tensor) -> Layer:
        """Return the image between two that fill the frame."""
        model = cast("ManyContents", self.model)
        own = model.encode(seen)
        return model.compared(own, own.mixed(model.encode(other), amounts))
