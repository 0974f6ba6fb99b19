"""A method from another distribution, the one in docs/methods.md: no code of this package knows its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import mbu_ops
from mbu_ops import weights
from mbu_ops.data.domains import Domains
from mbu_ops.functional.render import render
from mbu_ops.methods import get_method, method_names
from mbu_ops.objectives import build_objective
from mbu_ops.training.config import TrainingConfig
from mbu_ops.training.loop import Provenance, Trainer

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
(CODE,) = re.findall(r"```python\n(# my_stickers\.py\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
VERBS = ("transfer", "remove", "swap", "segment", "interpolate")


@pytest.fixture
def method(install: Callable[..., Path]) -> Iterator[Any]:
    install("my-stickers", "[mbu_ops.methods]\nstickers = my_stickers:Stickers\n", {"my_stickers": CODE})
    yield get_method("stickers")
    del sys.modules["my_stickers"]


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, 16, 16)


@pytest.fixture
def file(method: Any, tmp_path: Path) -> Path:
    model, path = method("small").eval(), tmp_path / "hats.safetensors"
    info = weights.WeightsInfo("stickers", model.config_to_dict(model.config), 16, attributes=("hat",))
    guides = model.encode_guide(torch.rand(3, 3, 16, 16)).detach()
    weights.save(path, model, info, guides, torch.float32)
    return path


def test_it_is_found_among_ours(method: Any) -> None:
    assert "stickers" in method_names()
    assert method.info.verbs == set(VERBS)
    assert method.config_from_dict({"channels": 4, "resolution": 16}) == method.configs["small"]


def test_weights_come_back_and_its_verbs_draw(method: Any, file: Path, image: Tensor) -> None:
    loaded = weights.load(file)
    assert type(loaded.model) is method
    assert loaded.guides is not None
    model: Any = loaded.model
    code = model.encode_guide(image.flip(0))
    edit = render(image, model.transfer(image, code))
    drawn = torch.sigmoid(model.paint(torch.cat([image, code.expand(-1, -1, 16, 16)], 1)))
    torch.testing.assert_close(edit.image, drawn[:, 3:] * drawn[:, :3] + (1 - drawn[:, 3:]) * image)
    torch.testing.assert_close(model.segment(image), model.remove(image).mask)


def test_its_objective_trains_it(method: Any, image: Tensor) -> None:
    objective = build_objective(method("small"))
    ((group, terms, _),) = objective.steps(image, image.flip(0))
    torch.stack(list(terms.values())).sum().backward()
    assert all(weight.grad is not None for weight in objective.parameter_groups()[group])


def test_ops_and_chains_take_its_weights(method: Any, file: Path) -> None:
    photo, guide = torch.rand(1, 3, 40, 30), torch.rand(1, 3, 20, 20)
    model = weights.load(file).model
    added = mbu_ops.Transfer(model)(photo, guide)
    assert (added - photo).abs().mean() > 0.01
    torch.testing.assert_close(mbu_ops.Transfer.from_pretrained(file)(photo, guide), added)
    removed, swapped = mbu_ops.Remove(model)(photo), mbu_ops.Swap(model)(photo, guide)
    torch.testing.assert_close(mbu_ops.chain([f"remove:{file}"])(photo), removed)
    assert mbu_ops.chain([f"remove:{file}", f"add:{file}"])(photo).shape == swapped.shape == photo.shape
    assert mbu_ops.chain([f"segment:{file}"])(photo).shape == (1, 1, 40, 30)


def test_the_loop_trains_it(method: Any, tmp_path: Path) -> None:
    pictures = Domains(*torch.randint(0, 256, (2, 8, 3, 16, 16), dtype=torch.uint8), source="noise")
    settings = TrainingConfig(
        method="stickers", config="small", steps=3, coarse_steps=0, batch_size=2, save_every=2, log_every=1
    )
    assert Trainer(settings, pictures, tmp_path / "run", Provenance(("hat",))).run()
    again = Trainer(replace(settings, steps=4), pictures, tmp_path / "run", Provenance(("hat",)))
    again.resume()
    assert again.run()
    trained = weights.load(tmp_path / "run" / "weights.safetensors")
    assert trained.info.method == "stickers"
    assert trained.guides is not None
    assert trained.guides.shape[1:] == (4, 1, 1)
