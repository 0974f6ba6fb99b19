"""Export an op: trace it, write it, and compare the file with the op before it gets its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ops._version import __version__
from mbu_ops.errors import ConfigurationError, ExportError
from mbu_ops.exporting.files import OPSET, Kind, kind_of
from mbu_ops.exporting.graph import Graph, Port, Size
from mbu_ops.files import atomic_path
from mbu_ops.ops.base import Op
from mbu_ops.ops.bound import Chain

TOLERANCE = 1 / 510
"""Half a step of 8-bit pixels: values that differ by less are the same picture."""

FLIPPED = 0.01
"""Share of values that may differ by more: a hard mask, or a part, is decided pixel by pixel, and one of them may be on
the other side."""

GUIDE_SIZE = (256, 256)
"""Height and width of guide pictures, unless others are asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """An op as a graph.

    Attributes:
        program: as torch traced it; ``program.module()`` runs it. What comes out is a tuple.
        inputs: what goes in.
        outputs: what comes out.
        description: what its file says of it: steps, weights and their terms, inputs and outputs.
        path: its file; None if none was written.
        difference: the largest one between what the file and the op made of the same pictures, in [0, 1].
        edited: the largest share of these pictures' pixels that the op edited, or of its mask that is not 0.
    """

    program: torch.export.ExportedProgram
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    description: dict[str, Any]
    path: Path | None = None
    difference: float = 0.0
    edited: float = 0.0


def export(
    op: nn.Module,
    path: str | os.PathLike[str] | None = None,
    *,
    size: Size | None = None,
    batch: int | None = None,
    guide_size: Size = GUIDE_SIZE,
    mask: bool = False,
    opset: int = OPSET,
    overwrite: bool = False,
) -> Exported:
    """Export an op, bound or not, or a chain: as a graph, and as a file for other programs.

    The graph takes images of any height and width, and any number of them, and does with each what the op does. Guides,
    codes and strengths that the op is bound to are part of it. The op works on whole pictures: faces have to be found,
    and cut, before.

    A file is written only if it does what the op does: both are run on the same pictures, smaller and larger than the
    networks see them.

    Args:
        op: in eval mode: ``Remove``, ``Segment``, a bound op, a chain, any module from images to images; or an op that
            also takes its guide, which then is an input of the graph.
        path: ``*.onnx``, or ``*.pt2``, which :func:`torch.export.load` reads; None writes no file.
        size: height and width of images; any if None.
        batch: images in a batch; any number if None.
        guide_size: height and width of the guide pictures of an op that is not bound to some.
        mask: whether the mask of the edit comes out too, after the image.
        opset: version of ONNX's operators, 20 or more.
        overwrite: whether a file that exists is replaced.

    Returns:
        The graph, what goes in and comes out, and how far the file differs from the op.

    Raises:
        ConfigurationError: if the op cannot be a graph, a size is none, the file's kind is unknown or needs a package
            that is not installed, or the file exists.
        ExportError: if torch or the file's kind cannot say what the op does, or the file does something else.
        OSError: if the file cannot be written.

    Example:
        >>> import mbu_ops
        >>> from mbu_ops.testing import tiny_mbu
        >>> exported = mbu_ops.export(mbu_ops.Segment(tiny_mbu()))
        >>> (mask,) = exported.program.module()(torch.rand(3, 3, 40, 56))
        >>> mask.shape
        torch.Size([3, 1, 40, 56])
        >>> [(port.name, port.shape) for port in exported.inputs]
        [('image', ('batch', 3, 'height', 'width'))]
    """
    _check_numbers(size=size, guide_size=guide_size, batch=None if batch is None else (batch,))
    file, kind = None if path is None else Path(path), None
    if file is not None:
        kind = kind_of(file.suffix, opset)
        if file.exists() and not overwrite:
            raise ConfigurationError(f"{str(file)!r} exists already: choose another name, or overwrite=True")
    graph = Graph(op, size, batch, guide_size, mask)
    program = graph.traced()
    exported = Exported(program, graph.inputs, graph.outputs, _description(op, graph))
    return exported if file is None or kind is None else _write(exported, graph, file, kind)


def _write(exported: Exported, graph: Graph, file: Path, kind: Kind) -> Exported:
    """Write a graph's file, if it does what the op does."""
    content = kind.written(exported.program, graph, exported.description)
    difference, edited = _compare(graph, kind, content)
    with atomic_path(file) as temporary:
        temporary.write_bytes(content)
    return replace(exported, path=file, difference=difference, edited=edited)


def _compare(graph: Graph, kind: Kind, content: bytes) -> tuple[float, float]:
    """Return how far what a file's bytes and the op make of the same pictures differs, and how much the op edits.

    Raises:
        ExportError: if they differ, or the file cannot be run.
    """
    largest = edited = 0.0
    run = kind.runner(content)
    for inputs in graph.trials():
        shapes = [tuple(tensor.shape) for tensor in inputs]
        try:
            results = run(inputs)
        except Exception as error:  # the runtime's own
            raise ExportError(f"the {kind.suffix} file does not run on inputs of {shapes}: {error}") from error
        with torch.no_grad():
            expected = graph(*inputs)
        before = inputs[0] if expected[0].shape == inputs[0].shape else torch.zeros(())
        edited = max(edited, float((expected[0] != before).any(1).float().mean()))
        for port, result, wanted in zip(graph.outputs, results, expected, strict=True):
            largest = max(largest, _compared(port, result, wanted, f"the {kind.suffix} file, given {shapes}"))
    return largest, edited


def _compared(port: Port, result: Tensor, wanted: Tensor, whose: str) -> float:
    if result.shape != wanted.shape:
        raise ExportError(f"{whose}: expected {port.name} of shape {tuple(wanted.shape)}, got {tuple(result.shape)}")
    apart = (result.double() - wanted.double()).abs()
    apart = torch.where(apart.isnan(), torch.inf, apart)
    share = float((apart > TOLERANCE).double().mean())
    if share > FLIPPED:
        raise ExportError(
            f"{whose}: expected what the op makes of it, got a {port.name} that differs by up to {apart.max():.3g} in "
            f"{share:.1%} of its values; no file was written"
        )
    return float(apart.max())


def _description(op: nn.Module, graph: Graph) -> dict[str, Any]:
    """Return what a file says of itself."""
    names = list(op.names) if isinstance(op, Chain) else [type(op).__name__]
    return {
        "library": f"mbu-ops {__version__}",
        "steps": names,
        "weights": list(_weights(op)),
        "inputs": [_shown(port) for port in graph.inputs],
        "outputs": [_shown(port) for port in graph.outputs],
    }


def _shown(port: Port) -> dict[str, Any]:
    shown = asdict(port) | {"shape": list(port.shape)}
    return {name: value for name, value in shown.items() if value not in (float("inf"), -float("inf"))}


def _weights(op: nn.Module) -> Iterator[dict[str, Any]]:
    """Yield what is known of the weights of each op in a module, once for each file."""
    seen: set[str] = set()
    for module in op.modules():
        if isinstance(module, Op) and module.origin is not None and module.origin.sha256 not in seen:
            origin = module.origin
            seen.add(origin.sha256)
            yield {
                "method": origin.info.method,
                "family": origin.info.family,
                "attributes": list(origin.info.attributes),
                "licence": origin.info.licence,
                "sha256": origin.sha256,
            }


def _check_numbers(**given: tuple[int, ...] | None) -> None:
    for name, numbers in given.items():
        if numbers is not None and not all(type(number) is int and number >= 1 for number in numbers):
            raise ConfigurationError(f"expected {name} of whole numbers from 1, got {numbers!r}")
