"""Yardsticks of what the eye sees, on edits that are known to be good, bad, or none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.data.domains import Domains
from mbu_ops.data.traits import Traits, matched
from mbu_ops.evaluation.distances import described, retrieved_guides
from mbu_ops.evaluation.edits import EditMasks, Edits
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import Figure, area_under_curve, mean, median
from mbu_ops.evaluation.networks import image_features
from mbu_ops.evaluation.networks.image_features import ImageFeatures
from mbu_ops.evaluation.sharpness import relative_sharpness, sharpness_figures
from mbu_ops.evaluation.spot import FEWEST, spot_the_edit, texture, told_apart
from mbu_ops.evaluation.untouched import changed, untouched_figures
from mbu_ops.evaluation.window import Window
from mbu_ops.ops.edit import Edit

COUNT, SIDE = 2 * FEWEST, 32


def soft(images: Tensor) -> Tensor:
    """Blurred pictures."""
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)


@pytest.fixture(scope="module")
def features() -> ImageFeatures:
    return image_features.pretrained()


@pytest.fixture
def examples() -> Examples:
    generator = torch.Generator().manual_seed(0)
    with_, without = torch.rand(2, COUNT, 3, SIDE, SIDE, generator=generator)
    return Examples(with_, without)


@pytest.fixture
def edit_masks() -> EditMasks:
    region = torch.zeros(COUNT, 1, SIDE, SIDE, dtype=torch.bool)
    region[..., 8:24, 4:28] = True
    return EditMasks(region, region)


def edits_of(examples: Examples, edit_masks: EditMasks, change: Callable[[Tensor], Tensor]) -> Edits:
    """Edits that change their region in some way, and leave alone what is as wanted."""
    with_, without = examples.with_, examples.without
    removed, added = (
        Edit(torch.where(region, change(images), images), region.float(), images)
        for images, region in ((with_, edit_masks.remove), (without, edit_masks.add))
    )
    few, where = with_[:2], edit_masks.add[:2].float()
    return Edits(
        added,
        removed,
        swapped=None,
        defaults=[],
        guides=few,
        guided=few[:, None],
        guide_masks=where,
        guided_masks=where[:, None],
        segmented=removed.mask,
        idle_added=with_,
        idle_removed=without,
    )


def by_name(figures: Iterable[Figure]) -> dict[str, float]:
    return {figure.name: figure for figure in figures}


def test_what_looks_like_photos_cannot_be_told_from_them(
    examples: Examples, edit_masks: EditMasks, features: ImageFeatures
) -> None:
    found = by_name(
        spot_the_edit(examples, edits_of(examples, edit_masks, lambda x: x), Window.of(edit_masks), features)
    )
    assert set(found) == {"spot_remove", "spot_add", "spot_real"}
    for figure in found.values():
        assert 0.25 < figure.value < 0.75
        assert figure.low < figure.value < figure.high
        assert figure.count == 2 * COUNT


@pytest.mark.slow
def test_blurred_edits_are_spotted(examples: Examples, edit_masks: EditMasks, features: ImageFeatures) -> None:
    found = by_name(spot_the_edit(examples, edits_of(examples, edit_masks, soft), Window.of(edit_masks), features))
    assert found["spot_remove"].value > 0.99
    assert found["spot_add"].value > 0.99
    assert 0.25 < found["spot_real"].value < 0.75


def test_only_the_window_is_looked_at(examples: Examples, edit_masks: EditMasks, features: ImageFeatures) -> None:
    corner = torch.zeros_like(edit_masks.remove)
    corner[..., :4, :2] = True
    elsewhere = edits_of(examples, EditMasks(corner, corner), lambda x: torch.zeros_like(x))
    found = by_name(spot_the_edit(examples, elsewhere, Window.of(edit_masks), features))
    assert 0.25 < found["spot_remove"].value < 0.75


def test_guides_are_recognised_by_their_region_alone(
    examples: Examples, edit_masks: EditMasks, features: ImageFeatures
) -> None:
    """The guides' own edit_masks, pasted: found always by the window, whatever lies around it."""
    window = Window.of(edit_masks)
    guides, people = examples.with_[:4], examples.without[:6]
    pasted = torch.where(window.inside, guides, people[:, None]).flatten(0, 1)
    codes = described(features, window.cut_inside(pasted)).view(6, 4, -1)
    assert retrieved_guides(codes, described(features, window.cut_inside(guides))).all()


def test_nothing_is_said_of_few_pictures(examples: Examples, edit_masks: EditMasks, features: ImageFeatures) -> None:
    few = dataclasses.replace(
        examples,
        with_traits=Traits(np.ones((COUNT, 1), bool), np.arange(COUNT)),
        without_traits=Traits(np.arange(COUNT)[:, None] < FEWEST - 1, np.arange(COUNT)),
    )
    assert spot_the_edit(few, edits_of(few, edit_masks, soft), Window.of(edit_masks), features) == []


