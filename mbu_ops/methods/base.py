"""What the networks of every method share: sizes by name and as JSON, and how a network doubles its resolution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.inference import InferenceNetworks

if TYPE_CHECKING:
    from mbu_ops.families import Anatomy


class Layer(NamedTuple):
    """Pixels and the soft mask that says where they go.

    Attributes:
        raw: ``(B, 3, H, W)`` RGB in [0, 1].
        mask: ``(B, 1, H, W)`` in [0, 1], 1 = content.
    """

    raw: Tensor
    mask: Tensor


class Networks(nn.Module, ABC):
    """A method's networks. Every public verb takes and returns pixels in [0, 1]; inside they are in [-1, 1].

    Args:
        config: sizes; a name from :attr:`configs`, or an instance of their class.
    """

    name: ClassVar[str]
    verbs: ClassVar[frozenset[str]]
    objective: ClassVar[str]
    """What trains them, as ``"module:Class"``."""
    configs: ClassVar[Mapping[str, Any]]
    """Named configurations: frozen dataclasses of one class, with ``resolution`` and ``patch``."""
    inference: ClassVar[type[InferenceNetworks] | None] = None
    """The fast form of the networks; each class names its own."""
    contents: ClassVar[int] = 1
    """How many contents one network edits. With more than one, :meth:`for_content` gives what edits each."""
    follows_guides: ClassVar[bool] = True
    """Whether different guides give different edits."""
    aids: ClassVar[frozenset[str]] = frozenset()
    """What training asks of a family, where it has it: fields of its specification, ``"identity"`` or ``"regions"``."""

    learns_from: ClassVar[str] = "domains"
    """What training needs: ``"domains"``, images with a content and images without it; or ``"parts"``, images whose
    pixels are labelled."""
    refines: ClassVar[bool] = True
    """Whether training may begin at half the resolution, see :meth:`refined`."""
    draws: ClassVar[bool] = True
    """Whether the networks draw pictures; some only read them."""

    def __init__(self, config: Any = "paper") -> None:
        super().__init__()
        self.config: Any = self.named_config(config) if isinstance(config, str) else config

    @classmethod
    def named_config(cls, name: str) -> Any:
        """Return the configuration of that name.

        Raises:
            ConfigurationError: if there is none.
        """
        if name not in cls.configs:
            raise ConfigurationError(f"expected a configuration of {cls.name} ({', '.join(cls.configs)}), got {name!r}")
        return cls.configs[name]

    @classmethod
    def config_for(cls, config: Any, contents: Sequence[str], anatomy: Anatomy | None = None) -> Any:  # noqa: ARG003
        """Return a configuration for what is to be learnt, by default the one given.

        Args:
            config: one of :attr:`configs`.
            contents: names of what the networks are to edit.
            anatomy: the parts that the pictures consist of, if they are labelled.

        Raises:
            ConfigurationError: if networks of this method edit another number of contents.
        """
        if len(contents) != cls.contents:
            raise ConfigurationError(
                f"{cls.name} learns {'one content' if cls.contents == 1 else f'{cls.contents} contents'} at once, got "
                f"{' and '.join(contents)}: "
                + (
                    "name one --attribute"
                    if cls.contents == 1
                    else "name them by --attributes, or give a --with folder each"
                )
            )
        return config

    @classmethod
    def contents_in(cls, anatomy: Anatomy) -> tuple[str, ...]:
        """Return the names of what networks learn from labelled pictures, in their order."""
        raise ConfigurationError(
            f"{cls.name} does not learn from labelled pictures, got masks of {len(anatomy.parts)} parts"
        )

    @classmethod
    def config_to_dict(cls, config: Any) -> dict[str, object]:
        """Return a configuration as JSON can hold it, for a weights file or a training state."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}

    @classmethod
    def config_from_dict(cls, values: Mapping[str, object]) -> Any:
        """Return the configuration that :meth:`config_to_dict` wrote; the values may come from a stranger's file.

        Raises:
            ConfigurationError: if a field is unknown, of the wrong type, or cannot work.

        Example:
            >>> from mbu_ops.methods.mbu import MBU
            >>> MBU.config_from_dict(MBU.config_to_dict(MBU.configs["lite"])) == MBU.configs["lite"]
            True
        """
        kind = type(next(iter(cls.configs.values())))
        defaults = {entry.name: entry.default for entry in fields(kind)}
        known: dict[str, Any] = {}
        for name, value in values.items():
            if name not in defaults:
                raise ConfigurationError(f"expected the settings {', '.join(defaults)}, got {name!r}")
            default = defaults[name]
            numbers = value if isinstance(value, list | tuple) else (value,)
            if isinstance(default, bool):
                expected, fits = "true or false", isinstance(value, bool)
            elif isinstance(default, tuple):
                expected = "a list of positive whole numbers"
                fits = isinstance(value, list | tuple) and all(type(n) is int and n > 0 for n in numbers)
            elif isinstance(default, float):
                expected, fits = "a positive number", type(value) in (int, float) and 0 < float(str(value)) < 1e6
            else:
                expected, fits = "a positive whole number", type(value) is int and value > 0
            if not fits:
                raise ConfigurationError(f"expected {expected} for {name}, got {value!r}")
            known[name] = tuple(numbers) if isinstance(default, tuple) else value
        return kind(**known)

    @property
    @abstractmethod
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: channels, height, width."""

    def guides_for(self, guides: Tensor, index: int) -> Tensor:
        """Return the default guides of one of several contents, from those that a weights file holds."""
        return guides[:, index]

    @property
    def guide_shape(self) -> tuple[int, ...]:
        """Shape of one default guide as a weights file holds it: a code, or one for each of several contents."""
        return self.code_shape if self.contents == 1 else (self.contents, *self.code_shape)

    def for_content(self, index: int) -> nn.Module:
        """Return what edits one of the contents, a method as :class:`mbu_ops.ops.base.Method` describes it.

        Args:
            index: which one, counted from 0.
        """
        raise ConfigurationError(f"{self.name} edits one content only: use it as it is, without number {index}")

    def for_inference(self) -> nn.Module:
        """Return a module that draws the same, but for rounding, in less time, and cannot be trained.

        Batch norm is folded into the convolutions as it is in evaluation; gradients reach images and codes. These
        networks stay as they are, and later changes to them do not show there.

        Returns:
            A method as :class:`mbu_ops.ops.base.Method` describes it; these networks themselves if their class has no
            fast form.

        Example:
            >>> import torch
            >>> from mbu_ops.testing import tiny_mbu
            >>> model, image = tiny_mbu(), torch.rand(2, 3, 16, 16)
            >>> torch.allclose(model.for_inference().segment(image), model.segment(image), atol=1e-5)
            True
        """
        # not inherited: a class that draws differently must not be replaced by one that draws as its parent did
        form: type[InferenceNetworks] | None = vars(type(self)).get("inference")
        return self if form is None else form(self)  # type: ignore[arg-type]

    # -- resolution ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def stems(self) -> tuple[str, ...]:
        """Name the convolutions that read pixels."""

    @abstractmethod
    def painters(self) -> Mapping[str, int]:
        """Name the convolutions that write pixels, and say how many channels each draws."""

    @torch.no_grad()
    def refined(self) -> Self:
        """Return the network for twice the resolution that draws the same pictures, each pixel doubled.

        The first layer reads the mean of each 2x2 block, the last writes each value four times; training then lets
        the four differ. So most of a training run can pass at a quarter of the pixels (progressive growing, Karras
        et al., ICLR 2018, by weight surgery instead of new layers).
        """
        patch = self.config.patch
        state = self.state_dict()
        for name in self.stems():
            key = f"{name}.weight"
            kernels = (state[key] / 4).movedim(1, -1).unflatten(-1, (3, patch, patch))
            state[key] = _doubled(kernels).flatten(-3).movedim(-1, 1)
        for name, channels in self.painters().items():
            axis = 1 if isinstance(self.get_submodule(name), nn.ConvTranspose2d) else 0
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
            kernels = weight.movedim(axis, -1).unflatten(-1, (channels, patch, patch))
            state[f"{name}.weight"] = _doubled(kernels).flatten(-3).movedim(-1, axis)
            state[f"{name}.bias"] = _doubled(bias.unflatten(0, (channels, patch, patch))).flatten()
        model = type(self)(replace(self.config, resolution=self.config.resolution * 2, patch=patch * 2))
        model.load_state_dict(state)
        return model.train(self.training)


def each_content(model: Any) -> list[Any]:
    """Return what edits each content of a network, in its order; the network itself if it knows one content."""
    count = getattr(model, "contents", 1)
    return [model] if count == 1 else [model.for_content(index) for index in range(count)]


def _doubled(block: Tensor) -> Tensor:
    """Repeat every position of the last two dimensions twice each way."""
    return block.repeat_interleave(2, -1).repeat_interleave(2, -2)


def to_signed(image: Tensor) -> Tensor:
    """Map [0, 1] to the networks' [-1, 1]."""
    return image * 2 - 1


def to_unit(pixels: Tensor) -> Tensor:
    """Map the networks' [-1, 1] to [0, 1]."""
    return (pixels + 1) / 2
