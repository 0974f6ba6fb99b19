from __future__ import annotations

import copy
import pickle

import kornia.augmentation as K
import pytest
import torch
from torch import nn

from mbu_ops.errors import ConfigurationError, ShapeError
from mbu_ops.functional.blend import blend
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.bound import Bound, Chain
from mbu_ops.ops.interpolate import Interpolate
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.swap import Swap
from mbu_ops.ops.transfer import Transfer
from mbu_ops.testing import tiny_mbu


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(2, 3, 24, 20)


@pytest.fixture
def guide() -> torch.Tensor:
    return torch.rand(1, 3, 18, 14)


class TestBound:
    @pytest.mark.parametrize("op_class", [Transfer, Swap])
    def test_guide_and_its_code_give_the_same(
        self, op_class: type[Transfer], model: MBU, image: torch.Tensor, guide: torch.Tensor
    ) -> None:
        op = op_class(model)
        expected = op.edit(image, guide)
        for bound in (op.bind(guide), op.bind(code=op.encode(guide).detach())):
            assert torch.equal(bound(image), expected.image)
            assert torch.equal(bound.edit(image).mask, expected.mask)

    def test_interpolation(self, model: MBU, image: torch.Tensor, guide: torch.Tensor) -> None:
        op, second = Interpolate(model), torch.rand(1, 3, 12, 12)
        expected = op(image, guide, second, 0.25)
        assert torch.equal(op.bind(guide, second, 0.25)(image), expected)
        with torch.no_grad():
            bound = Bound(op, code=op.encode(guide, second, 0.25))
        assert torch.equal(bound(image), expected)

    def test_gradients_reach_guide_and_weights_at_every_call(
        self, model: MBU, image: torch.Tensor, guide: torch.Tensor
    ) -> None:
        bound = Transfer(model).bind(guide.requires_grad_())
        for _ in range(2):  # a graph kept from bind() would be gone the second time
            guide.grad = None
            bound(image).mean().backward()
            assert guide.grad is not None
            assert guide.grad.abs().sum() > 0
        assert model.separate_encoder[0].weight.grad is not None

    def test_buffers_move_but_are_not_saved(self, model: MBU, image: torch.Tensor, guide: torch.Tensor) -> None:
        op = Transfer(model)
        by_guide, by_code = op.bind(guide), op.bind(code=op.encode(guide).detach())
        for bound in (by_guide, by_code):
            assert set(bound.state_dict()) == {f"op.{key}" for key in op.state_dict()}
            assert all(buffer.dtype != torch.float32 for buffer in bound.double().buffers() if buffer.ndim)
            bound.float()
            for copied in (copy.deepcopy(bound), pickle.loads(pickle.dumps(bound))):
                assert torch.equal(copied(image), bound(image))

    def test_default_guide(self, image: torch.Tensor) -> None:
        guides = torch.rand(3, 4, 4, 4)
        op = Transfer(tiny_mbu(), guides=guides)
        assert torch.equal(op.bind()(image), op.bind(code=guides[:1])(image))
        assert not torch.equal(op.bind()(image), op.bind(code=guides[1:2])(image))

    def test_what_cannot_be_bound(self, model: MBU, image: torch.Tensor, guide: torch.Tensor) -> None:
        op = Transfer(model)
        with pytest.raises(ConfigurationError, match="got both"):
            op.bind(guide, code=torch.rand(1, 4, 4, 4))
        with pytest.raises(ConfigurationError, match="no default guides"):
            op.bind()
        with pytest.raises(ConfigurationError, match="got neither"):
            Bound(op)
        with pytest.raises(ShapeError, match=r"guides\[i:i \+ 1\]"):
            op.bind(code=torch.rand(4, 4, 4))
        with pytest.raises(ShapeError, match="each of the 2, got 3"):
            op.bind(code=torch.rand(3, 4, 4, 4))(image)


class TestChain:
    def steps(self, model: MBU, guide: torch.Tensor) -> list[tuple[str, nn.Module]]:
        return [("remove:smile", Remove(tiny_mbu(1))), ("add:glasses", Transfer(model).bind(guide))]

    def test_steps_one_after_another(self, model: MBU, image: torch.Tensor, guide: torch.Tensor) -> None:
        (_, first), (_, second) = steps = self.steps(model, guide)
        chain = Chain(steps)
        edits = chain.edits(image)
        assert chain.names == ("remove:smile", "add:glasses")
        assert torch.equal(chain(image), second(first(image)))
        assert torch.equal(edits[0].image, first(image))
        assert torch.equal(edits[1].image, chain(image))

    def test_edit_is_the_whole_chain_in_one_blend(self, model: MBU, image: torch.Tensor, guide: torch.Tensor) -> None:
        chain = Chain(self.steps(model, guide))
        edit = chain.edit(image)
        assert torch.equal(edit.image, chain(image))
        torch.testing.assert_close(blend(image, edit.raw, edit.mask), edit.image)
        untouched = (edit.mask == 0).expand_as(image)
        assert untouched.any()
        assert torch.equal(edit.image[untouched], image[untouched])

    def test_segment_last_gives_the_mask(self, model: MBU, image: torch.Tensor, guide: torch.Tensor) -> None:
        steps = [*self.steps(model, guide), ("segment:glasses", Segment(model))]
        chain = Chain(steps)
        assert chain.makes_mask
        assert torch.equal(chain(image), Segment(model)(Chain(steps[:2])(image)))
        edits = chain.edits(image)
        assert torch.equal(edits[-1].mask, chain(image))
        assert torch.equal(edits[-1].image, edits[-2].image)
        assert torch.equal(chain.edit(image).mask, chain(image))

    def test_mask_in_the_middle(self, model: MBU, guide: torch.Tensor) -> None:
        with pytest.raises(ConfigurationError, match=r"segment:hats as the last step.*remove:smile comes after"):
            Chain([("segment:hats", Segment(model)), *self.steps(model, guide)])

    def test_no_steps(self) -> None:
        with pytest.raises(ConfigurationError, match="at least one step"):
            Chain([])

    def test_shared_weights_and_repeated_names(self, model: MBU, image: torch.Tensor) -> None:
        chain = Chain([("remove:hats", Remove(model)), ("remove:hats", Remove(model))])
        assert len(chain.edits(image)) == 2
        assert len(list(chain.parameters())) == len(list(model.parameters()))

    def test_any_module_can_be_a_step(self, model: MBU, image: torch.Tensor) -> None:
        chain = Chain([("dim", nn.Hardtanh(0, 0.5)), ("remove", Remove(model))])
        assert torch.equal(chain(image), Remove(model)(image.clamp(max=0.5)))
        assert chain.edits(image)[0].mask.eq(1).all()

    def test_company(self, model: MBU, image: torch.Tensor, guide: torch.Tensor) -> None:
        chain = Chain(self.steps(model, guide))
        assert torch.equal(K.ImageSequential(chain)(image), chain(image))
        mask = torch.rand(2, 1, 24, 20)
        result, same = K.AugmentationSequential(chain, data_keys=["input", "mask"])(image, mask)
        assert torch.equal(result, chain(image))
        assert torch.equal(same, mask)
        torch.compiler.reset()
        compiled = torch.compile(chain, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(image), chain(image))
        program = torch.export.export(chain, (image,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        larger = torch.rand(5, 3, 24, 20)
        torch.testing.assert_close(program.module()(larger), chain(larger))