@pytest.mark.slow
def test_labels_that_are_balanced_do_not_give_edits_away(
    examples: Examples, edit_masks: EditMasks, features: ImageFeatures
) -> None:
    """Half of one set is soft, a quarter of the other: who knows and matches that is not misled."""
    many, some = np.arange(COUNT) % 2 == 0, np.arange(COUNT) % 4 == 0
    with_, without = (
        torch.where(torch.from_numpy(which)[:, None, None, None], soft(images), images)
        for which, images in ((many, examples.with_), (some, examples.without))
    )
    known = Examples(
        with_,
        without,
        with_traits=Traits(many[:, None], np.arange(COUNT)),
        without_traits=Traits(some[:, None], COUNT + np.arange(COUNT)),
    )
    found = by_name(spot_the_edit(known, edits_of(known, edit_masks, lambda x: x), Window.of(edit_masks), features))
    assert found["spot_real"].count == 2 * (COUNT // 4 + COUNT // 2)
    assert found["spot_real"].value < 0.75


def test_classifiers_are_asked_about_people_that_they_have_not_seen() -> None:
    """Two pictures of each person, one edited: a classifier that knew the person would say the opposite."""
    generator = torch.Generator().manual_seed(1)
    looks = torch.randn(40, 16, generator=generator)
    people = np.arange(40)
    edited, real = told_apart(looks, looks, (people, people))
    assert torch.equal(edited, real)
    strange, stranger = told_apart(looks, looks, (people, people + 40))
    assert not torch.equal(strange, stranger)


def test_the_same_pictures_give_the_same_scores() -> None:
    looks = torch.randn(2, 30, 8, generator=torch.Generator().manual_seed(2))
    people = np.arange(30), np.arange(30, 60)
    once, again = (torch.cat(told_apart(looks[0], looks[1], people)) for _ in range(2))
    assert torch.equal(once, again)


def test_texture_is_the_same_in_chunks(features: ImageFeatures) -> None:
    images = torch.rand(35, 3, 40, 40)
    assert torch.allclose(texture(features, images)[-2:], texture(features, images[-2:]), atol=1e-4)


labels = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12)


@given(labels, labels)
def test_matched_pictures_have_the_same_labels(one: list[tuple[bool, bool]], other: list[tuple[bool, bool]]) -> None:
    sets = [Traits(np.array(side, bool).reshape(-1, 2), np.arange(len(side))) for side in (one, other)]
    first, second = matched(*sets)
    assert [one[index] for index in first] == [other[index] for index in second]
    assert len(set(first)) == len(first)
    assert len(set(second)) == len(second)
    most = sum(min(one.count(kind), other.count(kind)) for kind in set(one))
    assert len(first) == most


def test_traits_stay_with_their_pictures() -> None:
    pixels = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 8, 8)
    traits = Traits(np.arange(10)[:, None] % 2 == 0, np.arange(10))
    examples = Examples.chosen(Domains(pixels, pixels, with_traits=traits, without_traits=traits), 6, 3, None, None)
    for images, known in zip((examples.with_, examples.without), examples.traits, strict=True):
        assert (images[:, 0, 0, 0] * 255).round().int().tolist() == known.people.tolist()
        assert known.labels[:, 0].tolist() == [person % 2 == 0 for person in known.people]


def test_of_pictures_without_traits_nobody_is_in_two(examples: Examples) -> None:
    ours, theirs = examples.traits
    assert len(set(ours.people) | set(theirs.people)) == 2 * COUNT


def test_blurred_edits_are_less_sharp(examples: Examples, edit_masks: EditMasks) -> None:
    window = Window.of(edit_masks)
    found = by_name(sharpness_figures(examples, edits_of(examples, edit_masks, soft), edit_masks, window))
    assert set(found) == {"sharpness_add", "sharpness_remove", "sharpness_real"}
    assert 0 < found["sharpness_add"].high < 0.7
    assert 0 < found["sharpness_remove"].high < 0.7
    assert found["sharpness_real"].value == pytest.approx(1, abs=0.1)
    same = by_name(sharpness_figures(examples, edits_of(examples, edit_masks, lambda x: x), edit_masks, window))
    assert same["sharpness_remove"].value == same["sharpness_remove"].low == 1


