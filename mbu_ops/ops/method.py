"""What ops ask of a method, and the way into its frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from mbu_ops.errors import DeviceError, ShapeError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.functional.any_size import Area, Axis, is_open
from mbu_ops.functional.blend import premultiplied, straight
from mbu_ops.functional.check import check_code, check_fits, check_image
from mbu_ops.functional.keeping import keeping_where
from mbu_ops.functional.mask import resize
from mbu_ops.functional.similarity import RIM, Rectangle, extract

if TYPE_CHECKING:
    from mbu_ops.functional.layer import Layer
    from mbu_ops.methods.info import MethodInfo


class MethodConfig(Protocol):
    """What an op reads of a method's configuration."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the model's frame, in pixels."""

    @property
    def removal_dilation(self) -> int:
        """How far the mask of a removal grows, in pixels of the frame, unless the user says otherwise."""


class Method(Protocol):
    """What an op needs of a method (:class:`mbu_ops.methods.mbu.MBU` is one): a module that fills its frame.

    All pixels are RGB in [0, 1] at ``config.size``. A method has the functions of the verbs that its ``info`` names.
    """

    @property
    def info(self) -> MethodInfo:
        """What it can do."""

    @property
    def contents(self) -> int:
        """How many contents it edits; more than one only where an op asks all of a network."""

    @property
    def config(self) -> MethodConfig:
        """The method's sizes."""

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: channels, height, width."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Give the weights; the first one's dtype and device are the networks'."""

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return the code of what a guide shows."""

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return a code's content as it would sit on the image."""

    def remove(self, image: Tensor) -> Layer:
        """Return the image free of content, where the content was."""

    def swap(self, image: Tensor, code: Tensor) -> Layer:
        """Return a code's content instead of the image's own; only where ``info.swaps_at_once``."""

    def segment(self, image: Tensor) -> Tensor:
        """Return the soft mask of the image's own content."""


@runtime_checkable
class Inferable(Protocol):
    """A method that has a faster form, which only edits."""

    def for_inference(self) -> nn.Module:
        """Return that form; see :meth:`mbu_ops.methods.networks.ContentNetworks.for_inference`."""


def fast_form(model: nn.Module) -> nn.Module:
    """Return a method's form for inference, or the method itself if it has none.

    Example:
        >>> from mbu_ops.testing import tiny_mbu
        >>> model = tiny_mbu()
        >>> any(weight.requires_grad for weight in fast_form(model).parameters())
        False
        >>> fast_form(torch.nn.Identity())
        Identity()
    """
    return model.for_inference() if isinstance(model, Inferable) else model


def compile_verbs(model: nn.Module, verbs: Iterable[str]) -> None:
    """Have what a method does to images compiled by :func:`torch.compile`, each function when it is first used.

    Args:
        model: the method; ops that hold it use the compiled functions from then on.
        verbs: what it is to be asked for.
    """
    info: MethodInfo = cast("Method", model).info
    called = {name for verb in verbs for name in info.functions(verb)}
    # a guide is encoded once; networks of several contents do every verb's work by redrawing
    for name in called - {"encode_guide"} | {"redraw"}:
        if hasattr(model, name):
            setattr(model, name, torch.compile(getattr(model, name)))


def to_frame(model: Method, image: Tensor, name: str = "image") -> Tensor:
    """Check images and return them as the model sees them: the whole image in its frame, in its dtype.

    Args:
        model: the method.
        image: ``(B, 3, H, W)`` RGB in [0, 1], any size.
        name: what to call it in errors.

    Returns:
        ``(B, 3, R, R)`` with R the model's resolution.

    Raises:
        DTypeError: if it holds no floating-point numbers.
        ShapeError: if it is not ``(B, 3, H, W)``, or empty.
        DeviceError: if it is not where the weights are.
    """
    check_image(image, name)
    return _resized(model, image, name)


def _resized(model: Method, image: Tensor, name: str) -> Tensor:
    """Return pictures of any number of channels at the model's size, in its dtype."""
    weight = next(iter(model.parameters()))
    if image.device != weight.device:
        raise DeviceError(
            f"expected {name} on the weights' device {weight.device}, got {image.device}: move one of them with "
            ".to(device)"
        )
    return resize(image.to(weight.dtype), model.config.size)


FINENESS = 2
"""Parts are cut out at so many times the size that is seen, and then shrunk, as training pictures are: cutting out
alone, at any angle, leaves them softer."""


