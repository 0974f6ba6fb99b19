"""An op as one graph: what goes in and comes out, at which sizes, and what cannot be one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, ExportError, FamilyError
from mbu_ops.families import get_family
from mbu_ops.foreign import one_line
from mbu_ops.frames.framed import Framed
from mbu_ops.frames.parts import FramedParse, FramedReshape
from mbu_ops.functional.mask import resize
from mbu_ops.functional.warp import crop
from mbu_ops.images import read
from mbu_ops.ops.base import Op
from mbu_ops.ops.bound import makes_mask
from mbu_ops.ops.one_input import OneInput

Size = tuple[int, int]

USUAL_SIZE = (160, 144)
"""Height and width of images with which a graph is traced that holds for all; none that a network has for its own."""

_LIKELY = (2, 1)
"""Images in the batches that a graph is compared on, where it takes any number."""


@dataclass(frozen=True, slots=True)
class Port:
    """One of the tensors that go into a graph, or come out.

    Attributes:
        name: its name in the graph.
        shape: its sides; a name (``"batch"``, ``"height"``, ``"width"``) for one that may be any.
        least: smallest value; infinite where nothing bounds it.
        greatest: largest value; the same.
        dtype: of its numbers, ``"float32"`` or ``"int64"``.
    """

    name: str
    shape: tuple[int | str, ...]
    least: float = 0.0
    greatest: float = 1.0
    dtype: str = "float32"

    def drawn(self, sides: Mapping[str, int], generator: torch.Generator) -> Tensor:
        """Return a tensor that fits, of random values.

        Args:
            sides: numbers for its named sides.
            generator: of the values.
        """
        shape = [sides[side] if isinstance(side, str) else side for side in self.shape]
        least, greatest = (math.copysign(1, end) if math.isinf(end) else end for end in (self.least, self.greatest))
        if self.dtype == "int64":
            return torch.randint(int(least), int(greatest) + 1, shape, generator=generator)
        return least + (greatest - least) * torch.rand(shape, generator=generator)


class Graph(nn.Module):
    """An op as what is exported: tensors in, tensors out.

    Args:
        op: the op, bound or not, or a chain, in eval mode.
        size: height and width of images; any if None.
        batch: images in a batch; any number if None.
        guide_size: height and width of the guide pictures that an op takes which is not bound to some.
        mask: whether the mask comes out too.

    Attributes:
        inputs: what goes in.
        outputs: what comes out.

    Raises:
        ConfigurationError: if it cannot be a graph, and why.
    """

    def __init__(self, op: nn.Module, size: Size | None, batch: int | None, guide_size: Size, mask: bool) -> None:
        super().__init__()
        _check_exportable(op)
        self.op, self.mask = op, mask
        if mask and makes_mask(op):
            raise ConfigurationError("the op makes a mask and nothing else: leave out that it should come out too")
        if mask and not hasattr(op, "edit"):
            raise ConfigurationError(f"expected an op that makes edits, got {type(op).__name__}, which has no mask")
        count: int | str = "batch" if batch is None else batch
        sides: tuple[int | str, int | str] = ("height", "width") if size is None else size
        self.inputs = tuple(_inputs(op, count, sides, guide_size))
        self.outputs: tuple[Port, ...] = ()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the image, the mask, or both."""
        if not self.mask:
            return (self.op(*inputs),)
        edit = self.op.edit(*inputs)  # type: ignore[operator]
        return edit.image, edit.mask

    def traced(self) -> torch.export.ExportedProgram:
        """Return the graph, and say what comes out of it.

        Raises:
            ExportError: if torch cannot make one of it.
        """
        sides = dict(zip(("batch", "height", "width"), (_LIKELY[0], *USUAL_SIZE), strict=True))
        dims = {name: torch.export.Dim(name) for port in self.inputs for name in port.shape if isinstance(name, str)}
        examples = self.examples(sides)
        shapes = [
            {axis: dims[side] for axis, side in enumerate(port.shape) if isinstance(side, str)} for port in self.inputs
        ]
        try:
            with torch.no_grad():
                program = torch.export.export(self, examples, dynamic_shapes=(tuple(shapes),))
        except Exception as error:  # ops of others may fail in any layer
            raise ExportError(
                f"{type(self.op).__name__} cannot be exported: {one_line(error)}. Fixed sizes, or a fixed batch, may do"
            ) from error
        self.outputs = tuple(self._outputs(program))
        return program

    def _outputs(self, program: torch.export.ExportedProgram) -> Iterator[Port]:
        """Yield what comes out of a program: sides that are an input's symbol have its name."""
        signature, values = program.graph_signature, {node.name: node.meta.get("val") for node in program.graph.nodes}
        names = {
            str(symbol): side
            for port, node in zip(self.inputs, signature.user_inputs, strict=True)
            for symbol, side in zip(values[str(node)].shape, port.shape, strict=True)
            if isinstance(side, str)
        }
        # not "image" again: ONNX wants names of their own for what comes out
        results = ("mask",) if makes_mask(self.op) else ("edited", "mask")
        for name, node in zip(results, signature.user_outputs, strict=False):
            yield Port(
                name, tuple(names[str(side)] if str(side) in names else int(side) for side in values[str(node)].shape)
            )

    def examples(self, sides: Mapping[str, int], seed: int = 0) -> tuple[Tensor, ...]:
        """Return tensors that fit the inputs; arguments as of :meth:`Port.drawn`."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(port.drawn(sides, generator) for port in self.inputs)

    def trials(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield inputs to compare what was exported on: images smaller than networks see them, larger, and a pixel.

        Noise; and first in a batch, where weights belong to a family that brings a sample picture, what that shows: in
        noise there may be nothing to do.
        """
        sees = [step.frame_size for step in self.op.modules() if isinstance(step, Op)] or [USUAL_SIZE]
        side, sample = max(max(size) for size in sees), _sample(self.op)
        sizes: Sequence[Size] = ((side // 2 + 1, side // 2 + 4), (2 * side + 7, 2 * side), (1, 1))
        if not any("height" in port.shape for port in self.inputs):
            sizes = [USUAL_SIZE]  # nothing depends on it
        for index, (down, across) in enumerate(sizes):
            inputs = self.examples({"batch": _LIKELY[index % 2], "height": down, "width": across}, seed=index + 1)
            for port, tensor in zip(self.inputs, inputs, strict=True):
                if port.name == "image" and sample is not None:
                    tensor[:1] = resize(sample, (tensor.shape[-2], tensor.shape[-1]))
            yield inputs


def _sample(op: nn.Module) -> Tensor | None:
    """Return the first frame of a sample picture of the family that an op's weights belong to, ``(1, 3, h, w)``."""
    families = {
        module.origin.info.family for module in op.modules() if isinstance(module, Op) and module.origin is not None
    }
    for name in families - {None}:
        try:
            samples = get_family(str(name)).samples
        except FamilyError:  # weights work without the plugin that they were made for
            continue
        for sample in samples:
            picture = read(sample.locate().read_bytes()).to_tensor()[None]
            return picture if sample.box is None else crop(picture, sample.box)
    return None


def _check_exportable(op: nn.Module) -> None:
    """Check that an op is a function of tensors alone, and of any of them alike.

    Raises:
        ConfigurationError: if it is not.
    """
    for module in op.modules():
        if isinstance(module, Framed | FramedParse | FramedReshape):
            raise ConfigurationError(
                f"expected an op on whole images, got {type(module).__name__}, which looks for places in photos, as no "
                "graph can: export the op in it, and give the graph pictures cut to what its weights were trained on"
            )
        if isinstance(module, OneInput) and module.told_each:
            raise ConfigurationError(
                "expected one guide, code, strength or mask for all images, got one for each of a batch: bind one, or "
                "export the op unbound"
            )
        if isinstance(module, nn.modules.batchnorm._NormBase | nn.modules.dropout._DropoutNd) and module.training:
            raise ConfigurationError("expected an op in eval mode, that does with each image the same: call .eval()")


def _inputs(op: nn.Module, batch: int | str, sides: tuple[int | str, int | str], guide_size: Size) -> Iterator[Port]:
    """Yield what an op takes, by the names of its arguments."""
    known: dict[str, Callable[[], Port]] = {
        "image": lambda: Port("image", (batch, 3, *sides)),
        **{name: _guide(name, guide_size) for name in ("guide", "first", "second", "other")},
        "strength": lambda: Port("strength", (batch,), -1.0),
        "amount": lambda: Port("amount", (batch,)),
        "amounts": lambda: Port("amounts", (1 + _model(op).contents,)),
        "labels": lambda: Port("labels", (batch, 1, *sides), 0, _model(op).part_count - 1, "int64"),
        "code": lambda: Port("code", (1, *_model(op).code_shape), -math.inf, math.inf),
    }
    arguments = inspect.signature(op.forward).parameters.values()
    for argument in arguments:
        if argument.name in known:
            yield known[argument.name]()
        elif argument.default is argument.empty and argument.kind is argument.POSITIONAL_OR_KEYWORD:
            if len(arguments) > 1:
                raise ConfigurationError(
                    f"{type(op).__name__} takes {argument.name!r}, of which nobody knows the shape: bind it, or export "
                    "a module that takes an image"
                )
            yield known["image"]()  # any module from images to images


def _guide(name: str, size: Size) -> Callable[[], Port]:
    return lambda: Port(name, (1, 3, *size))


def _model(op: nn.Module) -> Any:
    return op.model
