"""Graphs as files, by suffix: how each kind is written and run."""

from __future__ import annotations

import io
import json
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor

from mbu_ops._version import __version__
from mbu_ops.errors import ConfigurationError, ExportError
from mbu_ops.exporting.graph import Graph
from mbu_ops.foreign import one_line

METADATA_KEY = "mbu_ops"
"""Under which a file keeps its description, as JSON."""

OPSET = 20
"""The version of ONNX's operators that is written unless another is asked for."""

Run = Callable[[Sequence[Tensor]], list[Tensor]]
"""From inputs, in the graph's order, to what comes out."""


class Kind(ABC):
    """A kind of file."""

    suffix: ClassVar[str]

    @abstractmethod
    def written(self, program: torch.export.ExportedProgram, graph: Graph, description: Mapping[str, object]) -> bytes:
        """Return a file's bytes.

        Args:
            program: the graph as torch traced it.
            graph: what it was traced from.
            description: what the file says of itself; anything that JSON holds.

        Raises:
            ExportError: if the kind has no way to say what the graph does.
        """

    @abstractmethod
    def runner(self, content: bytes) -> Run:
        """Return what runs a file of these bytes."""


class ProgramFile(Kind):
    """torch's own: ``torch.export.load(path).module()`` is a module again."""

    suffix: ClassVar[str] = ".pt2"

    def written(self, program: torch.export.ExportedProgram, graph: Graph, description: Mapping[str, object]) -> bytes:  # noqa: ARG002
        """Return a file's bytes; arguments as of :meth:`Kind.written`."""
        file = io.BytesIO()
        with warnings.catch_warnings():
            # a code is a row of several: what is saved is the row
            warnings.filterwarnings("ignore", "No complete tensor found", UserWarning)
            torch.export.save(program, file, extra_files={f"{METADATA_KEY}.json": json.dumps(description)})
        return file.getvalue()

    def runner(self, content: bytes) -> Run:
        """Return what runs a file of these bytes."""
        module = torch.export.load(io.BytesIO(content)).module()

        def run(inputs: Sequence[Tensor]) -> list[Tensor]:
            with torch.no_grad():
                return list(module(*inputs))

        return run


class OnnxFile(Kind):
    """ONNX, for onnxruntime and what else reads it.

    Args:
        opset: version of ONNX's operators.

    Raises:
        ConfigurationError: if a package that it needs is not installed.
    """

    suffix: ClassVar[str] = ".onnx"

    def __init__(self, opset: int = OPSET) -> None:
        self.opset = opset
        for name in ("onnx", "onnxscript", "onnxruntime"):
            _package(name)

    def written(self, program: torch.export.ExportedProgram, graph: Graph, description: Mapping[str, object]) -> bytes:
        """Return a file's bytes; arguments as of :meth:`Kind.written`."""
        # of torchvision, which nothing here uses
        logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # torch's, of itself
                exported: Any = torch.onnx.export(
                    program,
                    input_names=[port.name for port in graph.inputs],
                    output_names=[port.name for port in graph.outputs],
                    opset_version=self.opset,
                    dynamo=True,
                    optimize=False,  # whoever runs the file optimises it anyway, in a hundredth of the time
                    verbose=False,
                )
        except Exception as error:  # the converter's own, of many kinds
            raise ExportError(f"ONNX cannot say what the op does: {one_line(error)}; a .pt2 file can") from error
        model: Any = exported.model_proto
        model.producer_name, model.producer_version = "mbu-ops", __version__
        model.doc_string = " ".join(str(step) for step in _listed(description, "steps"))
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, json.dumps(description)
        for value, port in zip(model.graph.input, graph.inputs, strict=True):
            _name_sides(value, port.shape)
        for value, port in zip(model.graph.output, graph.outputs, strict=True):
            _name_sides(value, port.shape)
        content: bytes = model.SerializeToString()
        return content

    def runner(self, content: bytes) -> Run:
        """Return what runs a file of these bytes."""
        runtime: Any = _package("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors: it warns of every operator that it cannot work out in advance
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]

        def run(inputs: Sequence[Tensor]) -> list[Tensor]:
            given = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
            return [torch.from_numpy(result) for result in session.run(None, given)]

        return run


def kind_of(suffix: str, opset: int = OPSET) -> Kind:
    """Return the kind of file of a suffix.

    Raises:
        ConfigurationError: if there is none, or it needs a package that is not installed.

    Example:
        >>> kind_of(".pt2").suffix
        '.pt2'
    """
    if suffix == ProgramFile.suffix:
        return ProgramFile()
    if suffix == OnnxFile.suffix:
        return OnnxFile(opset)
    raise ConfigurationError(f"expected a file named *.onnx or *.pt2, got one named *{suffix}")


def _package(name: str) -> ModuleType:
    from importlib import import_module

    try:
        return import_module(name)  # of an extra: only whoever exports needs it
    except ImportError as error:
        raise ConfigurationError(f"ONNX files need {name}: pip install 'mbu-ops[export]' ({error})") from error


def _listed(description: Mapping[str, object], name: str) -> Sequence[object]:
    value = description.get(name, ())
    return value if isinstance(value, list | tuple) else ()


def _name_sides(value: Any, shape: Sequence[int | str]) -> None:
    for side, name in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        if isinstance(name, str):
            side.dim_param = name