class Sight(NamedTuple):
    """What a model sees of images that show a family's first frame: its own frame of them.

    Attributes:
        model: the method.
        area: where its frame lies in them; None where it is all of them. An :class:`mbu_ops.functional.any_size.Area`
            of images whose size is open.
    """

    model: Method
    area: Rectangle | Area | None

    @classmethod
    def of(cls, model: Method, image: Tensor, frame: FrameSpec) -> Sight:
        """Return what a model sees of images.

        Args:
            model: the method.
            image: ``(B, 3, H, W)``; its size is looked at only.
            frame: the frame that its weights were trained on. One that reaches beyond the first frame, whose picture
                does not show all of it, is taken to be what the images show.

        Raises:
            DTypeError: if it holds no floating-point numbers.
            ShapeError: if it is not ``(B, 3, H, W)``, or empty.

        Example:
            >>> from mbu_ops.testing import tiny_native
            >>> eyes = FrameSpec("eyes", within="face", y=0.25, width=0.5, height=0.25)
            >>> sight = Sight.of(tiny_native(), image := torch.rand(2, 3, 80, 80), eyes)
            >>> sight.area.bounds(80, 80), sight.seen(image).shape
            ((20, 10, 60, 30), torch.Size([2, 3, 16, 16]))
        """
        check_image(image)
        height, width = image.shape[-2:]
        whole_image = frame.is_whole or not frame.lies_inside
        if is_open(height, width):
            seen, rim = (WHOLE_FRAME, 0.0) if whole_image else (frame, RIM)
            return cls(model, Area(Axis.of(height, seen.y, seen.height), Axis.of(width, seen.x, seen.width), rim))
        if whole_image:
            return cls(model, None)
        whole = Rectangle(width / 2, height / 2, width, height, rim=RIM)
        return cls(model, whole.part(frame.x, frame.y, frame.width, frame.height))

    def cut(self, image: Tensor, limit: int | None = None) -> Tensor:
        """Return what the frame shows, ``(B, 3, h, w)``, with no more pixels than it has, and the limit allows.

        Raises:
            ShapeError: if the image's size is open: how many pixels it has there is not known.
        """
        if isinstance(self.area, Area):
            raise ShapeError("expected a guide of a fixed size, got one whose height or width is dynamic: leave it out")
        return image if self.area is None else extract(image, self.area, self.area.cut_size(limit))

    def seen(self, image: Tensor, name: str = "image") -> Tensor:
        """Return images as the model sees them, see :func:`to_frame`."""
        limit, size = FINENESS * max(self.model.config.size), self.model.config.size
        cut = self.area.seen(image, limit, size) if isinstance(self.area, Area) else self.cut(image, limit)
        return to_frame(self.model, cut, name)

    def keeping(self, layer: Layer, image: Tensor, seen: Tensor, detail: float) -> Layer:
        """Return a layer that keeps the images' own detail, if these have more pixels there than are seen.

        Args:
            layer: for what was seen of the images.
            image: the images.
            seen: what was seen of them.
            detail: share of it to keep.
        """
        size, area = self.model.config.size, self.area
        if isinstance(area, Area):
            return keeping_where(area.is_finer(size), layer, seen, detail)
        height, width = (image.shape[-2], image.shape[-1]) if area is None else (area.height, area.width)
        return layer.keeping(seen, detail) if height > size[0] or width > size[1] else layer


def check_guide(model: Method, guide: Tensor, name: str = "guide") -> None:
    """Check that a tensor can be a batch of guides: RGB, or with an alpha channel where the model takes their pixels.

    Args:
        model: the method.
        guide: expected ``(B, 3, H, W)`` or, of a thing cut out on a transparent ground, ``(B, 4, H, W)``.
        name: what to call it in errors.

    Raises:
        DTypeError: if it holds no floating-point numbers.
        ShapeError: if it has another shape, or is empty.
    """
    check_image(guide[:, :3] if is_cut_out(model, guide) else guide, name)


def is_cut_out(model: Method, guide: Tensor) -> bool:
    """Return whether guides have an alpha channel that the model can use."""
    return model.info.takes_pixels and isinstance(guide, Tensor) and guide.ndim == 4 and guide.shape[1] == 4


def encode_guide(model: Method, guide: Tensor, name: str = "guide") -> Tensor:
    """Return the code of guides of any size.

    Args:
        model: the method.
        guide: ``(N, 3, h, w)`` RGB in [0, 1]; or ``(N, 4, h, w)``, see :func:`check_guide`.
        name: what to call it in errors.

    Raises:
        DTypeError: see :func:`check_guide`.
        ShapeError: the same.
        DeviceError: if it is not where the weights are.
    """
    check_guide(model, guide, name)
    if not is_cut_out(model, guide):
        return model.encode_guide(to_frame(model, guide, name))
    return model.encode_guide(straight(_resized(model, premultiplied(guide), name)))


def expand_code(model: Method, image: Tensor, code: Tensor) -> Tensor:
    """Check codes and return one for each image, in the model's dtype.

    Args:
        model: the method.
        image: ``(B, 3, H, W)``.
        code: ``(1, C, S, S)`` for all images, or ``(B, C, S, S)``.

    Returns:
        ``(B, C, S, S)``.

    Raises:
        DTypeError: if the code holds no floating-point numbers.
        ShapeError: if it has neither shape, or is another method's or size's.
        DeviceError: if it is not where the image is.
    """
    check_code(code, model.code_shape)
    check_fits(image, code, "code")
    return code.to(next(iter(model.parameters())).dtype).expand(image.shape[0], -1, -1, -1)
