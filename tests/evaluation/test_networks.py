"""The packaged networks: they see what they were trained to see, and a damaged file is named."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from mbu_ops.errors import MissingPackageError, WeightsError
from mbu_ops.evaluation.networks import face_descriptor, image_features
from mbu_ops.families import get_family, packaged


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    """The public-domain portrait, framed, and the same mirrored and darker."""
    (sample,) = get_family("faces").samples
    image = Image.open(sample.locate().open("rb")).convert("RGB").crop(sample.box).resize((150, 150))
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(150, 150, 3)
    return pixels.permute(2, 0, 1)[None].float() / 255


def test_one_person_is_near_herself_and_far_from_a_pattern(portrait: Tensor) -> None:
    network = face_descriptor.pretrained()
    same = network(portrait.roll(4, -1) * 0.8)
    other = network(torch.rand(1, 3, 150, 150, generator=torch.Generator().manual_seed(0)))
    assert (network(portrait) - same).norm() < 0.35
    assert (network(portrait) - other).norm() > 0.45


def test_features_are_non_negative_and_of_the_promised_length(portrait: Tensor) -> None:
    network = image_features.pretrained()
    described = network(portrait)
    assert described.shape == (1, network.num_features)
    assert described.min() >= 0
    assert described.std() > 0.1


@pytest.mark.parametrize("module", [face_descriptor, image_features])
def test_gradients_reach_the_image_and_not_the_network(module: ModuleType) -> None:
    network = module.pretrained()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    network(image).sum().backward()
    assert image.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("content", [None, b"", b"{}", "other tensors", "nan"])
def test_a_file_that_is_not_the_network_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | str | None
) -> None:
    monkeypatch.setattr(packaged, "package_files", lambda package: tmp_path)
    path = tmp_path / face_descriptor.WEIGHTS.file
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "other tensors":
        save_file({"a": torch.zeros(1)}, path)
    elif content == "nan":
        state = face_descriptor.FaceDescriptor().state_dict()
        save_file({name: torch.full_like(value, torch.nan) for name, value in state.items()}, path)
    with pytest.raises(WeightsError, match="reinstall mbu-ops-measuring"):
        face_descriptor.pretrained()


@pytest.mark.usefixtures("_no_measuring_package")
@pytest.mark.parametrize(
    ("module", "says"),
    [
        (face_descriptor, "telling whose face it is .* needs face_descriptor.safetensors"),
        (image_features, "telling what pictures look like .* needs image_features.safetensors"),
    ],
)
def test_a_package_that_is_missing_is_named_with_what_installs_it(module: ModuleType, says: str) -> None:
    with pytest.raises(MissingPackageError, match=f"{says} .* not installed: pip install mbu-ops-measuring$"):
        module.pretrained()
