"""What all ops share: the network they ask, the way into its frame and back, and how weights are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, DeviceError, UnsupportedVerbError
from mbu_ops.functional.blend import blend
from mbu_ops.functional.check import check_code, check_fits, check_image
from mbu_ops.functional.detail import restore_detail
from mbu_ops.functional.mask import binarise, dilate, resize
from mbu_ops.ops.edit import Edit

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from mbu_ops.methods.mbu import Layer
    from mbu_ops.ops.options import OptionValue


class MethodConfig(Protocol):
    """What an op reads of a method's configuration."""

    @property
    def resolution(self) -> int:
        """Side of the square model frame, in pixels."""

    @property
    def removal_dilation(self) -> int:
        """How far the mask of a removal grows, in pixels of the frame, unless the user says otherwise."""


class Method(Protocol):
    """What an op needs of a method (:class:`mbu_ops.methods.mbu.MBU` is one): a module that fills a square frame.

    All pixels are RGB in [0, 1] at ``config.resolution``. A method has the functions of the verbs it names.
    """

    name: str
    verbs: frozenset[str]

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
        """Return the image free of content, and the soft mask of where the content was."""

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


def compile_verbs(model: nn.Module, functions: Iterable[str]) -> None:
    """Have what a method does to images compiled by :func:`torch.compile`, each function when it is first used.

    Args:
        model: the method; ops that hold it use the compiled functions from then on.
        functions: names of the functions, see :attr:`mbu_ops.ops.verbs.Verb.functions`; those that the model lacks
            are left out.
    """
    for name in {*functions, "redraw"}:  # networks of several contents do every verb's work by the last
        if hasattr(model, name):
            setattr(model, name, torch.compile(getattr(model, name)))


class Op(nn.Module):
    """A verb done by a method. The networks run in the weights' dtype; results come back in the image's.

    Args:
        model: a method that serves the verb; its training mode is left alone (batch norm wants ``.eval()``).
        guides: default guide codes ``(N, C, S, S)``, if there are any.

    Raises:
        ConfigurationError: if the model is no method's.
        UnsupportedVerbError: if the method does not serve the verb.
    """

    verb: ClassVar[str]
    makes_mask: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    """Whether the op asks a network of several contents as a whole, and not for one of them."""
    model: Method
    default_guides: Tensor | None

    def __init__(self, model: nn.Module, *, guides: Tensor | None = None) -> None:
        super().__init__()
        verbs = getattr(model, "verbs", None)
        if verbs is None:
            raise ConfigurationError(
                f"expected a method's network such as mbu_ops.MBU(), got {type(model).__name__}: for trained weights "
                f"by name or path, call {type(self).__name__}.from_pretrained(...)"
            )
        if getattr(model, "contents", 1) > 1 and not self.whole:
            raise ConfigurationError(
                f"expected what edits one content, got the {model.name} networks of {model.contents}: take "
                f"model.for_content(0), or name one by {type(self).__name__}.from_pretrained(path, content=...)"
            )
        if self.verb not in verbs:
            raise UnsupportedVerbError(
                f"expected a method that can {self.verb}, got {model.name}, which can {', '.join(sorted(verbs))}"
            )
        if guides is not None:
            check_code(guides, cast("Method", model).code_shape, "guides")
        self.model = cast("Method", model)
        self.register_buffer("default_guides", guides, persistent=False)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        content: str | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """Return the op with trained weights, in eval mode.

        Args:
            name_or_path: ``"family/attribute"`` such as ``"faces/glasses"``, or a path to a weights file or to the
                folder that training wrote. Of a family's weights, the first that can do this.
            content: of weights that edit several contents, which one; the attribute by default where one is named.
            device: where to put it; the CPU by default.
            dtype: of the weights; float32 by default.

        Raises:
            FamilyError: if there is no such family or attribute.
            WeightsError: if there are no such weights, or the file is not sound.
            UnsupportedVerbError: if the weights' method does not serve the verb.
        """
        from mbu_ops.weights import load_pretrained  # the only op code that touches files: loaded when asked for

        pretrained = load_pretrained(
            name_or_path, device=device, dtype=dtype, verb=cls.verb, content=content, whole=cls.whole
        )
        op = cls(pretrained.model)
        op.default_guides = pretrained.guides
        return op.eval()

    @classmethod
    def for_step(cls, model: nn.Module, options: Mapping[str, OptionValue], codes: Sequence[Tensor]) -> nn.Module:  # noqa: ARG003
        """Return a module of one input that does a step of a chain; here, the op with its settings.

        Args:
            model: a method that serves the verb.
            options: those of the step that are its verb's own, by name.
            codes: the code of each guide, ``(1, C, S, S)``.

        Raises:
            ConfigurationError: if an option is no setting of the op.
        """
        return cls.with_settings(model, options)

    @classmethod
    def with_settings(cls, model: nn.Module, settings: Mapping[str, OptionValue]) -> Self:
        """Return the op with some settings other than the default, such as ``threshold``.

        Args:
            model: a method that serves the verb.
            settings: attributes of the op and their values.

        Raises:
            ConfigurationError: if the op has no such attribute.
        """
        op = cls(model)
        for name, value in settings.items():
            if not hasattr(op, name):
                raise ConfigurationError(f"{cls.__name__} has no setting {name!r}: take it in {cls.__name__}.for_step")
            setattr(op, name, value)
        return op

    @property
    def frame_side(self) -> int:
        """Side of the square that the model sees, in pixels: larger images are edited at this size."""
        return self.model.config.resolution

    @property
    def mirrors(self) -> bool:
        """Whether a mirrored image gives the mirrored result: not where left and right have names."""
        return bool(getattr(self.model, "mirrors", True))

    @property
    def guides(self) -> Tensor | None:
        """Default guide codes ``(N, C, S, S)`` that came with the weights, or None."""
        return self.default_guides

    def extra_repr(self) -> str:
        """Show the settings in ``repr``."""
        return ", ".join(
            f"{name}={getattr(self, name)}"
            for name in ("threshold", "softness", "dilation", "detail")
            if hasattr(self, name)
        )


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
    weight = next(iter(model.parameters()))
    if image.device != weight.device:
        raise DeviceError(
            f"expected {name} on the weights' device {weight.device}, got {image.device}: move one of them with "
            ".to(device)"
        )
    side = model.config.resolution
    return resize(image.to(weight.dtype), (side, side))


