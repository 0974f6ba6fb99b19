"""Edits as augmentations: what is drawn, what replays, what stays as it is, and where they fit in."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kornia.augmentation as K
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import mbu_ops
from mbu_ops.augment import RandomEdit
from mbu_ops.errors import ChainSyntaxError, ConfigurationError, DTypeError, ShapeError, WeightsError
from mbu_ops.frames import Box
from mbu_ops.images import write
from mbu_ops.testing import tiny_maae, tiny_mbu
from mbu_ops.weights import WeightsInfo, save

CODES = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with weights that add hats by one of three guides, and weights that dial moods."""
    folder = tmp_path_factory.mktemp("weights")
    hats, moods = tiny_mbu(), tiny_maae()
    with torch.no_grad():
        codes = hats.encode_guide(torch.rand(CODES, 3, 16, 16))
    for name, model, guides in (("hat", hats, codes), ("mood", moods, None)):
        config = model.config_to_dict(model.config)
        info = WeightsInfo(model.info.name, config, model.config.resolution, attributes=(name,))
        save(folder / f"{name}.safetensors", model, info, guides, dtype=torch.float32)
    return folder


@pytest.fixture(scope="module")
def add(folder: Path) -> str:
    return f"add:{folder / 'hat.safetensors'}"


@pytest.fixture(scope="module")
def adjust(folder: Path) -> str:
    return f"adjust:{folder / 'mood.safetensors'}"


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 3, 20, 24)


class BrightPhotos:
    """An aligner that finds something in the middle of bright photos only."""

    def find(self, image: Tensor) -> Sequence[Box]:
        return (Box(4, 2, 20, 18),) if image.mean() > 0.3 else ()


# -- draws ------------------------------------------------------------------------------------------------------------


def test_a_picture_is_edited_by_the_guide_that_is_drawn_for_it(add: str, images: Tensor) -> None:
    augment = RandomEdit(add, p=0.5)
    edited = augment(images)
    guides, chosen = augment._params["guide0"], augment._params["batch_prob"] > 0.5
    assert 0 < chosen.sum() < len(images)
    for image, result, guide, is_chosen in zip(images.split(1), edited.split(1), guides, chosen, strict=True):
        expected = mbu_ops.chain(f"{add},guide={guide}")(image) if is_chosen else image
        assert torch.equal(result, expected)


def test_all_guides_are_drawn_and_more_or_less_as_often(add: str) -> None:
    drawn = RandomEdit(add).forward_parameters((3000, 3, 20, 24))["guide0"]
    counts = torch.bincount(drawn)
    assert len(counts) == CODES
    assert counts.min() > 850


def test_the_seed_decides(add: str, images: Tensor) -> None:
    augment = RandomEdit(add)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(augment(images))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_parameters_replay(add: str, images: Tensor) -> None:
    augment = RandomEdit(add)
    edited, params = augment(images), augment._params
    assert torch.equal(RandomEdit(add)(images, params=params), edited)


def test_a_batch_can_share_one_draw(add: str, adjust: str, images: Tensor) -> None:
    augment = RandomEdit([add, adjust], strength=(-1, 1), same_on_batch=True)
    for _ in range(5):
        augment(images)
        assert all(len(set(augment._params[name].tolist())) == 1 for name in ("batch_prob", "guide0", "strength1"))


@pytest.mark.parametrize(("p", "count"), [(0, 0), (1, 6)])
def test_never_and_always(add: str, images: Tensor, p: float, count: int) -> None:
    edited = RandomEdit(add, p=p)(images)
    assert sum(not torch.equal(one, other) for one, other in zip(edited, images, strict=True)) == count


def test_strengths_are_drawn_from_their_range(adjust: str, images: Tensor) -> None:
    augment = RandomEdit(adjust, p=1.0, strength=(0.2, 0.4))
    edited, strengths = augment(images), augment._params["strength0"]
    assert strengths.min() >= 0.2
    assert strengths.max() <= 0.4
    assert len(set(strengths.tolist())) == len(images)
    [dial] = mbu_ops.chain(adjust).steps
    torch.testing.assert_close(edited, dial.op(images, strengths))


