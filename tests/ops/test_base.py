from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mbu_ops.errors import ConfigurationError, DTypeError, ShapeError
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.base import expand_code, to_frame, to_native
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer


def test_frame_has_the_models_size_and_dtype(model: MBU) -> None:
    frame = to_frame(model, torch.rand(2, 3, 40, 9, dtype=torch.float64))
    assert frame.shape == (2, 3, 16, 16)
    assert frame.dtype == torch.float32
    native = to_native(frame[:, :1], torch.rand(2, 3, 40, 9, dtype=torch.float16))
    assert native.shape == (2, 1, 40, 9)
    assert native.dtype == torch.float16


def test_code_is_given_to_every_image(model: MBU) -> None:
    image, code = torch.rand(3, 3, 9, 9), torch.rand(1, 4, 4, 4, dtype=torch.float64)
    expanded = expand_code(model, image, code)
    assert expanded.shape == (3, 4, 4, 4)
    assert expanded.dtype == torch.float32
    with pytest.raises(ShapeError, match="each of the 3, got 2"):
        expand_code(model, image, code.expand(2, -1, -1, -1))


def test_default_guides(model: MBU) -> None:
    assert Transfer(model).guides is None
    guides = torch.rand(5, 4, 4, 4)
    op = Transfer(model, guides=guides)
    assert op.guides is not None
    assert torch.equal(op.guides, guides)
    assert "default_guides" not in op.state_dict()
    assert op.double().guides.dtype == torch.float64
    with pytest.raises(ShapeError, match="guides"):
        Transfer(model, guides=guides[0])
    with pytest.raises(DTypeError, match="guides"):
        Transfer(model, guides=guides.long())


def test_from_pretrained_takes_model_and_guides_and_sets_eval(monkeypatch: pytest.MonkeyPatch, model: MBU) -> None:
    asked: list[Any] = []
    guides = torch.rand(2, 4, 4, 4)

    def load_pretrained(name: str, *, device: object, dtype: object) -> SimpleNamespace:
        asked.append((name, device, dtype))
        return SimpleNamespace(model=model.train(), info=None, guides=guides)

    monkeypatch.setitem(sys.modules, "mbu_ops.weights", SimpleNamespace(load_pretrained=load_pretrained))
    op = Transfer.from_pretrained("faces/glasses", device="cpu", dtype=torch.float32)
    assert asked == [("faces/glasses", "cpu", torch.float32)]
    assert op.model is model
    assert not op.model.training
    assert op.guides is guides
    image = torch.rand(1, 3, 20, 20)
    assert torch.equal(op.bind()(image), op.edit_code(image, guides[:1]).image)


def test_what_is_no_method() -> None:
    for model in (nn.Linear(1, 1), "faces/glasses"):
        with pytest.raises(ConfigurationError, match=r"Remove.from_pretrained"):
            Remove(model)


def test_op_leaves_the_training_mode_alone(model: MBU) -> None:
    assert Remove(model).model.training is False
    assert Remove(model.train()).model.training is True


def test_repr_shows_the_settings(model: MBU) -> None:
    assert "threshold=0.25, softness=0.0" in repr(Remove(model, threshold=0.25))
