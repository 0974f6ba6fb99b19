"""What the tests export, one graph a case; ``tools/generate_export_docs.py`` makes the table in the docs of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import mbu_ops
from mbu_ops.families.frames import FrameSpec
from mbu_ops.methods.press import Press
from mbu_ops.ops.base import EditOp, Op
from mbu_ops.ops.bound import Chain
from mbu_ops.testing import (
    tiny_didd,
    tiny_maae,
    tiny_mbu,
    tiny_native,
    tiny_native_dial,
    tiny_native_guided,
    tiny_parsing,
    tiny_portrait,
    tiny_presence,
)
from mbu_ops.testing.tiny import TINY_CONFIG

EYES = FrameSpec("eyes", within="face", x=0.45, y=0.4, width=0.6, height=0.5)
GUIDE_SIZE = (40, 33)
BOUND = "image"


@dataclass(frozen=True)
class Case:
    """One graph.

    Attributes:
        method: whose networks.
        verbs: what it does with an image, one after another.
        inputs: what goes in.
        build: makes it.
        quick: whether every run of the tests exports it; the others are slow.
    """

    method: str
    verbs: tuple[str, ...]
    build: Callable[[], nn.Module]
    inputs: str = BOUND
    quick: bool = False

    def __str__(self) -> str:
        return f"{self.method}-{'-'.join(self.verbs)}-{self.inputs.replace(', ', '+')}"


def guides(count: int = 1) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(count)
    return tuple(torch.rand(1, 3, 60 + index, 50, generator=generator) for index in range(count))


BINDING: dict[str, Callable[[Any], nn.Module]] = {
    "remove": lambda model: mbu_ops.Remove(model),
    "add": lambda model: coded(mbu_ops.Transfer(model)),
    "swap": lambda model: mbu_ops.Swap(model).bind(*guides()),
    "interpolate": lambda model: mbu_ops.Interpolate(model).bind(*guides(2)),
    "adjust": lambda model: mbu_ops.Adjust(model).bind(0.7),
    "translate": lambda model: mbu_ops.Translate(model).bind(*guides()),
    "segment": lambda model: mbu_ops.Segment(model),
}


def coded(op: Any) -> nn.Module:
    """Bind an op to a code, and a guide's own pixels where it takes them."""
    with torch.no_grad():
        bound: nn.Module = op.with_picture(*guides())
    return bound


def row(model: Callable[[], Any], *verbs: str, frame: FrameSpec | None = None, tells: bool = False) -> nn.Module:
    """Return a chain of verbs that one network does."""
    network = model().eval()
    steps = [(verb, BINDING[verb](network)) for verb in verbs]
    for _, step in steps:
        for op in step.modules():
            if isinstance(op, Op) and frame is not None:
                op.frame = frame
            if isinstance(op, EditOp) and tells:
                op.detector = tiny_presence(0.4, 0.4)
    return Chain(steps).eval()


def press() -> Press:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Press(TINY_CONFIG)


def case(model: Callable[[], Any], *verbs: str, method: str, quick: bool = False, **settings: Any) -> Case:
    return Case(method, verbs, lambda: row(model, *verbs, **settings), quick=quick)


CASES = (
    case(tiny_mbu, "remove", method="mbu", tells=True),
    case(tiny_mbu, "add", "swap", "interpolate", "segment", method="mbu"),
    case(press, "remove", "add", "swap", "interpolate", "segment", method="press"),
    case(
        lambda: tiny_didd().for_content(0),
        *("remove", "add", "swap", "interpolate", "translate", "segment"),
        method="didd",
    ),
    case(tiny_maae, "adjust", "add", "remove", "interpolate", "segment", method="maae"),
    case(tiny_native, "remove", method="native", frame=EYES, quick=True),
    case(tiny_native, "segment", method="native", frame=EYES),
    case(tiny_native_dial, "adjust", "add", "remove", "interpolate", "segment", method="native_dial", frame=EYES),
    case(
        tiny_native_guided,
        *("remove", "add", "swap", "interpolate", "segment"),
        method="native_guided",
        frame=EYES,
    ),
    case(lambda: tiny_portrait().for_content(1), "swap", "interpolate", "segment", method="portrait"),
    Case("parsing", ("parse",), lambda: mbu_ops.Parse(tiny_parsing()).eval()),
    Case("mbu", ("add",), lambda: mbu_ops.Transfer(tiny_mbu()).eval(), "image, guide"),
    Case("native_guided", ("add",), lambda: mbu_ops.Transfer(tiny_native_guided()).eval(), "image, guide"),
    Case("mbu", ("interpolate",), lambda: mbu_ops.Interpolate(tiny_mbu()).eval(), "image, first, second, amount"),
    Case("maae", ("adjust",), lambda: mbu_ops.Adjust(tiny_maae()).eval(), "image, strength"),
    Case("didd", ("mix",), lambda: mbu_ops.Mix(tiny_didd()).eval(), "image, other, amounts"),
    Case("portrait", ("edit",), lambda: mbu_ops.Reshape(tiny_portrait()).eval(), "image, labels"),
)

SUFFIXES = (".onnx", ".pt2")
