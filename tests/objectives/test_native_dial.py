"""The objective of native dials: both ways learn, each from real photos."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mbu_ops.data.composites import Pairs
from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.native import NativeConfig, Planes
from mbu_ops.methods.native_dial import NativeDial
from mbu_ops.objectives import build_objective
from mbu_ops.objectives.native_dial import LOSS_WEIGHTS, NativeDialLossWeights, NativeDialObjective
from mbu_ops.testing import tiny_native

CONFIG = NativeConfig(resolution=32, height=16, channels=8, patch=2, flow=True)
Batch = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    return torch.rand(4, 7, 16, 32), torch.rand(4, 4, 16, 32), torch.rand(4, 3, 16, 32)


def objective(**weights: float) -> NativeDialObjective:
    torch.manual_seed(0)
    return NativeDialObjective(NativeDial(CONFIG), replace(NativeDialLossWeights(), **weights))


def test_every_group_learns_both_ways(batch: Batch) -> None:
    one = objective()
    groups = [group for group, _, _ in one.steps(*batch)]
    assert groups == 2 * ["classifier", "discriminator", "networks"]
    assert sum(map(len, one.parameter_groups().values())) == len(list(one.parameters()))


@pytest.mark.parametrize(("left_out", "learns"), [("less", "more"), ("more", "less")])
def test_a_way_without_weight_stays_as_it_is(batch: Batch, left_out: str, learns: str) -> None:
    one = objective(**{left_out: 0.0})
    for _, terms, found in one.steps(*batch):
        assert all(name.startswith(learns) for name in terms | found)
        torch.stack(list(terms.values())).sum().backward()
    touched = {
        name: any(p.grad is not None for p in getattr(one.model, name).parameters()) for name in ("less", "more")
    }
    assert touched == {left_out: False, learns: True}


def test_weights_of_a_way_multiply(batch: Batch) -> None:
    once, thrice = (
        {name: value for _, terms, _ in objective(less=0.0, more=weight).steps(*batch) for name, value in terms.items()}
        for weight in (1.0, 3.0)
    )
    torch.testing.assert_close(3 * once["more same"], thrice["more same"])


def test_more_is_learnt_from_what_less_removed(batch: Batch) -> None:
    """Targets are the photos; one in which nothing was there is passed over."""
    one = objective()
    photos = batch[1][:, :3]
    mask = torch.zeros(4, 1, 16, 32)
    mask[:3, :, 4:12, 8:24] = 1
    one.model.less.planes = lambda _photos: Planes(torch.zeros_like(photos), mask, torch.zeros_like(mask))
    pairs = Pairs.of(one._removed(photos))
    assert torch.equal(pairs.wanted, photos[[0, 1, 2, 0]])
    inside, outside = pairs.masks[..., 6:10, 10:22], pairs.masks[..., :1, :]
    assert inside.min() > 0.5
    assert outside.max() < 0.01
    assert pairs.shown[..., 6:10, 10:22].mean() < 0.1


def test_where_nothing_is_removed_it_still_learns(batch: Batch) -> None:
    one, photos = objective(), batch[1][:, :3]
    still = torch.zeros(4, 1, 16, 32)
    one.model.less.planes = lambda _photos: Planes(photos, still, still)
    assert torch.equal(Pairs.of(one._removed(photos)).wanted, photos)


def test_it_is_built_by_names() -> None:
    built = build_objective(NativeDial(CONFIG), "quick", {"less": 0.5})
    assert isinstance(built, NativeDialObjective)
    assert built.weights == replace(LOSS_WEIGHTS["quick"], less=0.5)
    assert built.guides(built.model) is None
    with pytest.raises(ConfigurationError, match="trains the networks of NativeDial, got Native"):
        NativeDialObjective.build(tiny_native(), "quick", {}, "l1", 0.0)


def test_a_sheet_shows_both_ways(batch: Batch) -> None:
    sheet = objective().sheet(NativeDial(CONFIG).eval(), batch[2], batch[1][:, :3])
    assert sheet.shape == (3, 8 * 16, 4 * 32)
