"""What all ops share: the network they ask, how weights are found, and how a prediction becomes an edit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, UnsupportedVerbError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.functional.check import check_code
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import Edit, compose, render
from mbu_ops.ops.look import USUAL, Look
from mbu_ops.ops.method import Method, to_frame

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from mbu_ops.ops.options import OptionValue

_LOOKS = frozenset(field.name for field in fields(Look))

Pass = Callable[[Tensor], Layer]
"""One prediction: from what a model sees, ``(B, 3, R, R)``, to the layer that it puts on the image."""


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
    guided: ClassVar[bool] = False
    """Whether the op is shown guides, so that of a family's weights those that follow guides come first."""
    model: Method
    default_guides: Tensor | None
    frame: FrameSpec = WHOLE_FRAME
    """Which frame of a place in a photo the weights were trained on; see :class:`mbu_ops.Framed`."""

    def __init__(self, model: nn.Module, *, guides: Tensor | None = None) -> None:
        super().__init__()
        info = getattr(model, "info", None)
        if info is None:
            raise ConfigurationError(
                f"expected a method's network such as mbu_ops.MBU(), got {type(model).__name__}: for trained weights "
                f"by name or path, call {type(self).__name__}.from_pretrained(...)"
            )
        method = cast("Method", model)
        if method.contents > 1 and not self.whole:
            raise ConfigurationError(
                f"expected what edits one content, got the {info.name} networks of {method.contents}: take "
                f"model.for_content(0), or name one by {type(self).__name__}.from_pretrained(path, content=...)"
            )
        if self.verb not in info.verbs:
            raise UnsupportedVerbError(
                f"expected a method that can {self.verb}, got {info.name}, which can {', '.join(sorted(info.verbs))}"
            )
        if guides is not None:
            check_code(guides, method.code_shape, "guides")
        self.model = method
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
            name_or_path,
            device=device,
            dtype=dtype,
            verb=cls.verb,
            content=content,
            whole=cls.whole,
            guided=cls.guided,
        )
        op = cls(pretrained.model)
        op.default_guides = pretrained.guides
        op.frame = pretrained.frame
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
    def frame_size(self) -> tuple[int, int]:
        """Height and width of what the model sees, in pixels: larger images are edited at this size."""
        return self.model.config.size

    @property
    def mirrors(self) -> bool:
        """Whether a mirrored image gives the mirrored result: not where left and right have names."""
        return self.model.info.mirrors

    @property
    def guides(self) -> Tensor | None:
        """Default guide codes ``(N, C, S, S)`` that came with the weights, or None."""
        return self.default_guides


class EditOp(Op, ABC):
    """A verb that changes images. It predicts a layer in the model's frame; rendering it is the same for all verbs.

    Args:
        model: a method that serves the verb.
        look: how masks are cut and what detail is kept; :attr:`usual_look` by default.
        guides: default guide codes ``(N, C, S, S)``, if there are any.

    Attributes:
        predict: what subclasses implement. From what the model sees, ``(B, 3, R, R)``, and what the op is told (a
            guide's code, or labels), to a :class:`mbu_ops.functional.layer.Layer`, whose mask is a probability.
    """

    usual_look: ClassVar[Look] = USUAL
    removes: ClassVar[bool] = False
    """Whether something goes away: masks grow by what the weights say, unless the look says how far."""
    predict: Callable[..., Layer]

    def __init__(self, model: nn.Module, look: Look | None = None, *, guides: Tensor | None = None) -> None:
        super().__init__(model, guides=guides)
        if not isinstance(look, Look | None):
            raise ConfigurationError(
                f"expected look to be a Look, such as mbu_ops.Look(threshold=0.2), got {look!r}: threshold, softness, "
                "dilation and detail are its fields"
            )
        self.look = (look or Look()).over(self.usual_look)

    @classmethod
    def with_settings(cls, model: nn.Module, settings: Mapping[str, OptionValue]) -> Self:
        """Return the op with some settings other than the default; those of a look make up its look.

        Args:
            model: a method that serves the verb.
            settings: fields of :class:`mbu_ops.ops.look.Look`, or attributes of the op, and their values.

        Raises:
            ConfigurationError: if the op has no such attribute.
        """
        op = super().with_settings(model, {name: value for name, value in settings.items() if name not in _LOOKS})
        look: dict[str, Any] = {name: value for name, value in settings.items() if name in _LOOKS}
        op.look = Look(**look).over(op.usual_look)
        return op

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _LOOKS:
            raise AttributeError(f"{name} belongs to the look: op.look = mbu_ops.Look({name}={value!r}).over(op.look)")
        super().__setattr__(name, value)

    @property
    def detail(self) -> float:
        """Share of the image's own detail to keep."""
        return 1.0 if self.look.detail is None else self.look.detail

    @property
    def dilation(self) -> int:
        """How far the mask grows, in pixels of the model's frame."""
        return self._dilation(self.look, self.removes)

    def layer(self, seen: Tensor, *told: Tensor) -> Layer:
        """Return the layer for what the model sees, with the op's look; arguments as of :attr:`predict`."""
        return self.with_look(self.predict(seen, *told), self.look, self.removes)

    def with_look(self, layer: Layer, look: Look, removes: bool = False) -> Layer:
        """Return a predicted layer whose mask is used as a look says."""
        grown = layer.grown(self._dilation(look, removes))
        return grown.ramped(look.threshold or 0.0, look.softness or 0.0)

    def _dilation(self, look: Look, removes: bool) -> int:
        return look.dilation if look.dilation is not None else self.model.config.removal_dilation * removes

    def passes(self, *told: Tensor) -> tuple[Pass, ...]:
        """Return the predictions that make up the edit: mostly one; each sees the result of the one before.

        Args:
            told: what the op is told, as :attr:`predict` takes it.
        """
        return (lambda seen: self.layer(seen, *told),)

    def extra_repr(self) -> str:
        """Show the look in ``repr``."""
        return str(self.look)


