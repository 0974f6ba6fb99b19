"""Put a guide's content on an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from mbu_ops.functional.check import check_fits, check_image
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.render import Edit
from mbu_ops.ops.bound import Bound
from mbu_ops.ops.guided import GuidedOp
from mbu_ops.ops.guides import GuideLike
from mbu_ops.ops.method import check_guide, encode_guide

if TYPE_CHECKING:
    from mbu_ops.methods.presence import Doing


class Transfer(GuidedOp):
    """Add what a guide image shows (its glasses, its smile) to every image.

    What the method draws is blended onto the image: ``m * raw + (1 - m) * image`` (MBU, section 3). The paper blends
    with the network's mask as it is, which is nowhere quite 0 and, after a short training, seldom 1; here values up to
    the look's threshold become exactly 0, so that the background stays the input's own, and those from ``threshold +
    softness`` on become 1 (``Look(threshold=0, softness=1)`` is the paper's blend).

    Args:
        model: a method that can transfer, such as :class:`mbu_ops.methods.mbu.MBU`.
        look: how the mask is cut and what detail is kept, see :class:`mbu_ops.ops.look.Look`.
        guides: default guide codes ``(N, C, S, S)`` for :meth:`bind`.

    Raises:
        UnsupportedVerbError: if the method cannot transfer.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_mbu
        >>> add = Transfer(tiny_mbu())
        >>> image, guide = torch.rand(2, 3, 48, 40), torch.rand(1, 3, 30, 30)
        >>> edit = add.edit(image, guide)
        >>> edit.image.shape, edit.mask.shape
        (torch.Size([2, 3, 48, 40]), torch.Size([2, 1, 48, 40]))
        >>> outside = (edit.mask == 0).expand_as(image)
        >>> torch.equal(edit.image[outside], image[outside])
        True
        >>> pipeline = torch.nn.Sequential(add.bind(guide))
        >>> torch.equal(pipeline(image), edit.image)
        True
    """

    verb: ClassVar[str] = "transfer"
    guided: ClassVar[bool] = True
    doing: ClassVar[Doing | None] = "add"

    def forward(self, image: Tensor, guide: GuideLike) -> Tensor:
        """Return the image with the guide's content.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            guide: ``(1, 3, h, w)`` for all images, or ``(B, 3, h, w)``, RGB in [0, 1]; any size. For weights that take
                a guide's own pixels also with a fourth channel, alpha: the thing alone on a transparent ground. Or a
                path, a PIL image, an array or a number, as :meth:`bind` takes them; bind it for more than one batch.

        Returns:
            Same shape and dtype as ``image``.

        Raises:
            ShapeError: if either has another shape, or is empty.
            DTypeError: if either holds no floating-point numbers.
            DeviceError: if they and the weights are not all on one device.
        """
        return self.edit(image, guide).image

    def edit(self, image: Tensor, guide: GuideLike) -> Edit:
        """Return the result with its mask and raw pixels; arguments and errors as in :meth:`forward`."""
        check_image(image)
        if not isinstance(guide, Tensor):
            return self.bound_to(guide).edit(image)
        check_guide(self.model, guide)
        check_fits(image, guide, "guide")
        return self.edit_code(image, self.encode(guide), self.picture(guide))

    def encode(self, guide: Tensor) -> Tensor:
        """Return what guides show, to be used any number of times.

        Args:
            guide: ``(N, 3, h, w)`` RGB in [0, 1], floating point; or with alpha, as in :meth:`forward`.

        Returns:
            ``(N, C, S, S)`` in the weights' dtype.
        """
        return encode_guide(self.model, self.in_frame(guide))

    def picture(self, *inputs: Tensor) -> Tensor | None:
        """Return the guide."""
        return self.in_frame(inputs[0])

    def predict(self, seen: Tensor, code: Tensor) -> Layer:
        """Return a code's content as it would sit on the image."""
        return self.model.transfer(seen, code)

    def bind(self, guide: GuideLike | None = None, *, code: Tensor | None = None) -> Bound:
        """Return the op as a module with one input, for ``nn.Sequential``, kornia's containers and the like.

        Args:
            guide: the guide for every image. A tensor as in :meth:`forward` is encoded at each call, so that gradients
                reach it and the weights. Or a path, a PIL image or an array ``(H, W, 3)`` of uint8: a photo, in which
                the largest face (or whatever the weights' family finds) is looked for, or a thing alone on a
                transparent ground. Or the number of a default guide.
            code: its code instead, which saves that work.

        Returns:
            The bound op; with neither guide nor code it uses the first default guide of the weights.

        Raises:
            ConfigurationError: if both are given, or neither and the op has no default guides, or not this one.
            FrameError: if nothing is found in a photo.
            ImageFileError: if a file cannot be read.

        Example:
            >>> import mbu_ops
            >>> mbu_ops.Transfer.from_pretrained("faces/glasses").bind(3).picture.shape
            torch.Size([1, 4, 512, 896])
        """
        return self.bound_to(guide, code)
