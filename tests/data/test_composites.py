"""Pairs made of two domains: targets are real photos, and only the content lies between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mbu_ops.data.composites import Composites, Edited, Known
from mbu_ops.data.domains import Domains
from mbu_ops.data.donors import Drawn, fitted, laid_on, nearest, seams
from mbu_ops.errors import ConfigurationError, ShapeError
from mbu_ops.families.layout import Layout

HEIGHT, WIDTH = 32, 48


def a_pen(photos: Tensor) -> Drawn:
    """Draw a green bar."""
    masks = torch.zeros(len(photos), 1, HEIGHT, WIDTH)
    masks[..., 10:14, 8:40] = 1
    green = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    return Drawn(torch.lerp(photos, green.expand_as(photos), masks), masks)


@pytest.fixture
def domains() -> Domains:
    """Smooth pictures, with a dark bar across those of the second domain."""
    random = torch.Generator().manual_seed(0)
    small = torch.rand(20, 3, 4, 6, generator=random)
    pixels = (torch.nn.functional.interpolate(small, (HEIGHT, WIDTH), mode="bicubic").clamp(0, 1) * 255).byte()
    pixels[12:, :, 20:24, 10:38] = 5
    return Domains(without=pixels[:12], with_=pixels[12:], source="smooth")


@pytest.fixture
def masks() -> Tensor:
    masks = torch.zeros(8, 1, HEIGHT, WIDTH, dtype=torch.uint8)
    masks[:, :, 19:25, 9:39] = 255
    return masks


def test_a_batch_is_what_the_objective_takes(domains: Domains, masks: Tensor) -> None:
    pairs, with_, without = Composites(domains, masks).batch(5, seed=1, step=2)
    assert pairs.shape == (5, 7, HEIGHT, WIDTH)
    assert with_.shape == (5, 4, HEIGHT, WIDTH)
    assert without.shape == (5, 3, HEIGHT, WIDTH)
    for batch in (pairs, with_, without):
        assert batch.dtype == torch.float32
        assert 0 <= batch.min() <= batch.max() <= 1


def test_a_step_s_batch_is_always_the_same_and_leaves_the_global_seed_alone(domains: Domains, masks: Tensor) -> None:
    composites = Composites(domains, masks, (("cut", 1.0), ("drawn", 2.0)), a_pen)
    first = composites.batch(6, seed=1, step=2)
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    again, other = composites.batch(6, seed=1, step=2), composites.batch(6, seed=1, step=3)
    assert torch.equal(torch.rand(1), wanted)
    assert all(torch.equal(*both) for both in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("kind", ["cut", "drawn"])
def test_pairs_differ_only_where_the_content_lies(domains: Domains, masks: Tensor, kind: str) -> None:
    composites = Composites(domains, masks, (("cut", 1.0), ("drawn", 1.0)), a_pen)
    shown, wanted, where = composites.pairs(kind, 16)
    outside = (where == 0).expand_as(shown)
    assert 0.3 < outside.float().mean() < 1
    assert torch.equal(shown[outside], wanted[outside])
    assert (shown - wanted)[(where > 0.99).expand_as(shown)].abs().mean() > 0.1


def test_targets_are_photos_of_the_first_domain(domains: Domains, masks: Tensor) -> None:
    wanted = Composites(domains, masks).pairs("cut", 16).wanted
    known = domains.without.float() / 255
    assert all((known == one).flatten(1).all(1).any() for one in wanted)


def test_shares_are_kept(domains: Domains, masks: Tensor) -> None:
    drawn: list[int] = []

    def pen(photos: Tensor) -> Drawn:
        drawn.append(len(photos))
        return a_pen(photos)

    composites = Composites(domains, masks, (("cut", 1.0), ("drawn", 3.0)), pen)
    for step in range(10):
        composites.batch(20, seed=0, step=step)
    assert 0.6 < sum(drawn) / 200 < 0.9
    assert composites.facts["pairs"] == {"cut": 0.25, "drawn": 0.75}
    assert composites.summary.endswith("pairs: 25% cut, 75% drawn")


def test_a_share_of_nothing_is_nothing(domains: Domains, masks: Tensor) -> None:
    composites = Composites(domains, masks, (("cut", 1.0), ("drawn", 0.0)))
    assert composites.facts["pairs"] == {"cut": 1.0}
    composites.batch(8, seed=0, step=0)


def test_edits_of_other_weights_stand_on_the_side_of_the_input_only(domains: Domains, masks: Tensor) -> None:
    of = torch.tensor([4, 1, 7])
    made = domains.without[of].clone()
    made[:, :, 8:16, 12:30] = 255
    composites = Composites(domains, masks, (("edited", 1.0),), edited=Edited(made, of))
    shown, wanted, where = composites.pairs("edited", 12)
    known = domains.without[of].float() / 255
    assert all((known == one).flatten(1).all(1).any() for one in wanted)
    inside, outside = where[..., 10:14, 15:27], torch.cat([where[..., :4, :], where[..., 22:, :]], -2)
    assert inside.mean() > 0.5 > 0.1 > outside.mean()
    assert (shown - wanted)[..., 10:14, 15:27].mean() > 0.2


def test_donors_without_a_content_to_cut_are_not_used(domains: Domains, masks: Tensor) -> None:
    masks[3:] = 0
    composites = Composites(domains, masks)
    assert set((composites.near % 8).flatten().tolist()) == {0, 1, 2}
    assert (composites.pairs("cut", 16).masks.amax((1, 2, 3)) > 0.9).all()


def test_donors_look_alike() -> None:
    photos = torch.randint(256, (6, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    assert nearest(photos, photos, count=1).flatten().tolist() == list(range(6))
    without_the_first = torch.tensor([False] + [True] * 5)
    near = nearest(photos, photos, without_the_first, 3)
    assert not (near % 6 == 0).any()


def test_a_content_is_laid_on_in_the_photos_own_light() -> None:
    photos, donors = torch.full((2, 3, 32, 32), 0.8), torch.full((2, 4, 32, 32), 0.4)
    donors[:, 3] = 0
    donors[:, :, 12:20, 12:20] = torch.tensor([0.2, 0.2, 0.2, 1.0]).view(4, 1, 1)
    laid = laid_on(photos, donors, opaque=1.0)
    # the skin around is half as bright as the photo's: the content is twice as bright there as at home
    torch.testing.assert_close(laid.pictures[..., 14:18, 14:18], torch.full((2, 3, 4, 4), 0.4), atol=0.03, rtol=0)


def test_light_from_one_side_leaves_no_seam() -> None:
    face = torch.linspace(0.3, 0.6, 64).expand(1, 3, 48, 64)
    lit_from_the_left, content = face.flip(-1), torch.zeros(1, 1, 48, 64)
    content[..., 16:32, 16:48] = 1
    laid = laid_on(face, torch.cat([lit_from_the_left, content], 1), opaque=1.0)
    apart = (laid.pictures - face).abs()
    assert (lit_from_the_left - face)[..., 16:32, 16:48].abs().max() > 0.14
    assert apart[..., 12:36, 12:52].max() < 0.04


def test_a_content_that_reaches_beyond_its_mask_stays_as_dark_as_it_is() -> None:
    generator = torch.Generator().manual_seed(0)
    photos, donors = torch.full((1, 3, 64, 64), 0.6), torch.full((1, 4, 64, 64), 0.6)
    beard = 0.08 + 0.05 * torch.rand(1, 3, 34, 24, generator=generator)
    donors[:, :3, 24:58, 20:44] = beard
    donors[:, 3] = 0
    donors[:, 3, 24:44, 20:44] = 1  # a third of it was not found
    laid = laid_on(photos, donors, opaque=1.0).pictures[..., 28:36, 26:38]
    torch.testing.assert_close(laid, donors[:, :3, 28:36, 26:38], atol=0.03, rtol=0)


def test_skin_of_another_tint_is_brought_to_the_photos() -> None:
    photos = torch.tensor([0.7, 0.5, 0.4]).view(1, 3, 1, 1).repeat(1, 1, 48, 48)
    donors = torch.tensor([0.5, 0.4, 0.4, 0.0]).view(1, 4, 1, 1).repeat(1, 1, 48, 48)
    donors[:, 3, 16:32, 16:32] = 1
    torch.testing.assert_close(laid_on(photos, donors, opaque=1.0).pictures, photos, atol=0.02, rtol=0)


def test_the_light_of_what_lies_far_away_counts_for_nothing() -> None:
    photos, donors = torch.full((1, 3, 64, 64), 0.5), torch.full((1, 4, 64, 64), 0.5)
    donors[:, 3] = 0
    donors[:, 3, 28:36, 28:36] = 1
    donors[:, :3, :8] = 0  # a dark background of the donor's
    assert torch.allclose(laid_on(photos, donors, opaque=1.0).pictures, photos, atol=1e-3)


def test_the_donor_that_fits_best_lends(domains: Domains, masks: Tensor) -> None:
    shown = masks.float() / 255
    photos = domains.without[: len(shown)].float() / 255
    like, unlike = torch.cat([photos * 0.8, shown], 1), torch.cat([photos.roll(1, 0) * 0.8, shown], 1)
    assert (seams(photos, like) < seams(photos, unlike)).all()


def test_light_of_another_colour_lends_less() -> None:
    torch.manual_seed(0)
    photos = torch.rand(1, 3, 48, 64) * 0.5 + 0.2
    donors = torch.cat([photos, torch.zeros(1, 1, 48, 64)], 1)
    donors[:, 3, 16:32, 16:48] = 1
    dark, blue = donors.clone(), donors.clone()
    dark[:, :3] *= 0.5
    blue[:, :2] *= 0.5
    assert seams(photos, dark) < 0.1
    assert seams(photos, blue) > 0.2


def test_a_donor_comes_to_where_it_fits() -> None:
    torch.manual_seed(0)
    photos = torch.nn.functional.interpolate(torch.rand(4, 3, 24, 32), (96, 128), mode="bilinear")
    shifted = torch.stack([photos[0].roll(8, -1), photos[1].roll(-8, -2), photos[2], photos[3].roll(12, -1)])
    for back, photo in zip(fitted(shifted, photos), photos, strict=True):
        torch.testing.assert_close(back[:, 16:-16, 16:-16], photo[:, 16:-16, 16:-16], atol=1e-4, rtol=0)


def test_placements_of_the_attribute_are_applied(domains: Domains, masks: Tensor) -> None:
    down = replace(domains, with_layout=Layout(down=(0.25, 0.25)), without_layout=Layout(down=(0.25, 0.25)))
    where = Composites(down, masks).pairs("cut", 8).masks
    plain = Composites(domains, masks).pairs("cut", 8).masks
    rows = torch.arange(HEIGHT).view(-1, 1) + 0.5
    middles = [(one * rows).sum((1, 2, 3)) / one.sum((1, 2, 3)) for one in (plain, where)]
    assert 4 < (middles[1] - middles[0]).mean() < 9
    moved = Composites(down, masks).pairs("cut", 8).wanted
    known = torch.from_numpy(np.roll(domains.without.numpy(), HEIGHT // 4, -2)).float() / 255
    assert all(((known - one).abs().flatten(1) < 0.01).float().mean(1).max() > 0.7 for one in moved)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"shares": (("glued", 1.0),)}, ConfigurationError, "bent, known., got 'glued'"),
        ({"shares": (("cut", -1.0),)}, ConfigurationError, "share of 0 or more"),
        ({"shares": (("cut", float("nan")),)}, ConfigurationError, "share of 0 or more"),
        ({"shares": (("cut", 0.0),)}, ConfigurationError, "share above 0"),
        ({"shares": (("drawn", 1.0),)}, ConfigurationError, "a family that draws"),
        ({"shares": (("edited", 1.0),)}, ConfigurationError, "a step that adds"),
        ({"shares": (("bent", 1.0),)}, ConfigurationError, "knows how the content bends"),
        ({"bends": torch.zeros(7, 2, 4, 6)}, ShapeError, "bends of shape .12, 2, h, w., one for each photo, got"),
        ({"masks": torch.zeros(7, 1, HEIGHT, WIDTH, dtype=torch.uint8)}, ShapeError, "expected masks of shape"),
    ],
)
def test_what_cannot_work_is_named(
    domains: Domains, masks: Tensor, change: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Composites(**{"domains": domains, "masks": masks} | change)


def test_pairs_the_other_way_have_photos_with_the_content_as_targets(domains: Domains, masks: Tensor) -> None:
    """A bar of skin is laid over the dark one: what to get back is the photo with it."""
    places = masks[:1].expand(12, -1, -1, -1).clone()
    reverse = Composites(domains.exchanged, places)
    both = Composites(domains, masks, reverse=reverse)
    *usual, back = both.batch(6, seed=1, step=2)
    assert len(usual) == 3
    assert back.shape == (6, 7, HEIGHT, WIDTH)
    for one, alone in zip(usual, Composites(domains, masks).batch(6, seed=1, step=2), strict=True):
        assert torch.equal(one, alone)
    pairs = reverse.pairs("cut", 8)
    photos = {photo.numpy().tobytes() for photo in domains.with_}
    assert all((255 * wanted).round().byte().numpy().tobytes() in photos for wanted in pairs.wanted)
    middle = pairs.masks[..., 20:24, 14:34]
    assert middle.mean() > 0.5
    assert (pairs.shown - pairs.wanted)[..., 20:24, 14:34].mean() > 0.1
    assert both.facts["reverse"] == {"cut": 1.0}


def bends(right: float) -> Tensor:
    """Flows that take every pixel from further right, by a share of the width."""
    return torch.stack([torch.full((4, 6), right), torch.zeros(4, 6)]).expand(12, -1, -1, -1)


def test_a_bent_photo_shows_itself_moved(domains: Domains, masks: Tensor) -> None:
    shown, wanted, where = Composites(domains, masks, (("bent", 1.0),), bends=bends(0.125)).pairs("bent", 64)
    photos = {photo.numpy().tobytes() for photo in domains.without}
    assert all((255 * one).round().byte().numpy().tobytes() in photos for one in wanted)
    # each by another share of the 6 pixels, from 0.2 to 1.3: 1 to 8 of them
    far = torch.stack([(shown[..., : WIDTH - by] - wanted[..., by:]).abs().mean((1, 2, 3)) for by in range(10)], 1)
    found = far.argmin(1)
    assert found.min() <= 2
    assert found.max() >= 7
    assert where.amin() > 0.15
    assert torch.allclose(where.amax((1, 2, 3)), (found / 6).clamp(max=1), atol=0.1)


def test_contents_are_laid_on_bent_photos(domains: Domains, masks: Tensor) -> None:
    still = Composites(domains, masks, bends=bends(0.0)).pairs("cut", 16)
    beside = (still.masks == 0).expand_as(still.shown)
    assert beside.any()
    assert torch.allclose(still.shown[beside], still.wanted[beside], atol=1e-5)
    moved = Composites(domains, masks, bends=bends(0.125)).pairs("cut", 16)
    assert moved.masks.amin() > 0.15
    assert (moved.shown - moved.wanted).abs()[..., :10, :].mean() > 0.01
    again = [Composites(domains, masks, bends=bends(0.125)).batch(4, seed=1, step=2)[0] for _ in range(2)]
    assert torch.equal(*again)


@pytest.mark.parametrize("kind", ["cut", "drawn", "edited"])
def test_views_show_a_pairs_content_elsewhere(domains: Domains, masks: Tensor, kind: str) -> None:
    edited = Edited((domains.without // 2).clone(), torch.arange(12))
    plain = Composites(domains, masks, ((kind, 1.0),), a_pen, edited)
    composites = plain.with_aids({"pairs", "views"})
    assert plain.with_aids({"pairs"}) is plain
    assert composites.with_aids({"views"}) is composites
    *usual, views = composites.batch(6, seed=1, step=2)
    assert [part.shape[1] for part in (*usual, views)] == [7, 4, 3, 4]
    assert 0 <= views.min() <= views.max() <= 1
    pictures, where = views[:, :3], views[:, 3:] > 0.9
    assert where.any()
    if kind == "drawn":  # the same green bar, on another photo
        green = pictures.permute(0, 2, 3, 1)[where[:, 0]].mean(0)
        assert green[1] > green[0] + 0.3
        assert green[1] > green[2] + 0.3
        assert not torch.allclose(pictures, usual[0][:, :3], atol=0.1)


def known(count: int, views: bool) -> Known:
    """Each picture with a white corner, and grey pictures as somebody else with it."""
    pictures = torch.full((count, 3, HEIGHT, WIDTH), 255, dtype=torch.uint8)
    masks = torch.zeros(count, 1, HEIGHT, WIDTH, dtype=torch.uint8)
    masks[..., :8, :8] = 255
    return Known(pictures, masks, torch.full((count, 4, HEIGHT, WIDTH), 90, dtype=torch.uint8) if views else None)


def test_known_pairs_are_the_family_s_own_before_and_after(domains: Domains, masks: Tensor) -> None:
    composites = Composites(domains, masks, (("known", 1.0),), known=known(12, views=True))
    pairs = composites.pairs("known", 5)
    assert bool((pairs.shown == 1).all())
    assert {tuple(one.flatten().tolist()) for one in pairs.wanted} <= {
        tuple(one.flatten().tolist()) for one in domains.without.float() / 255
    }
    assert torch.equal(pairs.masks[:, 0, :8, :8], torch.ones(5, 8, 8))
    assert len(composites.batch(4, 0, 0)) == 3
    *_, views = replace(composites, views=True).batch(4, 0, 0)
    assert views.shape == (4, 4, HEIGHT, WIDTH)


def test_known_pairs_need_the_truth_and_guides_somebody_else(domains: Domains, masks: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="expected pictures that their family draws"):
        Composites(domains, masks, (("known", 1.0),))
    with pytest.raises(ConfigurationError, match="expected another subject with each content"):
        Composites(domains, masks, (("known", 1.0),), known=known(12, views=False), views=True)


def test_donors_with_the_same_labels_come_first() -> None:
    """Bearded men lend their smiles to bearded men, as long as there are any."""
    photos = torch.randint(256, (6, 3, 24, 32), dtype=torch.uint8)
    bearded, few = torch.tensor([[True], [False]]), torch.tensor([[True], [False], [False], [False], [False], [False]])
    near = nearest(photos[:2], photos, count=2, labels=(bearded, few)) % 6
    assert near[0].tolist() == [0, 0]  # the one there is, and its mirror image
    assert 0 not in near[1].tolist()
    unknown = torch.zeros(2, 0, dtype=torch.bool), torch.zeros(6, 0, dtype=torch.bool)
    assert torch.equal(nearest(photos[:2], photos, labels=unknown), nearest(photos[:2], photos))
