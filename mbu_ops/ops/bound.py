"""Ops with one input: a guided op that remembers its guide, and several ops in a row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.frames import FrameSpec
from mbu_ops.functional.check import check_code
from mbu_ops.functional.turn import FARTHEST, turned
from mbu_ops.ops.base import EditOp, MaskOp
from mbu_ops.ops.edit import Edit, compose, edit_with
from mbu_ops.ops.method import Method
from mbu_ops.ops.one_input import Decision, OneInput, Pass

if TYPE_CHECKING:
    from mbu_ops.ops.guided import GuidedOp

_LEAST_TURN = 4.0
"""Degrees below which a guide is not turned: as far as landmarks are wrong about faces that look at the camera."""


class BoundBase(OneInput):
    """An op that was told all but the image.

    Args:
        op: the op.
    """

    def __init__(self, op: EditOp) -> None:
        super().__init__()
        self.op = op

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.op!r})"

    @property
    def model(self) -> Method:  # type: ignore[override]
        """The method that the op asks."""
        return self.op.model

    @property
    def frame(self) -> FrameSpec:
        """Which frame of a place in a photo is edited."""
        return self.op.frame

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of what the op's model sees, in pixels."""
        return self.op.frame_size

    @property
    def decision(self) -> Decision | None:
        """What says which images have something to do; None where all are edited."""
        return self.op.decision

    @property
    def detail(self) -> float:
        """Share of the image's own detail that the op keeps."""
        return self.op.detail

    @property
    def mirrors(self) -> bool:
        """Whether a mirrored image gives the mirrored result."""
        return self.op.mirrors


class Bound(BoundBase):
    """A guided op with its guide: one image in, one image out.

    Guide and code are buffers that move with the module but stay out of its ``state_dict``.

    Args:
        op: the op.
        inputs: what ``op.encode`` takes; encoded at each call, so that gradients reach them and the weights.
        code: a code instead, which saves that work.
        guide: ``(1, 3, h, w)`` the picture that a code was made from, for weights that take its own pixels.

    Raises:
        ConfigurationError: unless exactly one of inputs and code is given.

    Example:
        >>> import torch
        >>> from mbu_ops.ops.transfer import Transfer
        >>> from mbu_ops.testing import tiny_mbu
        >>> add = Transfer(tiny_mbu())
        >>> bound = Bound(add, code=add.encode(torch.rand(1, 3, 30, 30)).detach())
        >>> torch.nn.Sequential(bound, torch.nn.Upsample(scale_factor=2))(torch.rand(2, 3, 24, 20)).shape
        torch.Size([2, 3, 48, 40])
    """

    op: GuidedOp
    given_code: Tensor | None
    picture: Tensor | None
    yaw: float = 0.0
    """How far what the picture shows looks away, see :attr:`mbu_ops.frames.Frame.yaw`."""

    def __init__(
        self,
        op: GuidedOp,
        inputs: Sequence[Tensor] = (),
        *,
        code: Tensor | None = None,
        guide: Tensor | None = None,
    ) -> None:
        super().__init__(op)
        if bool(inputs) == (code is not None):
            raise ConfigurationError(f"expected inputs or a code, got {'both' if inputs else 'neither'}")
        if code is not None:
            check_code(code, op.model.code_shape)
        self.input_count = len(inputs)
        # before the others, which may be None: torch.export counts only buffers that are there, in their order
        for index, tensor in enumerate(inputs):
            self.register_buffer(f"input{index}", tensor, persistent=False)
        # not as "code", a name that torch.fx has for its own: what is exported could not be called
        self.register_buffer("given_code", code, persistent=False)
        self.register_buffer("picture", guide, persistent=False)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What ``op.encode`` takes; empty where there is a code."""
        return tuple(getattr(self, f"input{index}") for index in range(self.input_count))

    @property
    def code(self) -> Tensor | None:
        """The code that stands in for the inputs; None where there are such."""
        return self.given_code

    @property
    def guide(self) -> Tensor | None:
        """The guide picture, where its own pixels may be taken."""
        if self.code is None:
            return self.op.picture(*self.inputs)
        return self.op.pictured(self.code) if self.picture is None else self.picture

    @property
    def told_each(self) -> bool:
        """Whether there is a guide, code or number for each image of a batch."""
        told = self.inputs if self.code is None else (self.code,)
        return any(tensor.ndim > 0 and tensor.shape[0] > 1 for tensor in told)

    def show(self, picture: Tensor, yaw: float = 0.0) -> None:
        """Take over the picture that the code was made from, ``(1, 3 or 4, h, w)``, and where what it shows looks."""
        self.picture, self.yaw = picture, yaw

    def looking(self, yaw: float) -> Bound:
        """Return the op bound to its guide picture, turned to where a face looks; itself if there is little to turn.

        Args:
            yaw: where to, in degrees, positive to the picture's right.

        Example:
            >>> import mbu_ops
            >>> [add] = mbu_ops.chain("add:glasses,guide=2").steps
            >>> add.looking(0.0) is add, add.looking(30.0).picture.shape == add.picture.shape
            (True, True)
        """
        by = max(-FARTHEST, min(FARTHEST, yaw - self.yaw))
        if not (self.model.info.takes_pixels and self.frame.curvature and abs(by) >= _LEAST_TURN):
            return self
        # codes alone, and mixtures of two guides, have no picture of their own
        picture = self.op.picture(*self.inputs) if self.input_count == 1 else self.picture
        return self if picture is None else self.op.with_picture(turned(picture, by, self.frame.curvature))

    def passes(self) -> Sequence[Pass]:
        """Return the predictions that make up the edit."""
        return self.op.passes(self.op.encode(*self.inputs) if self.code is None else self.code)


def makes_mask(module: nn.Module) -> bool:
    """Return whether a one-input module's result is a mask and not an image."""
    return isinstance(module, MaskOp) or (isinstance(module, Chain) and module.makes_mask)


