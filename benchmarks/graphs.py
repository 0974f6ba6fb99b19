"""Removals per second on a CUDA device at 128 px: float32, bfloat16, and bfloat16 as a CUDA graph. Run by hand.

A graph launches all kernels of a removal at once, which pays where a batch is so small that launching them takes
longer than computing them. Random weights: time does not depend on them.
"""

from __future__ import annotations

import sys

import torch
from timing import machine, medians
from torch import Tensor, nn

import mbu_ops


def graph_of(op: nn.Module, image: Tensor) -> torch.cuda.CUDAGraph:
    """Record an op on an image that stays where it is; what it returns is thrown away."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # what is set up at the first calls must not be recorded
            op(image)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        op(image)
    return graph


@torch.inference_mode()
def main() -> int:
    if not torch.cuda.is_available():
        print("graphs.py needs a CUDA device, and there is none", file=sys.stderr)
        return 1
    print(f"Removals at 128 px; {machine()}\n")
    print("| batch | config | float32, images/s | bfloat16 | bfloat16, a graph |")
    print("|--:|---|--:|--:|--:|")
    for config in ("paper", "lite"):
        for batch in (1, 32, 256):
            calls = {}
            for dtype in (torch.float32, torch.bfloat16):
                torch.manual_seed(0)
                op = mbu_ops.Remove(mbu_ops.methods.mbu.MBU(config).eval().for_inference()).to("cuda", dtype)
                image = torch.rand(batch, 3, 128, 128, device="cuda", dtype=dtype)
                calls[str(dtype)] = lambda op=op, image=image: op(image)
            calls["graph"] = graph_of(op, image).replay
            rates = [f"{1000 * batch / taken:,.0f}" for taken in medians(calls, 41).values()]
            print(f"| {batch} | `{config}` | {' | '.join(rates)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
