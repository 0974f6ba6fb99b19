"""Turn an attribute up or down by a strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from mbu_ops.errors import ShapeError
from mbu_ops.functional.check import check_fits, check_floating, check_image
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.render import Edit
from mbu_ops.ops.bound import Bound
from mbu_ops.ops.guided import GuidedOp
from mbu_ops.ops.method import Method
from mbu_ops.ops.options import OptionValue


class Dial(Method, Protocol):
    """A method that can have more or less of its content."""

    def adjust(self, image: Tensor, strength: Tensor) -> Layer:
        """Return the image with more or less of the content, by strengths ``(B,)``."""


class Adjust(GuidedOp):
    """Turn an attribute up or down: strength 1 adds it, -1 removes it, 0 leaves the image as it is, bit for bit.

    Gradients reach the strength.

    Args:
        model: a method with a dial, such as :class:`mbu_ops.methods.maae.MAAE`.
        look: how the mask is cut and what detail is kept, see :class:`mbu_ops.ops.look.Look`.
        guides: default codes, not needed.

    Raises:
        UnsupportedVerbError: if the method has no dial.

    Example:
        >>> import torch
        >>> from mbu_ops.methods.maae import MAAE
        >>> adjust, image = Adjust(MAAE("lite").eval()), torch.rand(2, 3, 48, 40)
        >>> torch.equal(adjust(image, 0.0), image)
        True
        >>> adjust(image, torch.tensor([-1.0, 0.5])).shape
        torch.Size([2, 3, 48, 40])
        >>> torch.nn.Sequential(adjust.bind(0.6))(image).shape
        torch.Size([2, 3, 48, 40])
    """

    verb: ClassVar[str] = "adjust"

    @classmethod
    def for_step(cls, model: nn.Module, options: Mapping[str, OptionValue], codes: Sequence[Tensor]) -> nn.Module:  # noqa: ARG003
        """Return the op bound to its ``strength``; arguments as in ``Op.for_step``."""
        settings = dict(options)
        strength = float(settings.pop("strength", 1.0))
        op = cls.with_settings(model, settings)
        return Bound(op, code=op.encode(strength))

    def forward(self, image: Tensor, strength: float | Tensor) -> Tensor:
        """Return the image with more or less of the attribute.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            strength: from -1 (without the attribute) to 1 (with it), 0 for no change; one number, or a tensor ``()`` or
                ``(B,)`` with one for each image. Larger ones exaggerate.

        Returns:
            Same shape and dtype as ``image``.

        Raises:
            ShapeError: if either has another shape, or is empty.
            DTypeError: if either holds no floating-point numbers.
            DeviceError: if they and the weights are not all on one device.
        """
        return self.edit(image, strength).image

    def edit(self, image: Tensor, strength: float | Tensor) -> Edit:
        """Return the result with its mask and raw pixels; arguments and errors as in :meth:`forward`."""
        check_image(image)
        if isinstance(strength, Tensor) and strength.ndim == 1:
            check_fits(image, strength, "strength")
        return self.edit_code(image, self.encode(strength))

    def encode(self, strength: float | Tensor) -> Tensor:
        """Return strengths as codes, ``(1 or B, 1, 1, 1)``.

        Args:
            strength: as in :meth:`forward`.
        """
        weight = next(iter(self.model.parameters()))
        if not isinstance(strength, Tensor):
            strength = torch.tensor(strength, dtype=weight.dtype, device=weight.device)
        check_floating(strength, "strength")
        if strength.ndim > 1:
            raise ShapeError(
                f"expected strength as a number or a tensor of shape (B,), got shape {tuple(strength.shape)}"
            )
        return strength.to(weight.dtype).reshape(-1, *(1,) * len(self.model.code_shape))

    def predict(self, seen: Tensor, code: Tensor) -> Layer:
        """Return the image at a strength, ``(1 or B, 1, 1, 1)`` as :meth:`encode` gives it."""
        return cast("Dial", self.model).adjust(seen, code.flatten())

    def bind(self, strength: float | Tensor = 1.0) -> Bound:
        """Return the op as a module with one input, for ``nn.Sequential``, kornia's containers and the like.

        Args:
            strength: as in :meth:`forward`; a tensor's gradient is kept.
        """
        weight = next(iter(self.model.parameters()))
        if not isinstance(strength, Tensor):
            strength = torch.tensor(strength, dtype=weight.dtype, device=weight.device)
        return Bound(self, (strength,))
