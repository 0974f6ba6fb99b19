"""What is measured of networks that compose pictures, on networks whose quality is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mbu_ops.data.labelled import Labelled
from mbu_ops.errors import MBUOpsError
from mbu_ops.evaluation.figures import Figure
from mbu_ops.evaluation.networks import image_features
from mbu_ops.evaluation.portrait import DILATION, measure_portrait, pairs, swaps_sheet
from mbu_ops.functional.mask import dilate
from mbu_ops.methods.portrait import Portrait
from mbu_ops.ops.swap import Swap
from mbu_ops.testing import tiny_portrait
from mbu_ops.testing.tiny import TINY_PORTRAIT

from ..tiny_faces import ANATOMY, Oracle, face_labels, face_pixels

pytest.importorskip("torchmetrics")

CONTENTS = ANATOMY.contents
Compose = Callable[[Tensor, Tensor, Tensor], Tensor]


class Colours(nn.Module):
    """Describes pictures by what is left of them in four pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_features, "pretrained", Colours)


@pytest.fixture
def model() -> Portrait:
    return tiny_portrait()


@pytest.fixture
def pictures() -> Labelled:
    """Faces whose colours differ a little from one to the next."""
    labels = face_labels(20)
    pixels = face_pixels(labels) + 24 * torch.rand(20, 3, 1, 1) - 12
    return Labelled(pixels.clamp(0, 255).to(torch.uint8), labels, ANATOMY)


def measured(model: Portrait, pictures: Labelled, compose: Compose | None = None, **options: int) -> dict[str, Figure]:
    if compose is not None:
        model.compose = compose  # type: ignore[assignment,method-assign]
    figures = measure_portrait(model, pictures, CONTENTS, Oracle(), **({"count": 12} | options))
    assert len({figure.name for figure in figures}) == len(figures)
    return {figure.name: figure for figure in figures}


def test_the_anatomy_is_that_of_the_tiny_networks() -> None:
    assert TINY_PORTRAIT.composed_of(ANATOMY) == TINY_PORTRAIT


def test_every_figure_is_there_and_sane(model: Portrait, pictures: Labelled) -> None:
    found = measured(model, pictures)
    outside = [f"outside_{name}{kind}" for name in ("eyes", "mouth", "skin") for kind in ("", "_op")]
    parsed = ["agreement_real", "agreement_paired", "agreement"]
    assert set(found) == {"psnr", "psnr_foreground", *parsed, "kid_paired", "kid", "fid", *outside}
    counts = {name: figure.count for name, figure in found.items()}
    assert counts == dict.fromkeys(counts, 20) | {"agreement": 12, "kid": 12, "fid": 12}
    assert found["agreement_real"].value == 1
    for name in parsed:
        assert 0 <= found[name].value <= 1
        assert found[name].unit == "share"
    for name in ("psnr", "psnr_foreground"):
        assert 3 < found[name].value < 40
        assert found[name].unit == "dB"
    for name in outside:
        assert 0 <= found[name].value < 0.5
    assert found["fid"].value > 0
    assert found["outside_eyes"].value > 0


def test_networks_that_keep_pictures_are_perfect(model: Portrait, pictures: Labelled) -> None:
    found = measured(model, pictures, lambda codes, mask, image: image)
    assert found["psnr"].value == found["psnr_foreground"].value == 100
    assert found["agreement_paired"].value == found["agreement"].value == 1
    assert {found[name].value for name in found if name.startswith("outside")} == {0}