def test_a_step_keeps_the_strength_and_the_guide_that_it_names(add: str, adjust: str, images: Tensor) -> None:
    steps = f"{add},guide=1 {adjust},strength=0.5"
    assert torch.equal(RandomEdit(steps, p=1.0)(images), mbu_ops.chain(steps)(images))


def test_guides_may_be_pictures_paths_and_numbers(add: str, images: Tensor, tmp_path: Path) -> None:
    picture = torch.rand(1, 3, 16, 16)
    write(tmp_path / "guide.png", (picture[0] * 255).round() / 255)
    augment = RandomEdit(add, p=1.0, guides=[picture, tmp_path / "guide.png", 2])
    hat = mbu_ops.Transfer.from_pretrained(add.removeprefix("add:"))
    bound = [hat.bind(picture), hat.bind((picture * 255).round() / 255), hat.bind(code=hat.guides[2:])]
    for guide, op in enumerate(bound):
        params = {"guide0": torch.full((6,), guide), "batch_prob": torch.ones(6)}
        torch.testing.assert_close(augment(images, params=params), op(images), atol=1e-5, rtol=0)


# -- photos -----------------------------------------------------------------------------------------------------------


def test_places_in_photos_are_edited_and_photos_without_any_stay(add: str, images: Tensor) -> None:
    images[::2] *= 0.1
    augment = RandomEdit(f"{add},guide=0", p=1.0, aligner=BrightPhotos())
    edited = augment(images)
    expected = mbu_ops.Framed(mbu_ops.chain(add), Box(4, 2, 20, 18))(images)
    assert torch.equal(edited[::2], images[::2])
    assert torch.equal(edited[1::2], expected[1::2])
    assert not torch.equal(edited[1::2], images[1::2])


@pytest.mark.parametrize("aligner", [None, BrightPhotos()])
def test_gradients_reach_the_images(add: str, images: Tensor, aligner: Any) -> None:
    images.requires_grad_()
    augment = RandomEdit(add, p=0.5, aligner=aligner).train()
    augment(images).square().sum().backward()
    assert images.grad is not None
    assert images.grad.flatten(1).any(1).all()
    left = augment._params["batch_prob"] < 0.5
    assert torch.equal(images.grad[left], 2 * images.detach()[left])


# -- company ----------------------------------------------------------------------------------------------------------


def test_masks_boxes_and_keypoints_stay(add: str, images: Tensor) -> None:
    augment = RandomEdit(add, p=1.0)
    pipeline = K.AugmentationSequential(augment, data_keys=["input", "mask", "bbox_xyxy", "keypoints"])
    mask, boxes = torch.rand(6, 1, 20, 24), torch.tensor([[[2.0, 3.0, 9.0, 11.0]]]).repeat(6, 1, 1)
    points = torch.rand(6, 4, 2) * 20
    edited, same_mask, same_boxes, same_points = pipeline(images, mask, boxes, points)
    assert not torch.equal(edited, images)
    assert torch.equal(same_mask, mask)
    assert torch.equal(same_boxes, boxes)
    assert torch.equal(same_points, points)
    again = pipeline(images, mask, boxes, points, params=pipeline._params)
    assert torch.equal(again[0], edited)


def test_a_container_moves_masks_with_what_else_it_does(add: str, images: Tensor) -> None:
    flip = K.AugmentationSequential(K.RandomHorizontalFlip(p=1.0), RandomEdit(add, p=0), data_keys=["input", "mask"])
    mask = torch.rand(6, 1, 20, 24)
    edited, flipped = flip(images, mask)
    assert torch.equal(edited, images.flip(-1))
    assert torch.equal(flipped, mask.flip(-1))


@pytest.mark.parametrize("keepdim", [True, False])
def test_one_sample(add: str, images: Tensor, keepdim: bool) -> None:
    augment = RandomEdit(f"{add},guide=0", p=1.0, keepdim=keepdim)
    expected = mbu_ops.chain(add)(images[:1])
    assert torch.equal(augment(images[0]), expected[0] if keepdim else expected)


