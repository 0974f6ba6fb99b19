"""Processor time of chains in torch, and of the same chains exported and run in onnxruntime; one thread each.

python benchmarks/engines.py [CHAIN ...] [--batch-size 1 8] [--repeats 15]

Processor time and not the wall's, so that what else the machine does counts less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import onnxruntime
import torch
from timing import machine, medians
from torch import Tensor

import mbu_ops

CHAINS = (
    "remove:glasses",
    "remove:smile",
    "remove:facial_hair",
    "add:glasses,guide=2",
    "add:glasses,method=mbu,guide=2",
    "remove:glasses,method=mbu",
)


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def compare(text: str, batch: int, repeats: int, folder: Path) -> None:
    chain, file = mbu_ops.chain(text), folder / "chain.onnx"
    mbu_ops.export(chain, file, overwrite=True)
    exported = session(file)
    image = torch.rand(batch, 3, 128, 128, generator=torch.Generator().manual_seed(0))

    def by_runtime() -> Tensor:
        return torch.from_numpy(exported.run(None, {"image": image.numpy()})[0])

    with torch.inference_mode():
        apart = float((chain(image) - by_runtime()).abs().max())
        times = medians({"torch": lambda: chain(image), "runtime": by_runtime}, repeats, time.process_time)
    ratio = times["torch"] / times["runtime"]
    print(
        f"| `{text}` | {batch} | {times['torch']:.1f} | {times['runtime']:.1f} | {ratio:.2f} | {apart:.0e} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chains", nargs="*", default=CHAINS)
    parser.add_argument("--batch-size", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"Images of 128 px; {machine()}; onnxruntime {onnxruntime.__version__}\n")
    print("| chain | images | torch, ms | onnxruntime, ms | ratio | largest difference |\n|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for text in arguments.chains:
            for batch in arguments.batch_size:
                compare(text, batch, arguments.repeats, Path(folder))


if __name__ == "__main__":
    main()
