"""Images in samples, as torchvision's v2 finds them; a small stand-in has its types, for it cannot always be there."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from mbu_ops.augment.samples import map_images
from mbu_ops.errors import DTypeError


class TVTensor(Tensor):
    """A tensor of which it is known what it shows; results of functions are plain tensors, as torchvision's are."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


class Image(TVTensor):
    """An image."""


class Mask(TVTensor):
    """A mask."""


@pytest.fixture
def _torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("torchvision.tv_tensors")
    module.TVTensor, module.Image, module.Mask = TVTensor, Image, Mask
    module.wrap = lambda wrappee, *, like: wrappee.as_subclass(type(like))
    monkeypatch.setitem(sys.modules, "torchvision.tv_tensors", module)


def invert(image: Tensor) -> Tensor:
    assert type(image) is Tensor
    return 1 - image


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 8, 8)


def test_the_first_tensor_is_the_image(image: Tensor) -> None:
    boxes = torch.rand(2, 4)
    for sample in ((image, boxes), [image, {"boxes": boxes}], {"image": image, "more": (boxes, None, "a")}):
        edited = map_images(sample, invert)
        assert type(edited) is type(sample)
        first, *_ = edited.values() if isinstance(edited, dict) else edited
        assert torch.equal(first, 1 - image)
    assert map_images((image, boxes), invert)[1] is boxes


def test_torchvision_is_not_imported(image: Tensor) -> None:
    map_images(image, invert)
    assert "torchvision" not in sys.modules


@pytest.mark.usefixtures("_torchvision")
def test_images_are_told_by_their_type(image: Tensor) -> None:
    labels, mask = torch.tensor([1, 2]), torch.ones(1, 8, 8).as_subclass(Mask)
    typed = image.as_subclass(Image)
    edited = map_images({"labels": labels, "left": typed, "mask": mask, "right": typed}, invert)
    assert edited["labels"] is labels
    assert edited["mask"] is mask
    for side in ("left", "right"):
        assert type(edited[side]) is Image
        assert torch.equal(edited[side].as_subclass(Tensor), 1 - image)


@pytest.mark.usefixtures("_torchvision")
def test_without_images_the_first_plain_tensor_is_one(image: Tensor) -> None:
    mask = torch.ones(1, 8, 8).as_subclass(Mask)
    same, edited = map_images((mask, image), invert)
    assert same is mask
    assert torch.equal(edited, 1 - image)


@pytest.mark.usefixtures("_torchvision")
def test_a_sample_of_masks_has_no_image() -> None:
    with pytest.raises(DTypeError, match="got Mask"):
        map_images((torch.ones(1, 8, 8).as_subclass(Mask),), invert)


def test_pictures_are_made_tensors_first() -> None:
    with pytest.raises(DTypeError, match="ToDtype"):
        map_images((PillowImage.new("RGB", (8, 8)), torch.rand(2, 4)), invert)