def test_psnr_is_measured_everywhere_and_in_components_alone(model: Portrait, pictures: Labelled) -> None:
    """Off by 0.1 before components of half that error: 20 dB, and 26."""

    def compose(codes: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        return image + 0.1 * mask[:, :1] + 0.05 * (1 - mask[:, :1])

    found = measured(model, pictures, compose)
    assert found["psnr_foreground"].value == pytest.approx(26.02, abs=0.01)
    assert 20 < found["psnr"].value < 26


def test_results_are_read_against_the_targets_mask(model: Portrait, pictures: Labelled) -> None:
    """Networks that draw a mask's colours are read right, whoever's look they are given; white ones are not."""
    colours = torch.tensor(ANATOMY.colours) / 255
    found = measured(model, pictures, lambda codes, mask, image: torch.einsum("bphw,pc->bchw", mask, colours))
    assert found["agreement"].value == found["agreement_paired"].value == 1
    skin = (pictures.labels == 4).float().mean()
    found = measured(model, pictures, lambda codes, mask, image: colours[4].view(1, 3, 1, 1).expand_as(image))
    assert found["agreement_paired"].value == pytest.approx(float(skin))
    assert found["agreement_real"].value == 1


def test_changes_count_outside_the_component_grown(model: Portrait, pictures: Labelled) -> None:
    """Networks whose pictures are all as bright as the mouth's code says."""

    def bright(codes: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        return codes[:, 2].sum(1).view(-1, 1, 1, 1).sigmoid().expand_as(image)

    found = measured(model, pictures, bright)
    assert found["outside_eyes"].value == found["outside_skin"].value == 0
    assert found["outside_mouth"].value > 1e-4

    def within(codes: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        return bright(codes, mask, image) * dilate(mask[:, 3:4], DILATION)

    assert measured(model, pictures, within)["outside_mouth"].value == 0

    def beyond(codes: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        return bright(codes, mask, image) * dilate(mask[:, 3:4], DILATION + 1)

    assert measured(model, pictures, beyond)["outside_mouth"].value > 0


def test_the_look_is_anothers(model: Portrait, pictures: Labelled) -> None:
    """Every pair's look is drawn in the target's place, before its background."""
    seen: list[tuple[Tensor, Tensor]] = []
    images, labels = pictures.examples(20)
    mask = model.one_hot(labels)
    own = model.encode(model.crops(images * 2 - 1, mask), mask).detach()

    def compose(codes: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        seen.append((codes, image))
        return image

    measured(model, pictures, compose)
    codes, targets = seen[2]
    sources, expected = pairs(20, 12, seed=0)
    torch.testing.assert_close(codes, own[sources])
    assert torch.equal(targets, images[expected])


def test_the_same_seed_measures_the_same(model: Portrait, pictures: Labelled) -> None:
    first, again, other = (measured(model, pictures, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first["fid"] != other["fid"]
    assert first["psnr"] == other["psnr"]


def test_one_picture_has_no_other(model: Portrait, pictures: Labelled) -> None:
    alone = replace(pictures, pixels=pictures.pixels[:1], labels=pictures.labels[:1])
    with pytest.raises(MBUOpsError):
        measured(model, alone)


# -- pairs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("people", "count"), [(2, 9), (10, 4), (7, 200)])
def test_pairs_are_of_two_pictures_and_all_are_targets_alike(people: int, count: int) -> None:
    sources, targets = pairs(people, count, seed=1)
    assert len(sources) == len(targets) == count
    assert (sources != targets).all()
    for chosen in (sources, targets):
        assert 0 <= chosen.min() <= chosen.max() < people
    times = targets.bincount(minlength=people)
    assert times.max() - times.min() <= 1


def test_every_picture_is_some_others_source() -> None:
    sources, targets = pairs(5, 600, seed=0)
    assert len({*zip(sources.tolist(), targets.tolist(), strict=True)}) == 20
    assert sources.bincount().min() > 80


def test_pairs_follow_their_seed() -> None:
    first, again, other = (pairs(50, 40, seed) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


# -- sheets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(4))
def test_a_sheet_shows_sources_targets_and_every_swap(model: Portrait, index: int) -> None:
    images = torch.rand(7, 3, 32, 32)
    sheet = swaps_sheet(model, index, images, side=3)
    assert sheet.shape == (3, 4 * 32, 4 * 32)
    tiles = sheet.unflatten(1, (4, 32)).unflatten(-1, (4, 32)).permute(1, 3, 0, 2, 4)
    assert torch.equal(tiles[0, 0], torch.ones(3, 32, 32))
    assert torch.equal(tiles[0, 1:], images[3:6])
    assert torch.equal(tiles[1:, 0], images[:3])
    for row in range(3):
        expected = Swap(model.for_content(index))(images[3:6], images[row : row + 1])
        torch.testing.assert_close(tiles[row + 1, 1:], expected.clamp(0, 1))


def test_a_sheet_has_eight_of_each(model: Portrait) -> None:
    assert swaps_sheet(model, 0, torch.rand(20, 3, 32, 32)).shape == (3, 9 * 32, 9 * 32)


@pytest.mark.parametrize("count", [2, 6, 8])
def test_of_few_pictures_some_are_targets(model: Portrait, count: int) -> None:
    _, height, width = swaps_sheet(model, 0, torch.rand(count, 3, 32, 32)).shape
    assert height > 32
    assert width > 32
