from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mbu_ops.errors import ConfigurationError, DTypeError, ShapeError, WeightsError
from mbu_ops.families import get_family
from mbu_ops.families.aligning import aligner
from mbu_ops.frames.aligners import GuardedAligner
from mbu_ops.frames.framed import Framed
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.chain import chain
from mbu_ops.ops.look import Look
from mbu_ops.ops.method import compile_verbs, expand_code, to_frame
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import tiny_didd
from mbu_ops.weights import WeightsInfo, save


def test_frame_has_the_models_size_and_dtype(model: MBU) -> None:
    frame = to_frame(model, torch.rand(2, 3, 40, 9, dtype=torch.float64))
    assert frame.shape == (2, 3, 16, 16)
    assert frame.dtype == torch.float32


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


def test_from_pretrained(tmp_path: Path, model: MBU) -> None:
    guides = torch.rand(2, 4, 4, 4)
    info = WeightsInfo("mbu", model.config_to_dict(model.config), model.config.resolution)
    save(tmp_path / "hats.safetensors", model.train(), info, guides, dtype=torch.float32)
    op = Transfer.from_pretrained(tmp_path / "hats.safetensors", device="cpu", dtype=torch.float64)
    assert not op.model.training
    assert op.guides.dtype == next(op.parameters()).dtype == torch.float64
    image = torch.rand(1, 3, 20, 20)
    expected = Transfer(model.eval()).edit_code(image, guides[:1]).image
    torch.testing.assert_close(op.bind()(image), expected, rtol=0, atol=1e-4)


def test_from_pretrained_without_such_a_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="hats"):
        Transfer.from_pretrained(tmp_path / "hats.safetensors")


def test_what_is_no_method() -> None:
    for model in (nn.Linear(1, 1), "faces/glasses"):
        with pytest.raises(ConfigurationError, match=r"Remove.from_pretrained"):
            Remove(model)


def test_op_leaves_the_training_mode_alone(model: MBU) -> None:
    assert Remove(model).model.training is False
    assert Remove(model.train()).model.training is True


def test_repr_shows_the_settings(model: MBU) -> None:
    remove = Remove(model, Look(threshold=0.25))
    assert repr(remove) == "Remove(mbu, whole at 16x16, Look(threshold=0.25, softness=0.1, dilation=None, detail=1.0))"


def test_repr_is_a_line(model: MBU) -> None:
    bound = Transfer(model).bind(torch.rand(1, 3, 16, 16))
    assert repr(bound) == f"Bound({bound.op!r})"
    assert repr(Segment(model)) == "Segment(mbu, whole at 16x16)"
    chain = Chain([("remove:hat", Remove(model)), ("add:hat@a.jpg", bound)])
    assert repr(chain) == "Chain(remove:hat add:hat@a.jpg)"
    framed = Framed(chain, GuardedAligner(get_family("faces"), aligner("faces")), views=4)
    assert repr(framed) == f"Framed({chain!r}, aligner=faces, which='all', views=4, missing='raise')"
    assert "\n" not in repr(Framed(bound, aligner("faces")))


def test_only_the_functions_that_are_named_are_compiled(model: MBU, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: ("compiled", function))
    compile_verbs(model, ("remove", "translate"))
    assert model.remove[0] == "compiled"
    assert callable(model.transfer)
    assert not hasattr(model, "translate")
    several = tiny_didd()
    compile_verbs(several, ())
    assert several.redraw[0] == "compiled", "it does the work of every verb"


def test_a_chain_compiles_what_its_verbs_call(tmp_path: Path, model: MBU, monkeypatch: pytest.MonkeyPatch) -> None:
    info = WeightsInfo("mbu", model.config_to_dict(model.config), model.config.resolution)
    save(tmp_path / "hats.safetensors", model, info, torch.rand(1, 4, 4, 4), dtype=torch.float32)
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function: compiled.append(function.__name__) or function)
    chain(f"swap:{tmp_path}/hats.safetensors", compile=True)
    assert sorted(compiled) == ["remove", "transfer"]


@pytest.mark.parametrize("name", ["threshold", "softness", "dilation", "detail"])
def test_what_belongs_to_the_look_is_set_there(model: MBU, name: str) -> None:
    op = Remove(model)
    with pytest.raises(AttributeError, match=rf"op.look = mbu_ops.ops.Look\({name}=1\)"):
        setattr(op, name, 1)
    op.look = Look(threshold=1).over(op.look)
    image = torch.rand(1, 3, 20, 20)
    assert torch.equal(op(image), image)
