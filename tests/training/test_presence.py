"""Training of the detector: it learns what can be learnt, and its thresholds miss no more than they may."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.data.domains import Domains
from mbu_ops.training.presence import probabilities, thresholds, train_presence

SHARES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40).map(torch.tensor)


@given(SHARES, SHARES, st.floats(0, 0.5))
def test_thresholds_miss_no_more_than_they_may(with_: torch.Tensor, without: torch.Tensor, missed: float) -> None:
    least = thresholds(with_, without, missed)
    assert int((with_ < least["remove"]).sum()) <= missed * len(with_)
    assert int((1 - without < least["add"]).sum()) <= missed * len(without)
    assert all(0 <= value <= 1 for value in least.values())


def squares(count: int, there: bool, seed: int) -> torch.Tensor:
    """Noise, with a bright square in the middle or without it."""
    pixels = torch.randint(0, 120, (count, 3, 32, 32), generator=torch.Generator().manual_seed(seed))
    if there:
        pixels[..., 10:22, 10:22] += 130
    return pixels.to(torch.uint8)


@pytest.mark.slow
def test_it_learns_and_is_the_same_for_the_same_seed() -> None:
    domains = Domains(squares(64, False, 0), squares(64, True, 1))
    steps: list[int] = []
    before = torch.random.get_rng_state()
    presence = train_presence(domains, 30, report=lambda step, loss: steps.append(step))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert steps == [0]
    assert probabilities(presence, squares(40, True, 2)).mean() > 0.8
    assert probabilities(presence, squares(40, False, 3)).mean() < 0.2
    assert not any(one.requires_grad for one in presence.parameters())
    again = train_presence(domains, 30)
    assert all(torch.equal(*pair) for pair in zip(again.parameters(), presence.parameters(), strict=True))
