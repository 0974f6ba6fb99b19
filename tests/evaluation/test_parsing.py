"""How well parts are named: shares and overlaps by hand, intervals, and networks that are right, wrong or between."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.data.labelled import Labelled
from mbu_ops.evaluation.parsing import ParsingFigures, figures_of, measure_parsing
from mbu_ops.families import Anatomy, PartSpec

NAMES = ("rest", "hair", "nose", "tail")
ANATOMY = Anatomy(tuple(PartSpec(name, name, (number, 0, 0)) for number, name in enumerate(NAMES)))


@pytest.fixture
def pictures() -> Labelled:
    """Twenty pictures whose red says what their parts are; none has a tail, and two have no nose."""
    labels = torch.randint(0, 3, (20, 1, 8, 8)).to(torch.uint8)
    labels[:2] = labels[:2].clamp(max=1)
    return Labelled((60 * labels).expand(-1, 3, -1, -1).contiguous(), labels, ANATOMY)


def seen(images: Tensor) -> Tensor:
    """The parts as the pixels say them."""
    return (images[:, :1] * 255 / 60).round().long()


def by_name(figures: ParsingFigures) -> dict[str, float]:
    return {figure.name: figure.value for figure in (figures.accuracy, figures.mean_overlap, *figures.overlaps)}


def test_perfect_answers_are_1(pictures: Labelled) -> None:
    figures = measure_parsing(seen, pictures)
    names = ["accuracy", "mean_overlap", "overlap_rest", "overlap_hair", "overlap_nose"]
    assert by_name(figures) == dict.fromkeys(names, 1.0)
    for figure in (figures.accuracy, figures.mean_overlap, *figures.overlaps):
        assert (figure.low, figure.high, figure.count, figure.unit) == (1.0, 1.0, 20, "share")


def test_answers_that_are_never_right_are_0(pictures: Labelled) -> None:
    figures = by_name(measure_parsing(lambda images: (seen(images) + 1) % 3, pictures))
    assert set(figures.values()) == {0.0}


def test_one_answer_for_all_is_as_right_as_that_part_is_large(pictures: Labelled) -> None:
    figures = by_name(measure_parsing(lambda images: torch.ones_like(seen(images)), pictures))
    share = float((pictures.labels == 1).double().mean())
    assert figures["accuracy"] == figures["overlap_hair"] == pytest.approx(share)
    assert figures["overlap_rest"] == figures["overlap_nose"] == 0
    assert figures["mean_overlap"] == pytest.approx(share / 3)


def test_parts_that_nobody_shows_but_the_answer_are_measured(pictures: Labelled) -> None:
    def with_tails(images: Tensor) -> Tensor:
        found = seen(images)
        found[:, :, 0, 0] = 3
        return found

    figures = by_name(measure_parsing(with_tails, pictures))
    assert figures["overlap_tail"] == 0
    assert figures["accuracy"] == pytest.approx(63 / 64)


@pytest.mark.parametrize("chunk", [1, 7, 20, 100])
def test_pictures_are_measured_some_at_a_time(pictures: Labelled, chunk: int) -> None:
    sizes: list[int] = []

    def often_right(images: Tensor) -> Tensor:
        sizes.append(len(images))
        assert not torch.is_grad_enabled()
        assert images.min() >= 0
        assert images.max() <= 1
        return seen(images).clamp(max=1)

    figures = measure_parsing(often_right, pictures, chunk)
    assert figures == measure_parsing(lambda images: seen(images).clamp(max=1), pictures)
    assert sum(sizes) == 20
    assert max(sizes) == min(chunk, 20)


# -- confusions -------------------------------------------------------------------------------------------------------


def test_known_confusions_give_known_numbers() -> None:
    """Two pictures: overlaps are of both together, and not a mean of each one's."""
    confusions = torch.tensor([[[5, 1, 0], [2, 2, 0], [0, 0, 0]], [[8, 0, 0], [0, 0, 0], [1, 0, 1]]])
    figures = figures_of(confusions, NAMES[:3])
    assert by_name(figures) == {
        "accuracy": pytest.approx(16 / 20),
        "mean_overlap": pytest.approx((13 / 17 + 2 / 5 + 1 / 2) / 3),
        "overlap_rest": pytest.approx(13 / 17),
        "overlap_hair": pytest.approx(2 / 5),
        "overlap_nose": pytest.approx(1 / 2),
    }


def test_rows_are_what_is_there_and_columns_what_was_named(pictures: Labelled) -> None:
    """One nose of four pixels, half of it called hair: the hair's overlap suffers as the nose's does."""
    labels = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    labels[..., 0, :], labels[..., 1, :2] = 2, 1
    single = Labelled(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), labels, ANATOMY)
    found = labels.long()
    found[..., 0, :2] = 1
    figures = by_name(measure_parsing(lambda _images: found, single))
    assert figures["overlap_nose"] == 0.5
    assert figures["overlap_hair"] == 0.5
    assert figures["overlap_rest"] == 1
    assert figures["accuracy"] == 14 / 16


def test_parts_that_nobody_shows_are_left_out() -> None:
    confusions = torch.zeros(3, 4, 4, dtype=torch.int64)
    confusions[:, 0, 0], confusions[:, 2, 2], confusions[:, 2, 0] = 6, 1, 1
    figures = figures_of(confusions, NAMES)
    assert [figure.name for figure in figures.overlaps] == ["overlap_rest", "overlap_nose"]
    assert figures.mean_overlap.value == pytest.approx((18 / 21 + 3 / 6) / 2)


def random_confusions(count: int) -> Tensor:
    confusions = torch.randint(0, 40, (count, 4, 4)) + 60 * torch.eye(4, dtype=torch.int64)
    confusions[:, 3] *= torch.rand(count, 1) < 0.2  # a part that few pictures show
    return confusions


def test_intervals_are_around_the_value_and_narrow_with_more_pictures() -> None:
    widths = []
    for count in (2, 10, 200):
        figures = figures_of(random_confusions(count), NAMES)
        for figure in (figures.accuracy, figures.mean_overlap, *figures.overlaps):
            assert figure.low is not None
            assert figure.high is not None
            assert 0 <= figure.low <= figure.value + 1e-9
            assert figure.value - 1e-9 <= figure.high <= 1
            assert figure.count == count
        widths.append(figures.accuracy.high - figures.accuracy.low)
    assert widths[1] > 2 * widths[2] > 0


def test_intervals_are_the_same_every_time() -> None:
    confusions = random_confusions(12)
    assert figures_of(confusions, NAMES) == figures_of(confusions, NAMES)


def test_intervals_are_of_the_pictures() -> None:
    """Half of them all right, half all wrong: as a coin, whose share of heads among 100 is known."""
    right, wrong = torch.tensor([[2, 0], [0, 2]]), torch.tensor([[0, 2], [2, 0]])
    accuracy = figures_of(torch.stack([right, wrong] * 50), NAMES[:2]).accuracy
    assert accuracy.value == 0.5
    assert (accuracy.low, accuracy.high) == pytest.approx((0.4, 0.6), abs=0.03)


def test_one_picture_has_no_interval() -> None:
    figures = figures_of(random_confusions(1), NAMES[:4])
    for figure in (figures.accuracy, figures.mean_overlap, *figures.overlaps):
        assert (figure.low, figure.high, figure.count) == (None, None, 1)
    assert "pixels named right" in str(figures.accuracy)