class MaskOp(Op, ABC):
    """A verb that finds something. It predicts masks in the model's frame."""

    makes_mask: ClassVar[bool] = True

    @property
    def channels(self) -> int:
        """How many masks an image gets."""
        return 1

    @abstractmethod
    def predict(self, seen: Tensor) -> Tensor:
        """Return masks ``(B, C, R, R)`` in [0, 1] of what the model sees, ``(B, 3, R, R)`` RGB in [0, 1]."""

    def finish(self, mask: Tensor) -> Tensor:
        """Return masks as users get them, from soft ones at the image's size."""
        return mask

    def forward(self, image: Tensor) -> Tensor:
        """Return the mask.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.

        Returns:
            ``(B, C, H, W)`` in [0, 1], in the image's dtype.

        Raises:
            ShapeError: if the image has another shape, or is empty.
            DTypeError: if it holds no floating-point numbers.
            DeviceError: if it is not where the weights are.
        """
        soft = resize(self.predict(to_frame(self.model, image)), (image.shape[-2], image.shape[-1]))
        return self.finish(soft.to(image.dtype))

    def edit(self, image: Tensor) -> Edit:
        """Return the image as it is, with the mask; arguments and errors as in :meth:`forward`."""
        return Edit(image, self(image), image)


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

    @abstractmethod
    def passes(self) -> Sequence[Pass]:
        """Return the predictions that make up the edit, see :meth:`EditOp.passes`."""

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
        return edit_whole(self.model, image, self.passes(), self.detail, self.guide)


def edit_whole(
    model: Method, image: Tensor, passes: Sequence[Pass], detail: float, guide: Tensor | None = None
) -> Edit:
    """Return the edit that predictions make of whole images: each sees all of an image in its frame.

    Args:
        model: whose frame it is.
        image: ``(B, 3, H, W)`` RGB in [0, 1], any size.
        passes: one prediction after another.
        detail: share of the image's own detail to keep.
        guide: the guide picture, where its own pixels may be taken.

    Returns:
        All of it as one edit, at the image's size and dtype.

    Raises:
        ShapeError: if the image has another shape, or is empty.
        DTypeError: if it holds no floating-point numbers.
        DeviceError: if it is not where the weights are.
    """
    whole: Edit | None = None
    for predict in passes:
        seen = to_frame(model, image)
        layer = predict(seen)
        if image.shape[-2] > seen.shape[-2] or image.shape[-1] > seen.shape[-1]:
            layer = layer.keeping(seen, detail)
        edit = render(image, layer, guide=guide)
        whole, image = edit if whole is None else compose(whole, edit), edit.image
    assert whole is not None  # noqa: S101 - every edit has a prediction
    return whole
