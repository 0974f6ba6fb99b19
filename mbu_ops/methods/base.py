"""What the networks of every method share: what they say of themselves, and how a network doubles its resolution.

May import functional, info and config: no method, and none of what methods share among each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.layer import Layer
from mbu_ops.methods.config import NetworkConfig, config_from_dict, config_to_dict
from mbu_ops.methods.info import MethodInfo

if TYPE_CHECKING:
    from mbu_ops.families import Anatomy


class ContentView(nn.Module):
    """One of the contents that some networks edit: a method with the verbs of those that know one content.

    A subclass has an :attr:`info` with its own verbs, and their functions.

    Args:
        networks: the networks, shared and not copied.
        index: which content, counted from 0.
    """

    info: ClassVar[MethodInfo]
    """What is true of one content: the networks' own with ``contents`` 1 and fewer verbs."""
    contents: ClassVar[int] = 1

    def __init__(self, networks: Networks, index: int) -> None:
        super().__init__()
        self.networks: Any = networks
        self.index = index

    @property
    def config(self) -> NetworkConfig:
        """The networks' sizes."""
        config: NetworkConfig = self.networks.config
        return config

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: channels, height, width."""
        shape: tuple[int, int, int] = self.networks.code_shape
        return shape


class Networks(nn.Module, ABC):
    """A method's networks. Every public verb takes and returns pixels in [0, 1]; inside they are in [-1, 1].

    A verb that edits returns a :class:`mbu_ops.functional.layer.Layer`. ``docs/methods.md`` shows a whole method.

    Args:
        config: sizes; a name from :attr:`configs`, or an instance of their class.
    """

    info: ClassVar[MethodInfo]
    """What the method says of itself."""
    configs: ClassVar[Mapping[str, NetworkConfig]]
    """Named configurations, of one class."""
    view: ClassVar[type[ContentView] | None] = None
    """What edits one content, of networks that edit several."""
    inference: ClassVar[type[nn.Module] | None] = None
    """The fast form of the networks, built from them; each class names its own."""
    config: NetworkConfig
    frozen: bool = False
    """Whether neither optimisers nor training mode change anything, see :meth:`freeze`."""

    def __init__(self, config: NetworkConfig | str = "paper") -> None:
        super().__init__()
        self.config = self.named_config(config) if isinstance(config, str) else config

    def freeze(self) -> Self:
        """Fix the weights and stay in eval mode from now on, whatever a module that holds the networks is set to.

        Gradients still reach images, guides and codes.

        Returns:
            The networks themselves.

        Example:
            >>> from mbu_ops.testing import tiny_mbu
            >>> parent = nn.Sequential(tiny_mbu().freeze()).train()
            >>> any(module.training for module in parent[0].modules())
            False
        """
        self.frozen = True
        return self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the training mode; frozen networks stay in eval mode."""
        return super().train(mode and not self.frozen)

    @classmethod
    def named_config(cls, name: str) -> NetworkConfig:
        """Return the configuration of that name.

        Raises:
            ConfigurationError: if there is none.
        """
        if name not in cls.configs:
            raise ConfigurationError(
                f"expected a configuration of {cls.info.name} ({', '.join(cls.configs)}), got {name!r}"
            )
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
        count = cls.info.contents
        if len(contents) != count:
            raise ConfigurationError(
                f"{cls.info.name} learns {'one content' if count == 1 else f'{count} contents'} at once, got "
                f"{' and '.join(contents)}: "
                + ("name one --attribute" if count == 1 else "name them by --attributes, or give a --with folder each")
            )
        return config

    @classmethod
    def contents_in(cls, anatomy: Anatomy) -> tuple[str, ...]:
        """Return the names of what networks learn from labelled pictures, in their order."""
        raise ConfigurationError(
            f"{cls.info.name} does not learn from labelled pictures, got masks of {len(anatomy.parts)} parts"
        )

    @classmethod
    def config_to_dict(cls, config: NetworkConfig) -> dict[str, object]:
        """Return a configuration as JSON can hold it, see :func:`mbu_ops.methods.config.config_to_dict`."""
        return config_to_dict(config)

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
        return config_from_dict(type(next(iter(cls.configs.values()))), values)

    @property
    def contents(self) -> int:
        """How many contents the networks edit. With more than one, :meth:`for_content` gives what edits each."""
        count = self.info.contents
        assert count is not None  # noqa: S101 - a class whose configuration says it has its own
        return count

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

    def for_content(self, index: int) -> Any:
        """Return what edits one of several contents, a :class:`ContentView`.

        Args:
            index: which one, counted from 0.

        Raises:
            ConfigurationError: if the networks edit one only, or none of that number.
        """
        if self.view is None:
            raise ConfigurationError(
                f"{self.info.name} edits one content only: use it as it is, without number {index}"
            )
        if not 0 <= index < self.contents:
            raise ConfigurationError(f"expected a content from 0 to {self.contents - 1}, got {index}")
        return self.view(self, index)

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
        form: type[nn.Module] | None = vars(type(self)).get("inference")
        return self if form is None else form(self)

    @classmethod
    def continued(cls, trained: nn.Module, config: Any) -> Networks | None:
        """Return networks to train that begin with what trained ones know.

        Args:
            trained: of any method.
            config: the sizes wanted, one of this class's configurations.

        Returns:
            None if the trained ones are of another method, or have other sizes.
        """
        return trained if type(trained) is cls and trained.config == config else None

    # -- resolution ---------------------------------------------------------------------------------------------------

    def stems(self) -> tuple[str, ...]:
        """Name the convolutions that read pixels; needed by networks that refine."""
        return ()

    def painters(self) -> Mapping[str, int]:
        """Name the convolutions that write pixels, and say how many channels each draws; needed as :meth:`stems` is."""
        return {}

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
    return [model] if model.contents == 1 else [model.for_content(index) for index in range(model.contents)]


def draw_code(model: Any, image: Tensor, code: Tensor) -> Layer:
    """Return an image with a code's content: transferred, or exchanged by a method that can only exchange.

    Args:
        model: what edits one content: networks, a view of them, or their fast form.
        image: ``(B, 3, R, R)`` RGB in [0, 1].
        code: ``(B, *model.code_shape)``, of a guide or a mixture of guides.
    """
    layer: Layer = (model.transfer if "transfer" in model.info.verbs else model.swap)(image, code)
    return layer


def _doubled(block: Tensor) -> Tensor:
    """Repeat every position of the last two dimensions twice each way."""
    return block.repeat_interleave(2, -1).repeat_interleave(2, -2)


def to_signed(image: Tensor) -> Tensor:
    """Map [0, 1] to the networks' [-1, 1]."""
    return image * 2 - 1


def to_unit(pixels: Tensor) -> Tensor:
    """Map the networks' [-1, 1] to [0, 1]."""
    return (pixels + 1) / 2
