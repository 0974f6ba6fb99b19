"""The family of handbags: what their silhouettes tell."""

from __future__ import annotations

import hashlib
from importlib import resources

import numpy as np
import pytest
import torch
from PIL import Image

from mbu_ops import weights
from mbu_ops.families import get_family
from mbu_ops_handbags.silhouette import handle_masks

BAGS = get_family("handbags")


def bag(side: int = 128, handle: bool = True, colour: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """A box with a bow-shaped handle on white, and the handle's mask."""
    image, mask = torch.ones(1, 3, side, side), torch.zeros(1, 1, side, side)
    unit = side // 32
    image[..., 15 * unit : 30 * unit, 5 * unit : 27 * unit] = colour
    if handle:
        for rows, columns in (((5, 15), (10, 12)), ((5, 15), (20, 22)), ((5, 7), (10, 22))):
            place = (..., slice(rows[0] * unit, rows[1] * unit), slice(columns[0] * unit, columns[1] * unit))
            image[place], mask[place] = colour, 1
    return image, mask


@pytest.mark.parametrize("side", [128, 256])
def test_the_handle_is_found_to_a_pixel_or_two(side: int) -> None:
    image, mask = bag(side)
    found = handle_masks("handle", image)
    both, either = (found * mask).sum(), torch.maximum(found, mask).sum()
    assert both / either > 0.8


@pytest.mark.parametrize("image", [bag(handle=False)[0], torch.ones(1, 3, 128, 128), bag(colour=0.97)[0]])
def test_what_cannot_be_told_is_empty(image: torch.Tensor) -> None:
    assert not handle_masks("handle", image).any()


def test_each_bag_of_a_batch_is_told_by_itself() -> None:
    images = torch.cat([bag(handle=False)[0], bag()[0]])
    assert handle_masks("handle", images).flatten(1).any(1).tolist() == [False, True]


def test_of_other_attributes_nothing_is_known() -> None:
    assert handle_masks("zip", bag()[0]) is None


def test_a_shadow_is_no_handle() -> None:
    image, _ = bag(handle=False)
    image[..., 120:124, 10:118] = 0.85  # under the bag, thin, and no hole
    assert not handle_masks("handle", image).any()


def test_what_shows_between_two_straps_is_no_handle() -> None:
    image, mask = bag()
    image[..., 22:60, 44:46] = 1  # a slit in a strap
    found = handle_masks("handle", image)
    assert not found[..., 22:60, 44:46].any()
    assert found[..., 30:50, 40:43].all()
    assert (found * mask).sum() / mask.sum() > 0.7


def test_placements_of_the_two_sets_meet() -> None:
    """Clutches are made taller and lower, bags with a handle flatter: their bodies then have the same sizes."""
    (handle,) = BAGS.attributes
    with_, without = handle.with_layout, handle.without_layout
    assert without.height[1] > 1 > with_.height[0]
    assert without.down[1] > 0 > with_.down[0]
    for placement in (with_, without):  # natural pictures are among what is seen
        assert placement.width[0] <= 1 <= placement.width[1]
        assert placement.height[0] <= 1 <= placement.height[1]
        assert placement.down[0] <= 0 <= placement.down[1]


def test_every_promised_file_is_there_and_sound() -> None:
    assert BAGS.weights
    for spec in BAGS.weights:
        content = spec.locate().read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (spec.size, spec.sha256)
        assert weights.verify(f"handbags/{spec.attributes[0]}/{spec.id}").family == "handbags"
        card = resources.files(spec.package).joinpath(spec.file.replace(".safetensors", ".md"))
        assert spec.licence.lower() in card.read_text(encoding="utf-8").lower()


def test_drawn_handles_stand_where_bags_begin() -> None:
    colours = []
    for guide in BAGS.guides:
        pixels = torch.from_numpy(np.array(Image.open(guide.locate()))).permute(2, 0, 1).float() / 255
        assert pixels.shape == (4, 512, 512), "with alpha"
        rows = (pixels[3].amax(1) > 0.5).nonzero().flatten() / 512
        assert 0.05 < rows.min() < 0.25
        assert 0.4 < rows.max() < 0.46
        solid = pixels[3] > 0.9
        assert 0.005 < solid.float().mean() < 0.06
        colours.append(pixels[:3, solid].mean(1))
    assert len(colours) == 5
    assert torch.pdist(torch.stack(colours)).min() > 0.05