def test_real_pictures_are_the_scale(examples: Examples, edit_masks: EditMasks) -> None:
    """What goes away takes its edges along: a perfect removal is as soft as real pictures without the content."""
    smooth = dataclasses.replace(examples, without=soft(examples.without))
    found = by_name(
        sharpness_figures(smooth, edits_of(smooth, edit_masks, lambda x: x), edit_masks, Window.of(edit_masks))
    )
    assert found["sharpness_real"].high < 0.7
    flat = dataclasses.replace(examples, with_=torch.full_like(examples.with_, 0.3))
    names = by_name(sharpness_figures(flat, edits_of(flat, edit_masks, soft), edit_masks, Window.of(edit_masks)))
    assert "sharpness_real" not in names


def test_pictures_without_an_edit_or_without_detail_have_no_sharpness(
    examples: Examples, edit_masks: EditMasks
) -> None:
    nowhere = torch.zeros_like(edit_masks.add)
    none = EditMasks(nowhere, nowhere)
    found = sharpness_figures(examples, edits_of(examples, edit_masks, soft), none, Window.of(none))
    assert [figure.name for figure in found] == ["sharpness_real"]
    flat = torch.full((1, 3, 8, 8), 0.3)
    assert len(relative_sharpness(flat, flat, torch.ones(1, 1, 8, 8, dtype=torch.bool))) == 0


def test_edits_that_leave_alone_what_is_as_wanted(examples: Examples, edit_masks: EditMasks) -> None:
    found = by_name(untouched_figures(examples, edits_of(examples, edit_masks, soft)))
    assert found["untouched_add"].value == found["untouched_remove"].value == 1
    assert found["missed_add"].value == found["missed_remove"].value == 0
    idle = by_name(untouched_figures(examples, edits_of(examples, edit_masks, lambda images: images)))
    assert idle["missed_add"].value == idle["missed_remove"].value == 1
    assert found["idle_4_add"].value == found["idle_16_remove"].value == 0


def test_edits_that_change_what_is_as_wanted(examples: Examples, edit_masks: EditMasks) -> None:
    edits = edits_of(examples, edit_masks, soft)
    idle = examples.without.clone()
    idle[: COUNT // 4, :, :16] = 1 - idle[: COUNT // 4, :, :16]
    idle[0, 0, 20, 20] += 4 / 255  # too little to be seen
    found = by_name(untouched_figures(examples, dataclasses.replace(edits, idle_removed=idle)))
    assert found["untouched_remove"].value == 0.75
    assert found["untouched_add"].value == 1
    assert 0.11 < found["idle_16_remove"].value <= found["idle_4_remove"].value <= 0.125


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_pixel_is_changed_by_more_than_some_levels(levels: int, by: int) -> None:
    before = torch.full((1, 3, 1, 1), 100 / 255)
    after = before.clone()
    after[:, 1] = (100 + by) / 255
    assert bool(changed(after, before, levels)) == (by > levels)


@pytest.mark.parametrize(("rows", "columns"), [((8, 24), (4, 28)), ((0, 1), (31, 32)), ((0, 32), (0, 32))])
def test_a_window_holds_the_edits_and_a_margin(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    region = torch.zeros(4, 1, SIDE, SIDE, dtype=torch.bool)
    region[..., slice(*rows), slice(*columns)] = True
    window = Window.of(EditMasks(region[:2], region))
    assert 0 <= window.left <= columns[0] < columns[1] <= window.right <= SIDE
    assert 0 <= window.top <= rows[0] < rows[1] <= window.bottom <= SIDE
    assert window.cut(torch.rand(2, 3, SIDE, SIDE)).shape == (2, 3, 128, 128)
    outside = torch.rand(2, 3, SIDE, SIDE), torch.rand(2, 3, SIDE, SIDE)
    same = [torch.where(region[:2], 0.25, images) for images in outside]
    assert torch.equal(*map(window.cut_inside, same))


def test_no_edits_at_all_have_the_whole_frame_for_a_window() -> None:
    region = torch.zeros(4, 1, SIDE, SIDE, dtype=torch.bool)
    window = Window.of(EditMasks(region, region))
    assert (window.left, window.top, window.right, window.bottom) == (0, 0, SIDE, SIDE)


def test_curves_have_the_area_that_pairs_say() -> None:
    high, low = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 2.0])
    figure = area_under_curve("auc", "AUC", high, low)
    assert figure.value == pytest.approx((1 + 0 + 1 + 0.5 + 1 + 1) / 6)
    assert figure.low <= figure.value <= figure.high
    assert figure.count == 5
    sure = area_under_curve("auc", "AUC", high + 9, low)
    assert sure.value == sure.high == pytest.approx(1)
    assert area_under_curve("auc", "AUC", low, high).value == pytest.approx(1 - figure.value)


def test_a_median_is_not_moved_by_one_value() -> None:
    values = torch.tensor([1.0] * 9 + [100.0])
    assert median("m", "m", values).value == 1
    assert mean("m", "m", values).value > 10