def test_a_sample_with_a_target(add: str, images: Tensor) -> None:
    augment = RandomEdit(f"{add},guide=0", p=1.0)
    target = {"boxes": torch.rand(2, 4), "label": 3, "name": "a"}
    for edited, same in (augment((images[0], target)), augment(images[0], target)):
        assert torch.equal(edited, augment(images[0]))
        assert same["boxes"] is target["boxes"]
        assert same == target


class Samples(Dataset[tuple[Tensor, int]]):
    """A data set with a transform."""

    def __init__(self, transform: nn.Module) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return self.transform((torch.full((3, 20, 24), 0.2 * index), index))


def test_workers_of_a_data_loader_edit_as_the_process_itself(add: str) -> None:
    samples = Samples(RandomEdit(f"{add},guide=0", p=1.0))
    [(images, labels)] = DataLoader(samples, batch_size=4)
    loader = DataLoader(samples, batch_size=4, num_workers=1, multiprocessing_context="fork")
    [(others, other_labels)] = loader
    torch.testing.assert_close(images, others)
    assert torch.equal(labels, other_labels)


def test_it_can_be_pickled_copied_and_moved(add: str, adjust: str, images: Tensor) -> None:
    augment = RandomEdit([add, adjust], p=1.0, strength=(0, 1))
    edited, params = augment(images), augment._params
    for other in (pickle.loads(pickle.dumps(augment)), copy.deepcopy(augment)):
        assert torch.equal(other(images, params=params), edited)
    moved = augment.double()(images.double(), params=params)
    torch.testing.assert_close(moved, edited.double(), atol=1e-4, rtol=0)


def test_training_a_parent_changes_nothing(add: str, images: Tensor) -> None:
    augment = RandomEdit(add, p=1.0)
    edited, params = augment(images), augment._params
    parent = nn.Sequential(augment, nn.Conv2d(3, 1, 3))
    optimiser = torch.optim.AdamW(parent.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(2):
        parent.train()
        parent(images).mean().backward()
        optimiser.step()
    assert torch.equal(augment(images, params=params), edited)


def test_its_state_holds_each_network_once(add: str) -> None:
    weights = {name for name in RandomEdit(add).state_dict() if "model." in name}
    assert len(weights) == len(mbu_ops.chain(add).state_dict())


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"p": 1.5}, "from 0 to 1"),
        ({"p": "0.5"}, "from 0 to 1"),
        ({"strength": (0.5, -0.5)}, "least and the most"),
        ({"strength": 0.5}, "least and the most"),
        ({"strength": (0, 1)}, "names no strength"),
        ({"guides": "some"}, "'random'"),
        ({"guides": []}, "'random'"),
        ({"guides": torch.rand(2, 3, 16, 16)}, "'random'"),
        ({"guides": {"./gloves.safetensors": [0]}}, "no step that lacks one"),
        ({"which": "smallest"}, "largest"),
        ({"views": 9}, "views"),
    ],
)
def test_bad_choices(add: str, choices: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RandomEdit(add, **choices)


def test_bad_steps(add: str, folder: Path) -> None:
    with pytest.raises(ChainSyntaxError, match="verb:attribute"):
        RandomEdit("glasses")
    with pytest.raises(ConfigurationError, match="makes a mask"):
        RandomEdit(f"segment:{folder / 'hat.safetensors'}")
    with pytest.raises(ConfigurationError, match="for 0 attributes"):
        RandomEdit(f"remove:{folder / 'hat.safetensors'}", guides=[0])
    with pytest.raises(WeightsError, match="default guides 0 to 2, got guide 3"):
        RandomEdit(add, guides=[0, 3])
    with pytest.raises(WeightsError, match="got guide -1"):
        RandomEdit(add, guides=[-1])


@pytest.mark.parametrize(
    ("sample", "error", "says"),
    [
        (torch.zeros(3, 20, 24, dtype=torch.uint8), DTypeError, "/ 255"),
        (torch.rand(1, 20, 24), ShapeError, "RGB"),
        (torch.rand(20, 24), ShapeError, "RGB"),
        (("photo.jpg", 3), DTypeError, "got int, str"),
    ],
)
def test_bad_samples(add: str, sample: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        RandomEdit(add)(sample)