class Chain(nn.Module):
    """Several one-input steps in a row, each with a name.

    Args:
        steps: names and modules, first to last: bound ops, ``Remove``, framed ops, or any module from images to images.
            A ``Segment`` may come last; the chain then returns its mask.

    Raises:
        ConfigurationError: if there is no step, or a step that makes a mask has one after it.

    Example:
        >>> import torch
        >>> from mbu_ops.ops.remove import Remove
        >>> from mbu_ops.ops.segment import Segment
        >>> from mbu_ops.testing import tiny_mbu
        >>> chain = Chain([("remove:hats", Remove(tiny_mbu(0))), ("segment:hats", Segment(tiny_mbu(0)))])
        >>> image = torch.rand(2, 3, 24, 20)
        >>> chain(image).shape, [tuple(edit.image.shape) for edit in chain.edits(image)]
        (torch.Size([2, 1, 24, 20]), [(2, 3, 24, 20), (2, 3, 24, 20)])
    """

    def __init__(self, steps: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__()
        if not steps:
            raise ConfigurationError("expected at least one step, got none")
        for (name, module), (following, _) in pairwise(steps):
            if makes_mask(module):
                raise ConfigurationError(
                    f"expected {name} as the last step, because it makes a mask and not an image, but {following} "
                    "comes after it: move it to the end"
                )
        self.names = tuple(name for name, _ in steps)
        self.steps = nn.ModuleList(module for _, module in steps)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' '.join(self.names)})"

    @property
    def makes_mask(self) -> bool:
        """Whether the result is a mask."""
        return makes_mask(self.steps[-1])

    def forward(self, image: Tensor) -> Tensor:
        """Return the image after all steps.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.

        Returns:
            Same shape and dtype; ``(B, 1, H, W)`` if the last step makes a mask.
        """
        for step in self.steps:
            image = step(image)
        return image

    def edits(self, image: Tensor) -> list[Edit]:
        """Return what each step made of the one before it.

        Args:
            image: as in :meth:`forward`.
        """
        edits: list[Edit] = []
        for step in self.steps:
            edits.append(edit_with(step, edits[-1].image if edits else image))
        return edits

    def edit(self, image: Tensor) -> Edit:
        """Return all steps as one edit; that of the last step if it makes a mask.

        Args:
            image: as in :meth:`forward`.
        """
        whole, *rest = self.edits(image)
        for edit in rest:
            whole = compose(whole, edit)
        return edit if self.makes_mask and rest else whole
