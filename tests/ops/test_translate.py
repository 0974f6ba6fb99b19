"""From one domain into the other: every promise of an op, and that it is one pass of the decoder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import mbu_ops
from mbu_ops.errors import ConfigurationError, ShapeError, UnsupportedVerbError
from mbu_ops.methods.base import to_signed
from mbu_ops.methods.didd import DIDD, Codes
from mbu_ops.ops.look import Look
from mbu_ops.ops.redraw import Redraw
from mbu_ops.ops.translate import Translate
from mbu_ops.testing import OpTester, tiny_didd, tiny_maae


class TestTranslate(OpTester):
    op_class = Translate
    guides = 1

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Module:
        return tiny_didd(seed, dtype).for_content(1)


@pytest.fixture
def model() -> DIDD:
    return tiny_didd()


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(2, 3, 16, 16)  # the model's own size: no resizing


@pytest.fixture
def guide() -> torch.Tensor:
    return torch.rand(2, 3, 16, 16)


@pytest.mark.parametrize("content", [0, 1])
def test_the_drawing_is_the_papers(model: DIDD, image: torch.Tensor, guide: torch.Tensor, content: int) -> None:
    """``G(Ec(x), Es(guide), 0)``, with the guide's code in its own place."""
    own = model.separate_code(to_signed(guide), content)
    codes = [torch.zeros_like(own), torch.zeros_like(own)]
    codes[content] = own
    drawn = (model.decode(Codes(model.common_code(to_signed(image)), *codes)) + 1) / 2
    view = model.for_content(content)
    torch.testing.assert_close(Translate(view).edit(image, guide).raw, drawn)
    torch.testing.assert_close(Translate(view, Look(threshold=0.0, softness=0.0))(image, guide), drawn)


@pytest.mark.parametrize("content", [0, 1])
def test_it_removes_one_content_and_adds_the_other_in_one_call_of_the_decoder(
    model: DIDD, image: torch.Tensor, guide: torch.Tensor, content: int
) -> None:
    view = model.for_content(content)
    both = Redraw(model, {content: view.encode_guide(guide), 1 - content: None}, Look(threshold=0.1, dilation=0))
    expected = both(image)
    calls: list[int] = []
    model.decoder.register_forward_hook(lambda *_: calls.append(1))
    result = Translate(view)(image, guide)
    assert calls == [1]
    torch.testing.assert_close(result, expected)
    assert not torch.allclose(result, mbu_ops.Transfer(view)(image, guide)), "the other content went too"


def test_whole_networks_and_other_methods_are_refused(model: DIDD) -> None:
    with pytest.raises(ConfigurationError, match=r"networks of 2: take model.for_content\(0\)"):
        Translate(model)
    with pytest.raises(UnsupportedVerbError, match="expected a method that can translate, got maae"):
        Translate(tiny_maae())


def test_codes_of_other_weights_are_refused(model: DIDD, image: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match="expected code of shape"):
        Translate(model.for_content(0)).edit_code(image, torch.rand(1, 5, 4, 4))
