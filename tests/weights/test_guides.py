"""Default guides that lie beside weights: pictures of their family."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mbu_ops.errors import PluginError
from mbu_ops.families import get_family
from mbu_ops.weights import WeightsInfo, default_guide, guide_count, pixels_of, read_guide, shipped_guides

GLASSES = WeightsInfo("native_guided", {}, 224, family="faces", attributes=("glasses",), frame="eyes_and_cheeks")


def test_weights_take_the_guides_of_their_attribute_and_frame() -> None:
    found = shipped_guides(GLASSES)
    assert len(found) == guide_count(GLASSES) >= 12
    assert {(guide.attribute, guide.frame) for guide in found} == {("glasses", "eyes_and_cheeks")}


@pytest.mark.parametrize(
    "change",
    [
        {"family": None},
        {"family": "no_such_family"},
        {"frame": "face"},
        {"attributes": ("smile",)},
        {"attributes": ("glasses", "smile")},
        {"guides": 3},
    ],
)
def test_others_have_none(change: dict[str, object]) -> None:
    info = replace(GLASSES, **change)
    assert shipped_guides(info) == ()
    assert guide_count(info) == info.guides


def test_every_guide_of_the_faces_is_a_thing_alone_at_four_times_what_networks_see() -> None:
    for guide in get_family("faces").guides:
        if guide.attribute == "glasses":
            picture = read_guide(guide)
            assert picture.is_cut_out
            assert (picture.height, picture.width) == (512, 896)
            pixels = pixels_of(picture, True)
            assert pixels.shape == (1, 4, 512, 896)
            assert 0.01 < float(pixels[:, 3].mean()) < 0.6
            assert pixels_of(picture, False).shape == (1, 3, 512, 896)


def test_a_guide_shows_the_frames_inside_its_own() -> None:
    eyes = replace(GLASSES, frame="eyes")
    assert shipped_guides(eyes) == shipped_guides(GLASSES)
    whole, part = default_guide(GLASSES, 0, True), default_guide(eyes, 0, True)
    assert torch.equal(whole, pixels_of(read_guide(shipped_guides(GLASSES)[0]), True))
    assert part.shape == (1, 4, 384, 896)
    # the same pixels, of which the lowest are left out
    torch.testing.assert_close(part[..., 3, :, :].sum((-1, -2)), whole[..., 3, :, :].sum((-1, -2)), rtol=0.01, atol=0)
    assert default_guide(eyes, 0, False).shape == (1, 3, 384, 896)
    assert shipped_guides(replace(GLASSES, frame="lower_face")) == ()
    assert shipped_guides(replace(GLASSES, frame="face")) == ()  # of which it shows a part


def test_guides_that_are_missing_are_named() -> None:
    guide = replace(shipped_guides(GLASSES)[0], file="guides/none.png")
    with pytest.raises(PluginError, match=r"glasses/square: expected a picture in mbu_ops_faces/guides/none\.png"):
        read_guide(guide)
