"""The detector in a weights file: what goes in comes out, and nothing that is not right goes in or comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mbu_ops import weights
from mbu_ops.errors import WeightsError
from mbu_ops.methods.mbu import MBU
from mbu_ops.testing import tiny_didd, tiny_presence
from mbu_ops.weights import WeightsInfo
from mbu_ops.weights.info import METADATA_KEY


def described(model: Any, attributes: tuple[str, ...] = ("glasses",)) -> WeightsInfo:
    return WeightsInfo(
        model.info.name, model.config_to_dict(model.config), model.config.resolution, attributes=attributes
    )


@pytest.fixture
def path(model: MBU, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    weights.save(path, model, described(model), presence=tiny_presence(0.125, 0.875))
    return path


def test_it_comes_back_and_leaves_the_others_as_they_were(model: MBU, path: Path, tmp_path: Path) -> None:
    loaded = weights.load(path)
    images = torch.rand(4, 3, 20, 20)
    torch.testing.assert_close(loaded.presence(images), tiny_presence()(images), atol=1e-3, rtol=0)  # float16
    assert loaded.presence.thresholds == loaded.info.presence == {"remove": 0.125, "add": 0.875}
    assert not any(one.requires_grad for one in loaded.presence.parameters())
    plain = tmp_path / "plain.safetensors"
    weights.save(plain, model, described(model))
    assert weights.load(plain).presence is None
    with_it = load_file(path)
    assert all(torch.equal(value, with_it[name]) for name, value in load_file(plain).items())
    half = weights.load(path, dtype=torch.bfloat16).presence
    assert torch.equal(half(images), loaded.presence(images))


def rewritten(path: Path, change: Any = lambda tensors: tensors, **facts: object) -> None:
    with safe_open(path, "pt") as file:
        values = json.loads(file.metadata()[METADATA_KEY]) | facts
    save_file(change(load_file(path)), path, {METADATA_KEY: json.dumps(values)})


LAST = "presence.layers.9.bias"


@pytest.mark.parametrize(
    ("change", "facts", "reason"),
    [
        (dict, {"presence": None}, "unexpected: presence.layers.0.bias"),
        (lambda t: {n: v for n, v in t.items() if n != LAST}, {}, f"missing: {LAST}"),
        (lambda t: {n: v for n, v in t.items() if "presence" not in n}, {}, "missing: presence"),
        (lambda t: t | {LAST: torch.zeros(2).half()}, {}, f"expected {LAST} to be"),
        (lambda t: t | {LAST: torch.zeros(1)}, {}, f"expected {LAST} to be"),
        (lambda t: t | {LAST: torch.full((1,), torch.nan).half()}, {}, "finite"),
        (dict, {"presence": {"remove": 2.0, "add": 0.5}}, "expected presence"),
        (dict, {"presence": {"remove": 0.5}}, "expected presence"),
    ],
)
def test_nothing_in_a_file_is_believed(path: Path, change: Any, facts: dict[str, Any], reason: str) -> None:
    rewritten(path, change, **facts)
    with pytest.raises(WeightsError, match=reason):
        weights.load(path)


def test_networks_of_two_contents_have_none(tmp_path: Path) -> None:
    model = tiny_didd()
    with pytest.raises(WeightsError, match="edits 2 contents"):
        weights.save(tmp_path / "a.safetensors", model, described(model, ("a", "b")), presence=tiny_presence())
