"""Put a mixture of two guides' content on an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from mbu_ops.errors import ShapeError
from mbu_ops.functional.check import check_fits, check_floating, check_image
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.render import Edit
from mbu_ops.ops.bound import Bound
from mbu_ops.ops.guided import GuidedOp
from mbu_ops.ops.guides import GuideLike
from mbu_ops.ops.method import check_guide, encode_guide
from mbu_ops.ops.options import OptionValue

if TYPE_CHECKING:
    from mbu_ops.methods.presence import Doing


def mix(first: Tensor, second: Tensor, amount: float | Tensor) -> Tensor:
    """Return ``(1 - amount) * first + amount * second`` (MBU, section 4).

    Args:
        first: guide codes ``(1 or B, C, S, S)``.
        second: guide codes ``(1 or B, C, S, S)``.
        amount: 0 gives the first, 1 the second; one number, or a tensor ``()`` or ``(B,)`` with one for each image.
            Values outside [0, 1] exaggerate.

    Returns:
        ``(1 or B, C, S, S)``.

    Raises:
        DTypeError: if a tensor amount holds no floating-point numbers.
        ShapeError: if it has another shape, or the three do not go together.
        DeviceError: if they are not all on one device.

    Example:
        >>> import torch
        >>> mix(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.tensor([0.0, 0.5])).flatten()
        tensor([0.0000, 0.5000])
    """
    most = first if first.shape[0] >= second.shape[0] else second
    check_fits(most, first, "first")
    check_fits(most, second, "second")
    if not isinstance(amount, Tensor):
        return torch.lerp(first, second, amount)
    check_floating(amount, "amount")
    if amount.ndim > 1:
        raise ShapeError(f"expected amount as a number or a tensor of shape (B,), got shape {tuple(amount.shape)}")
    amount = amount.to(first.dtype).view(-1, 1, 1, 1)
    if most.shape[0] > 1:
        check_fits(most, amount, "amount")
    return torch.lerp(first, second, amount)


class Interpolate(GuidedOp):
    """Add content between that of two guides.

    Args:
        model: a method that can interpolate, such as :class:`mbu_ops.methods.mbu.MBU`.
        look: how the mask is cut and what detail is kept, see :class:`mbu_ops.ops.look.Look`.
        guides: default guide codes ``(N, C, S, S)``.

    Raises:
        UnsupportedVerbError: if the method cannot interpolate.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_mbu
        >>> image, first, second = torch.rand(2, 3, 48, 40), torch.rand(1, 3, 30, 30), torch.rand(1, 3, 30, 30)
        >>> Interpolate(tiny_mbu())(image, first, second, 0.5).shape
        torch.Size([2, 3, 48, 40])
    """

    verb: ClassVar[str] = "interpolate"
    guided: ClassVar[bool] = True

    @property
    def doing(self) -> Doing:  # type: ignore[override]
        """What there must be to do: to add what is not there, or of a method that exchanges at once, to exchange it."""
        return "remove" if self.model.info.swaps_at_once else "add"

    @classmethod
    def for_step(cls, model: nn.Module, options: Mapping[str, OptionValue], codes: Sequence[Tensor]) -> nn.Module:
        """Return the op bound to the mixture of two codes by ``amount``; arguments as in ``Op.for_step``."""
        settings = dict(options)
        amount = float(settings.pop("amount", 0.5))
        first, second = codes
        return super().for_step(model, settings, [mix(first, second, amount)])

    def forward(self, image: Tensor, first: GuideLike, second: GuideLike, amount: float | Tensor) -> Tensor:
        """Return the image with the mixture.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            first: ``(1, 3, h, w)`` for all images, or ``(B, 3, h, w)``, RGB in [0, 1]; any size. Or a path, a PIL
                image, an array or a number, as :meth:`mbu_ops.Transfer.bind` takes them.
            second: as ``first``, of a size of its own.
            amount: 0 gives the first, 1 the second; one number, or a tensor ``(B,)`` with one for each image.

        Returns:
            Same shape and dtype as ``image``.

        Raises:
            ShapeError: if any has another shape, or is empty.
            DTypeError: if any holds no floating-point numbers.
            DeviceError: if they and the weights are not all on one device.
        """
        return self.edit(image, first, second, amount).image

    def edit(self, image: Tensor, first: GuideLike, second: GuideLike, amount: float | Tensor) -> Edit:
        """Return the result with its mask and raw pixels; arguments and errors as in :meth:`forward`."""
        check_image(image)
        if not (isinstance(first, Tensor) and isinstance(second, Tensor)):
            return self.bind(first, second, amount).edit(image)
        for name, guide in (("first", first), ("second", second)):
            check_guide(self.model, guide, name)
            check_fits(image, guide, name)
        if isinstance(amount, Tensor) and amount.ndim == 1:
            check_fits(image, amount, "amount")
        return self.edit_code(image, self.encode(first, second, amount))

    def encode(self, first: GuideLike, second: GuideLike, amount: float | Tensor) -> Tensor:
        """Return the mixture of what two guides show, to be used any number of times.

        Args:
            first: ``(N, 3, h, w)`` RGB in [0, 1], floating point, or as in :meth:`forward`.
            second: ``(N, 3, h, w)``; either N may be 1.
            amount: as in :meth:`forward`.

        Returns:
            ``(N, C, S, S)`` in the weights' dtype.
        """
        return mix(self._code(first, "first"), self._code(second, "second"), amount)

    def predict(self, seen: Tensor, code: Tensor) -> Layer:
        """Return the content of a code, from :meth:`encode` or :func:`mix`, as it would sit on the image."""
        return self.model.swap(seen, code) if self.model.info.swaps_at_once else self.model.transfer(seen, code)

    def bind(self, first: GuideLike, second: GuideLike, amount: float | Tensor = 0.5) -> Bound:
        """Return the op as a module with one input; with stored codes, use ``Bound(op, code=mix(...))``.

        Args:
            first: as in :meth:`forward`.
            second: as in :meth:`forward`.
            amount: as in :meth:`forward`.

        Returns:
            The bound op. Two tensors are encoded at each call, so that gradients reach them and the weights.
        """
        if isinstance(first, Tensor) and isinstance(second, Tensor):
            return Bound(self, (first, second, torch.as_tensor(amount, device=first.device)))
        return Bound(self, code=self.encode(first, second, amount))

    def _code(self, guide: GuideLike, name: str) -> Tensor:
        if isinstance(guide, Tensor):
            return encode_guide(self.model, self.in_frame(guide, name), name)
        code = self.bound_to(guide).code
        assert code is not None  # noqa: S101  (only tensors stay what they are)
        return code
