"""A removal by weights of several methods, in turns, each in its fastest form; run by hand.

python benchmarks/methods.py faces/smile faces/smile/didd-lite faces/smile/maae-lite
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from timing import DEVICE, machine, medians

from mbu_ops.ops import Remove
from mbu_ops.ops.method import fast_form
from mbu_ops.weights import load_pretrained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="+", metavar="NAME_OR_PATH")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=41)
    chosen = parser.parse_args()
    print(machine())
    with torch.inference_mode():
        calls = {}
        for name in chosen.weights:
            model = load_pretrained(name, device=DEVICE).model
            images = torch.rand(chosen.batch, 3, model.config.resolution, model.config.resolution, device=DEVICE)
            calls[name] = partial(Remove(fast_form(model)), images)
        for name, milliseconds in medians(calls, chosen.repeats).items():
            print(f"{name:<40} {milliseconds / chosen.batch:.2f} ms a picture")


if __name__ == "__main__":
    main()
