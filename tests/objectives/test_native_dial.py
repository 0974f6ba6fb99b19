"""The objective of native dials: both ways learn, each from real photos."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mbu_ops.data.composites import Pairs
from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.native import Native, NativeConfig, Planes
from mbu_ops.methods.native_dial import NativeDial
from mbu_ops.objectives.native_dial import LOSS_WEIGHTS, NativeDialLossWeights, NativeDialObjective
from mbu_ops.testing import tiny_native

from .building import named

CONFIG = NativeConfig(resolution=32, height=16, channels=8, patch=2, flow=True)
Batch = tuple[Tensor, ...]


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


def draw(network: Native, mask: Tensor, shade: float) -> None:
    """Make a network paint a mask on the first of its photos, as many as there are masks, in a shade of grey."""
    mask = mask.clone()

    def planes(image: Tensor) -> Planes:
        return Planes(torch.full_like(image, shade), mask[: len(image)], mask[: len(image)])

    network.planes = planes  # type: ignore[method-assign]


def learnt(one: NativeDialObjective, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> dict[str, Pairs]:
    """Return the pairs that each network would learn from."""
    seen: dict[str, Pairs] = {}
    for name in ("less", "more"):
        monkeypatch.setattr(
            getattr(one, name), "steps", lambda pairs, *_, name=name: seen.update({name: Pairs.of(pairs)}) or ()
        )
    list(one.steps(*batch))
    return seen


def test_each_learns_from_what_the_other_did(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets are photos; those on which there was nothing to do are passed over."""
    one, (pairs, with_, without) = objective(), batch
    mask = torch.zeros(4, 1, 16, 32)
    mask[:3, :, 4:12, 8:24] = 1
    draw(one.model.less, mask, 0.0)
    draw(one.model.more, mask.flip(0), 1.0)
    seen = learnt(one, batch, monkeypatch)
    assert torch.equal(seen["more"].wanted, with_[[0, 1, 2, 0], :3])
    assert torch.equal(seen["less"].wanted, torch.cat([pairs[:2, 3:6], without[[1, 2]]]))
    for which, brightest in ((seen["more"], 0.1), (Pairs(*(part[2:] for part in seen["less"])), 1.1)):
        assert which.masks[..., 6:10, 10:22].min() > 0.3
        assert which.masks[..., :1, :].max() < 0.01
        assert brightest - 0.3 < which.shown[..., 6:10, 10:22].mean() < brightest


def test_pairs_the_other_way_make_up_most(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    one, reverse = objective(), torch.rand(4, 7, 16, 32)
    mask = torch.zeros(4, 1, 16, 32)
    mask[:, :, 4:12, 8:24] = 1
    draw(one.model.less, mask, 0.0)
    draw(one.model.more, 0 * mask, 1.0)
    more = learnt(one, (*batch, reverse), monkeypatch)["more"]
    assert torch.equal(more.wanted, torch.cat([reverse[:3, 3:6], batch[1][:1, :3]]))
    # what is left of the content on them is taken off first
    assert more.shown[..., 6:10, 10:22].mean() < 0.1
    assert more.masks[..., 6:10, 10:22].min() > 0.3
    draw(one.model.less, 0 * mask, 0.0)
    again = learnt(one, (*batch, reverse), monkeypatch)["more"]
    assert torch.equal(again.wanted, reverse[:, 3:6])
    assert torch.equal(again.shown, reverse[:, :3])


def test_where_nothing_is_done_it_still_learns(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    one, still = objective(), torch.zeros(4, 1, 16, 32)
    for network in (one.model.less, one.model.more):
        draw(network, still, 0.0)
    seen = learnt(one, batch, monkeypatch)
    assert torch.equal(seen["more"].wanted, batch[1][:, :3])
    assert torch.equal(seen["less"].wanted, batch[0][:, 3:6])


def test_it_is_built_by_names() -> None:
    built = named(NativeDial(CONFIG), "quick", {"less": 0.5})
    assert isinstance(built, NativeDialObjective)
    assert built.weights == replace(LOSS_WEIGHTS["quick"], less=0.5)
    assert built.guides(built.model, torch.rand(2, 3, 16, 32)).flatten().tolist() == [1.0]
    with pytest.raises(ConfigurationError, match="trains the networks of NativeDial, got Native"):
        NativeDialObjective.build(tiny_native())


def test_a_sheet_shows_both_ways(batch: Batch) -> None:
    sheet = objective().sheet(NativeDial(CONFIG).eval(), batch[2], batch[1][:, :3])
    assert sheet.shape == (3, 8 * 16, 4 * 32)
