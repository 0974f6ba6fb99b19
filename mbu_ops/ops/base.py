"""What all ops share: the network they ask, how weights are found, and how a prediction becomes an edit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, UnsupportedVerbError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.functional.check import check_code
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.mask import resize
from mbu_ops.functional.render import Edit, mask_bands
from mbu_ops.ops.look import USUAL, Look
from mbu_ops.ops.method import Method, Sight
from mbu_ops.ops.one_input import Decision, Pass
from mbu_ops.ops.publishing import Publishing

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from mbu_ops.methods.presence import Detector, Doing
    from mbu_ops.ops.options import OptionValue
    from mbu_ops.weights import Pretrained, WeightsInfo

_LOOKS = frozenset(field.name for field in fields(Look))


class Origin(NamedTuple):
    """Where the networks of an op come from.

    Attributes:
        info: what their file says of itself.
        sha256: its digest; empty for weights in memory.
    """

    info: WeightsInfo
    sha256: str


class Op(Publishing, nn.Module):
    """A verb done by a method. The networks run in the weights' dtype; results come back in the image's.

    Args:
        model: a method that serves the verb; its training mode is left alone (batch norm wants ``.eval()``, and
            ``.freeze()`` keeps it, see :meth:`mbu_ops.methods.base.Networks.freeze`).
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
    origin: Origin | None = None
    """Which weights file the networks come from, and what it says of itself; None for networks of no file."""

    def __init__(self, model: nn.Module, *, guides: Tensor | None = None) -> None:
        super().__init__()
        info = getattr(model, "info", None)
        if info is None:
            raise ConfigurationError(
                f"expected a method's network, such as mbu_ops.methods.mbu.MBU(), got {type(model).__name__}: for "
                f"trained weights by name or path, call {type(self).__name__}.from_pretrained(...)"
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
        trainable: bool = False,
    ) -> Self:
        """Return the op with trained weights, in eval mode.

        They are frozen: in a module that is trained, neither ``.train()`` nor an optimiser changes what the op draws.
        Gradients reach images and guides all the same.

        Args:
            name_or_path: ``"family/attribute"`` such as ``"faces/glasses"``, a path to a weights file or to the folder
                that training wrote, or ``"hf://user/repo"`` on the Hugging Face Hub, also with the name of a file and a
                revision, ``"hf://user/repo/hats.safetensors:v1"``. Of a family's weights, the first that can do this.
            content: of weights that edit several contents, which one; the attribute by default where one is named.
            device: where to put it; the CPU by default.
            dtype: of the weights; float32 by default.
            trainable: let gradients reach the weights, and ``.train()`` the statistics of batch norm.

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
            trainable=trainable,
        )
        return cls.of(pretrained)

    @classmethod
    def of(cls, pretrained: Pretrained) -> Self:
        """Return the op with trained weights that are loaded already, in eval mode: ops may share a network.

        Args:
            pretrained: the weights, as :func:`mbu_ops.weights.load_pretrained` returns them.

        Raises:
            ConfigurationError: if the networks edit several contents and none was chosen.
            UnsupportedVerbError: if the weights' method does not serve the verb.

        Example:
            >>> import mbu_ops
            >>> glasses = mbu_ops.weights.load_pretrained("faces/glasses")
            >>> remove, segment = mbu_ops.Remove.of(glasses), mbu_ops.Segment.of(glasses)
            >>> remove.model is segment.model
            True
        """
        op = cls(pretrained.model)
        op.default_guides = pretrained.guides
        op.pretrained = pretrained
        op.know(pretrained)
        return op.eval()

    def know(self, pretrained: Pretrained) -> None:
        """Take over what a weights file says beside its networks, such as which frame they were trained on."""
        self.frame = pretrained.frame
        self.origin = Origin(pretrained.info, pretrained.sha256)

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
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(iter(self.model.parameters())).device

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of what the model sees, in pixels: larger images are edited at this size."""
        return self.model.config.size

    def extra_repr(self) -> str:
        """Show in ``repr`` which method is asked, and what it sees."""
        height, width = self.frame_size
        return f"{self.model.info.name}, {self.frame.name} at {height}x{width}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"  # the network's own layers would be pages

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
        detector: says whether there is something to do; None where the weights hold none: then there always is.
        presence: how sure it must be for an image to be edited, 0 to 1: others stay as they are, bit for bit. 0 always
            edits; None means what the weights say.
        predict: what subclasses implement. From what the model sees, ``(B, 3, R, R)``, and what the op is told (a
            guide's code, or labels), to a :class:`mbu_ops.functional.layer.Layer`, whose mask is a probability.
    """

    usual_look: ClassVar[Look] = USUAL
    doing: ClassVar[Doing | None] = None
    """What there must be to do: to ``"remove"`` what is there, or to ``"add"`` what is not; None always edits."""
    removes: ClassVar[bool] = False
    """Whether something goes away: masks grow by what the weights say, unless the look says how far."""
    detector: Detector | None
    presence: float | None
    predict: Callable[..., Layer]

    def __init__(self, model: nn.Module, look: Look | None = None, *, guides: Tensor | None = None) -> None:
        super().__init__(model, guides=guides)
        if not isinstance(look, Look | None):
            raise ConfigurationError(
                f"expected look to be a Look, such as mbu_ops.ops.Look(threshold=0.2), got {look!r}: threshold, "
                "softness, dilation and detail are its fields"
            )
        self.look = (look or Look()).over(self.usual_look)
        self.detector = None
        self.presence = None

    def know(self, pretrained: Pretrained) -> None:
        """Take over what a weights file says beside its networks: the frame, and what can say that nothing is to do."""
        super().know(pretrained)
        self.detector = pretrained.presence

    @property
    def decision(self) -> Decision | None:
        """What says which images have something to do; None where all are edited."""
        detector, doing, least = self.detector, self.doing, self.presence
        if detector is None or doing is None or least == 0:
            return None
        return lambda seen, drawn=None: detector.sure(seen, doing, least, drawn)

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
            raise AttributeError(
                f"{name} belongs to the look: op.look = mbu_ops.ops.Look({name}={value!r}).over(op.look)"
            )
        if name == "presence" and not (value is None or (type(value) in (int, float) and 0 <= value <= 1)):
            raise ConfigurationError(f"expected presence to be a number from 0 to 1 or None, got {value!r}")
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
        """Show the look in ``repr``, too."""
        return f"{super().extra_repr()}, {self.look}"


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
        sight = Sight.of(self.model, image, self.frame)
        found = self.predict(sight.seen(image))
        if sight.area is None:
            return self.finish(resize(found, (image.shape[-2], image.shape[-1])).to(image.dtype))
        masks = image.new_zeros(image.shape[0], self.channels, *image.shape[-2:])
        for rows, columns, soft, inside in mask_bands(found, sight.area, image):
            masks[..., rows, columns] = self.finish(soft * inside)
        return masks

    def edit(self, image: Tensor) -> Edit:
        """Return the image as it is, with the mask; arguments and errors as in :meth:`forward`."""
        return Edit(image, self(image), image)