def to_native(mask: Tensor, image: Tensor) -> Tensor:
    """Return a mask from the model's frame at the size and in the dtype of an image."""
    height, width = image.shape[-2:]
    return resize(mask, (height, width)).to(image.dtype)


def raw_to_native(raw: Tensor, frame: Tensor, image: Tensor, detail: float) -> Tensor:
    """Return raw pixels from the model's frame at the size and in the dtype of an image.

    Args:
        raw: ``(B, 3, R, R)`` RGB in [0, 1].
        frame: the image as the model saw it, the same shape.
        image: ``(B, 3, H, W)``.
        detail: share of the image's finer detail to add where the edit left its structure alone, see
            :func:`mbu_ops.functional.detail.restore_detail`.
    """
    return restore_detail(raw.to(image.dtype), frame.to(image.dtype), image, detail)


def apply_layer(
    image: Tensor,
    frame: Tensor,
    layer: Layer,
    threshold: float,
    softness: float,
    detail: float,
    dilation: int = 0,
) -> Edit:
    """Blend what a method drew in its frame onto the image: ``m * raw + (1 - m) * image`` (MBU, section 3).

    Args:
        image: ``(B, 3, H, W)``.
        frame: the image as the model saw it, ``(B, 3, R, R)``.
        layer: what the method drew there.
        threshold: mask values up to this one are no content.
        softness: length of the ramp above the threshold; 0 for a hard mask.
        detail: share of the image's own detail, beyond the model's resolution, to keep where the structure stayed.
        dilation: how far the mask grows first, in pixels of the frame.

    Returns:
        The edit, at the image's size and dtype.
    """
    mask = binarise(to_native(dilate(layer.mask, dilation), image), threshold, softness)
    raw = raw_to_native(layer.raw, frame, image, detail)
    return Edit(blend(image, raw, mask), mask, raw)


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
