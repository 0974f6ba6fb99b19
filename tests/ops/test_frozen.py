"""Ops with trained weights in a module that is trained: they draw the same, and their weights stay."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import mbu_ops
from mbu_ops.methods.base import Networks
from mbu_ops.methods.presence import OwnPresence
from mbu_ops.testing import tiny_didd, tiny_maae, tiny_mbu, tiny_native_guided, tiny_parsing
from mbu_ops.weights import WeightsInfo, load, save

TINY: dict[str, Callable[[], Networks]] = {
    "mbu": tiny_mbu,
    "didd": tiny_didd,
    "maae": tiny_maae,
    "native_guided": tiny_native_guided,
    "parsing": tiny_parsing,
}


def saved(folder: Path, method: str) -> Path:
    model = TINY[method]()
    names = tuple(f"content{index}" for index in range(model.contents))
    info = WeightsInfo(method, model.config_to_dict(model.config), model.config.resolution, attributes=names)
    path = folder / f"{method}.safetensors"
    save(path, model, info, dtype=torch.float32)
    return path


class Classifier(nn.Module):
    """What a user trains, with an op in front of it."""

    def __init__(self, edit: nn.Module) -> None:
        super().__init__()
        self.edit = edit
        self.head = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.edit(images))
        return logits


def fit(parent: Classifier, images: Tensor, epochs: int = 2) -> None:
    """Train as Lightning does: training mode, steps of the optimiser, validation in eval mode, training mode again."""
    parent(images)  # the lazy layer takes its size
    optimiser = torch.optim.AdamW(parent.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(epochs):
        parent.train()
        for batch in images.split(2):
            optimiser.zero_grad()
            nn.functional.cross_entropy(parent(batch), torch.tensor([0, 1])).backward()
            optimiser.step()
        parent.eval()
        with torch.no_grad():
            parent(images)
    parent.train()


def state_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(state: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in state)


def test_a_trained_parent_leaves_ops_as_they_are(tmp_path: Path) -> None:
    images = torch.rand(4, 3, 20, 24)
    mbu = mbu_ops.Transfer.from_pretrained(saved(tmp_path, "mbu"))
    chain = mbu_ops.chain(f"remove:{saved(tmp_path, 'maae')} remove:{tmp_path / 'mbu.safetensors'}")
    framed = mbu_ops.Framed(
        mbu_ops.Remove.from_pretrained(tmp_path / "mbu.safetensors"), mbu_ops.frames.Box(2, 2, 18, 18)
    )
    for edit in (mbu.bind(torch.rand(1, 3, 16, 16)), chain, framed):
        before, state = edit(images), state_of(edit)
        parent = Classifier(edit)
        fit(parent, images)
        assert torch.equal(edit(images), before)
        assert same(state_of(edit), state)
        assert not any(parameter.requires_grad for parameter in edit.parameters())
        assert parent.head[0].weight.grad is not None, "the rest is trained"


@pytest.mark.parametrize("method", TINY)
def test_networks_of_every_method_stay_in_eval_mode(method: str, tmp_path: Path) -> None:
    model = load(saved(tmp_path, method)).model
    for form in (model, model.for_inference(), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        parent = nn.Sequential(form).train()
        parent.train()
        assert not any(module.training for module in form.modules() if isinstance(module, nn.BatchNorm2d | nn.Dropout))
        assert not any(parameter.requires_grad for parameter in form.parameters())


def test_trainable_weights_are_trained(tmp_path: Path) -> None:
    images = torch.rand(4, 3, 20, 24)
    op = mbu_ops.Remove.from_pretrained(saved(tmp_path, "mbu"), trainable=True)
    state = state_of(op)
    assert not op.model.training
    fit(Classifier(op), images)
    after = state_of(op)
    assert op.model.training
    changed = {name for name in state if not torch.equal(state[name], after[name])}
    assert any(name.endswith("running_mean") for name in changed)
    assert any(name.endswith("weight") for name in changed)


def test_a_trainable_chain_is_trained(tmp_path: Path) -> None:
    chain = mbu_ops.chain(f"remove:{saved(tmp_path, 'mbu')}", trainable=True)
    chain.train()
    assert any(module.training for module in chain.modules() if isinstance(module, nn.BatchNorm2d))
    chain(torch.rand(2, 3, 20, 24)).mean().backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in chain.parameters())


def test_gradients_reach_image_and_guide(tmp_path: Path) -> None:
    op = mbu_ops.Transfer.from_pretrained(saved(tmp_path, "mbu")).train()
    image, guide = torch.rand(2, 3, 20, 24, requires_grad=True), torch.rand(1, 3, 16, 16, requires_grad=True)
    op(image, guide).square().mean().backward()
    assert image.grad is not None
    assert image.grad.any()
    assert guide.grad is not None
    assert guide.grad.any()


def test_frozen_ops_can_be_copied_saved_compiled_and_moved(tmp_path: Path) -> None:
    op, image = mbu_ops.Remove.from_pretrained(saved(tmp_path, "mbu")), torch.rand(2, 3, 20, 24)
    expected = op(image)
    other = copy.deepcopy(op).train()
    assert torch.equal(other(image), expected)
    trained = mbu_ops.Remove(tiny_mbu(seed=1))
    assert not torch.equal(trained(image), expected)
    trained.load_state_dict(op.state_dict())
    assert torch.equal(trained(image), expected)
    torch.compiler.reset()
    compiled = torch.compile(op.train(), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(image), expected)
    moved = nn.Sequential(other).to(torch.float64).train()
    torch.testing.assert_close(moved(image.double()), expected.double(), atol=1e-4, rtol=0)


def test_the_fast_form_decides_by_itself_what_there_is_to_do(tmp_path: Path) -> None:
    model = tiny_native_guided()
    info = WeightsInfo(
        "native_guided", model.config_to_dict(model.config), model.config.resolution, attributes=("hat",)
    )
    path = tmp_path / "own.safetensors"
    save(path, model, info, presence=OwnPresence(model, {"remove": 0.0, "add": 0.0}))
    [remove] = mbu_ops.chain(f"remove:{path}").steps
    moved = remove.to(torch.float64)
    seen: set[torch.dtype] = set()
    for layer in moved.model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].dtype))
    moved.detector(torch.rand(2, 3, *model.config.size))
    assert seen == {torch.float64}, "it asks the op's own network"
