"""Every promise an op makes, as one pytest class to inherit from."""
# ruff: noqa: S101

from __future__ import annotations

import copy
from typing import Any, ClassVar

import kornia.augmentation as K
import pytest
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor, nn

from mbu_ops.errors import DeviceError, DTypeError, ShapeError, UnsupportedVerbError
from mbu_ops.functional.blend import blend
from mbu_ops.methods.info import MethodInfo
from mbu_ops.ops.base import MaskOp
from mbu_ops.testing.tiny import tiny_mbu


class OpTester:
    """Inherit from this, name the op and how many guides it takes, and pytest runs the whole list.

    Attributes:
        op_class: the op under test.
        guides: how many guide images ``forward`` takes after the image.
        extra: further positional arguments of ``forward``, after the guides.

    Example:
        >>> from mbu_ops.ops.transfer import Transfer
        >>> class TestTransfer(OpTester):
        ...     op_class = Transfer
        ...     guides = 1
        >>> TestTransfer().test_smoke()
    """

    op_class: ClassVar[type[nn.Module]]
    guides: ClassVar[int] = 0
    extra: ClassVar[tuple[Any, ...]] = ()

    # -- what the tests are made of; override what differs ----------------------------------------------------------

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
        """Return the tiny network that the op asks, in eval mode; other seeds give other weights."""
        return tiny_mbu(seed, dtype)

    def build(self, model: nn.Module) -> Any:
        """Return the op with a network."""
        return self.op_class(model)

    def make_op(self, dtype: torch.dtype = torch.float32) -> Any:
        """Return the op with the tiny network, in eval mode."""
        return self.build(self.make_model(dtype=dtype))

    def make_inputs(
        self, batch: int = 2, height: int = 24, width: int = 20, dtype: torch.dtype = torch.float32
    ) -> tuple[Any, ...]:
        """Return an image batch, one guide for each image, and the extra arguments."""
        generator = torch.Generator().manual_seed(batch * 10_000 + height * 100 + width)
        shapes = [(batch, 3, height, width)] + [(batch, 3, 18 + 3 * i, 14) for i in range(self.guides)]
        return *(torch.rand(shape, generator=generator).to(dtype) for shape in shapes), *self.extra

    def one_in(self, op: Any, inputs: tuple[Any, ...]) -> nn.Module:
        """Return the op as a module with one input."""
        module: nn.Module = op.bind(*(self._one(value) for value in inputs[1:])) if self.guides else op
        return module

    @staticmethod
    def _one(value: Any) -> Any:
        return value[:1] if isinstance(value, Tensor) and value.ndim else value

    # -- results ----------------------------------------------------------------------------------------------------

    def test_smoke(self) -> None:
        """The result has the image's size and dtype, lies in [0, 1], and is the edit's."""
        op, inputs = self.make_op(), self.make_inputs()
        image = inputs[0]
        result, edit = op(*inputs), op.edit(*inputs)
        assert torch.equal(result, edit.mask if isinstance(op, MaskOp) else edit.image)
        assert edit.image.shape == edit.raw.shape == image.shape
        assert edit.mask.shape == (len(image), 1, *image.shape[-2:])
        for part in edit:
            assert part.dtype == image.dtype
            assert part.isfinite().all()
            assert part.min() >= -1e-6
            assert part.max() <= 1 + 1e-6
        assert edit.mask.max() > 0.5, "the tiny network should edit something"

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
    def test_outside_mask_identical(self, dtype: torch.dtype) -> None:
        """Where the mask is 0, and there are such places, the image is the input bit for bit; elsewhere, blended."""
        op, inputs = self.make_op(), self.make_inputs(height=40, width=33, dtype=dtype)
        image = inputs[0]
        edit = op.edit(*inputs)
        outside = (edit.mask == 0).expand_as(image)
        if isinstance(op, MaskOp):
            assert torch.equal(edit.image, image)
            return
        assert 0 < outside.double().mean() < 0.95
        assert torch.equal(edit.image[outside], image[outside])
        assert not torch.equal(edit.image, image)
        tolerance = 8 * torch.finfo(dtype).eps
        torch.testing.assert_close(edit.image, blend(image, edit.raw, edit.mask), rtol=0, atol=tolerance)

    @pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (16, 16), (8, 37), (61, 16)])
    def test_cardinality(self, size: tuple[int, int]) -> None:
        """Any height and width, smaller or larger than the model's frame."""
        result = self.make_op()(*self.make_inputs(1, *size))
        assert result.shape[0] == 1
        assert result.shape[-2:] == size
        assert result.isfinite().all()

    def test_batched_equals_single(self) -> None:
        """No image of a batch influences another, and one guide goes with all images."""
        op, inputs = self.make_op(torch.float64), self.make_inputs(3, dtype=torch.float64)
        shared = (inputs[0], *(self._one(value) for value in inputs[1:]))
        for arguments in (inputs, shared):
            together = op(*arguments)
            for index in range(3):
                alone = [
                    value[index : index + 1] if isinstance(value, Tensor) and value.shape[:1] == (3,) else value
                    for value in arguments
                ]
                torch.testing.assert_close(together[index : index + 1], op(*alone), rtol=0, atol=1e-10)

    def test_input_untouched(self) -> None:
        """The op writes into none of its inputs."""
        inputs = self.make_inputs(height=16, width=16)  # the model's own size: nothing is resized on the way
        before = copy.deepcopy(inputs)
        self.make_op()(*inputs)
        for value, old in zip(inputs, before, strict=True):
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(old))

    # -- errors -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("bad", "error", "says"),
        [
            (torch.rand(3, 24, 20), ShapeError, "batch dimension"),
            (torch.rand(2, 1, 24, 20), ShapeError, r"\(B, 3, H, W\)"),
            (torch.rand(2, 4, 24, 20), ShapeError, "alpha"),
            (torch.rand(0, 3, 24, 20), ShapeError, "at least one image"),
            (torch.rand(2, 3, 0, 20), ShapeError, "one pixel"),
            (torch.zeros(2, 3, 24, 20, dtype=torch.uint8), DTypeError, "/ 255"),
            (torch.zeros(2, 3, 24, 20, dtype=torch.int64), DTypeError, "floating-point"),
            ("portrait.jpg", DTypeError, "torch.Tensor"),
            (torch.rand(2, 3, 24, 20, device="meta"), DeviceError, "device"),
        ],
        ids=["3d", "grey", "alpha", "empty", "no-rows", "uint8", "int64", "path", "device"],
    )
    def test_errors(self, bad: Any, error: type[Exception], says: str) -> None:
        """A wrong image or guide is refused with the library's own error, which says what to do."""
        op, inputs = self.make_op(), self.make_inputs()
        # a guide may be a path; a thing alone, with alpha, is a guide to weights that take a guide's own pixels
        allowed = isinstance(bad, str) or (says == "alpha" and op.model.info.takes_pixels)
        guides = 0 if allowed else self.guides
        for position in range(1 + guides):
            arguments = [*inputs[:position], bad, *inputs[position + 1 :]]
            with pytest.raises(error, match=says):
                op(*arguments)

    def test_guide_batch_mismatch(self) -> None:
        """Two guides do not go with three images."""
        op, inputs = self.make_op(), self.make_inputs(3)
        for position in range(1, 1 + self.guides):
            arguments = [*inputs[:position], inputs[position][:2], *inputs[position + 1 :]]
            with pytest.raises(ShapeError, match="each of the 3, got 2"):
                op(*arguments)

    def test_unsupported_verb(self) -> None:
        """A method without the verb is refused, and the error names what the method has."""
        model = self.make_model()
        model.info = MethodInfo("other", frozenset({"juggle"}), "other:Objective")
        with pytest.raises(UnsupportedVerbError, match="other, which can juggle"):
            self.build(model)

    # -- gradients --------------------------------------------------------------------------------------------------

    def test_gradcheck(self) -> None:
        """Analytic and numeric gradients agree in float64, for the image and every guide."""
        op, inputs = self.make_op(torch.float64), self.make_inputs(1, 5, 7, dtype=torch.float64)
        small = [value[..., :6, :5] if isinstance(value, Tensor) and value.ndim == 4 else value for value in inputs[1:]]
        leaves = [inputs[0], *(v.double() if isinstance(v, Tensor) else v for v in small)]
        leaves = [v.detach().clone().requires_grad_() if isinstance(v, Tensor) else v for v in leaves]
        assert torch.autograd.gradcheck(op, leaves, eps=1e-6, atol=1e-5, rtol=1e-3)

    def test_gradients_reach_everything(self) -> None:
        """Image, guides and weights all get a gradient that is not zero."""
        op, inputs = self.make_op(), self.make_inputs()
        tensors = [v.requires_grad_() for v in inputs if isinstance(v, Tensor)]
        op(*inputs).square().mean().backward()
        for tensor in tensors:
            assert tensor.grad is not None
            assert tensor.grad.abs().sum() > 0
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in op.parameters())

    # -- compilation and export -------------------------------------------------------------------------------------

    def test_compile(self) -> None:
        """The op compiles without a graph break, as it is and with its guide bound."""
        op, inputs = self.make_op(), self.make_inputs()
        # one and the same where there is no guide to bind
        both: dict[Any, tuple[Any, ...]] = {op: inputs, self.one_in(op, inputs): inputs[:1]}
        for module, arguments in both.items():
            torch.compiler.reset()
            # the tracer alone, which is what meets breaks; compilers take twice as long and have a test of their own
            compiled: Any = torch.compile(module, fullgraph=True, backend="eager")
            torch.testing.assert_close(compiled(*arguments), module(*arguments))

    @pytest.mark.slow
    def test_compile_inductor(self) -> None:
        """The default compiler gives the same picture; it needs a C++ compiler."""
        op, inputs = self.make_op(), self.make_inputs()
        torch.compiler.reset()
        compiled: Any = torch.compile(op, fullgraph=True)
        torch.testing.assert_close(compiled(*inputs), op(*inputs), rtol=1e-4, atol=1e-5)

    def test_export(self) -> None:
        """The bound op exports with a dynamic batch, and the export runs on batches of other sizes."""
        inputs = self.make_inputs(2)
        bound = self.one_in(self.make_op(), inputs)
        batch = torch.export.Dim("batch")
        program = torch.export.export(bound, (inputs[0],), dynamic_shapes=({0: batch},))
        for count in (2, 5):
            image = self.make_inputs(count)[0]
            torch.testing.assert_close(program.module()(image), bound(image))

    # -- company ----------------------------------------------------------------------------------------------------

    def test_image_sequential(self) -> None:
        """The op works in kornia's ImageSequential, alone and after an augmentation."""
        inputs = self.make_inputs()
        bound = self.one_in(self.make_op(), inputs)
        assert torch.equal(K.ImageSequential(bound)(inputs[0]), bound(inputs[0]))
        flipped = K.ImageSequential(K.RandomHorizontalFlip(p=1.0), bound)(inputs[0])
        assert torch.equal(flipped, bound(inputs[0].flip(-1)))

    def test_augmentation_sequential(self) -> None:
        """In AugmentationSequential only the image passes through the op; mask and keypoints beside it do not."""
        inputs = self.make_inputs()
        bound: Any = self.one_in(self.make_op(), inputs)  # kornia takes any module, its annotation does not say so
        mask = torch.rand(2, 1, *inputs[0].shape[-2:])
        keypoints = torch.tensor([[[1.0, 2.0], [7.0, 11.0]]]).expand(2, -1, -1).clone()
        keys = ["input", "mask", "keypoints"]
        image, same_mask, same_points = K.AugmentationSequential(bound, data_keys=keys)(inputs[0], mask, keypoints)
        assert torch.equal(image, bound(inputs[0]))
        assert torch.equal(same_mask, mask)
        assert torch.equal(same_points, keypoints)
        flip = K.AugmentationSequential(K.RandomHorizontalFlip(p=1.0), bound, data_keys=keys)
        image, flipped_mask, _ = flip(inputs[0], mask, keypoints)
        assert torch.equal(image, bound(inputs[0].flip(-1)))
        assert torch.equal(flipped_mask, mask.flip(-1))

    def test_state_dict(self) -> None:
        """The state is the weights and nothing else, survives saving, and the module can be copied."""
        op, inputs = self.make_op(), self.make_inputs()
        assert {key.removeprefix("model.") for key in op.state_dict()} == set(op.model.state_dict())
        bound = self.one_in(op, inputs)
        assert not [key for key in bound.state_dict() if "model." not in key]
        file = write_tensors(op.state_dict())
        other = self.build(self.make_model(seed=1))
        assert not torch.equal(other(*inputs), op(*inputs))
        other.load_state_dict(read_tensors(file))
        assert torch.equal(other(*inputs), op(*inputs))
        assert torch.equal(copy.deepcopy(bound)(inputs[0]), bound(inputs[0]))

    @pytest.mark.gpu
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    def test_cuda_equals_cpu(self) -> None:
        """A GPU gives the same edit, in float64 where rounding cannot hide a difference."""
        op, inputs = self.make_op(torch.float64), self.make_inputs(dtype=torch.float64)
        expected = op(*inputs)
        result = op.cuda()(*(v.cuda() if isinstance(v, Tensor) else v for v in inputs))
        assert result.is_cuda
        torch.testing.assert_close(result.cpu(), expected, rtol=0, atol=1e-6)

    # -- precision --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half(self, dtype: torch.dtype) -> None:
        """Half-precision images, weights or both give nearly the exact result, in the image's dtype."""
        inputs = self.make_inputs()
        exact = self.make_op().edit(*inputs)
        for weights, pixels in ((dtype, dtype), (torch.float32, dtype), (dtype, torch.float32)):
            op = self.make_op(weights)
            edit = op.edit(*(v.to(pixels) if isinstance(v, Tensor) else v for v in inputs))
            for part, reference in zip(edit, exact, strict=True):
                assert part.dtype == pixels
                assert (part.float() - reference).abs().mean() < 0.05

    def test_autocast(self) -> None:
        """Under autocast the result keeps the image's dtype and stays near the exact one."""
        op, inputs = self.make_op(), self.make_inputs()
        exact = op(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = op(*inputs)
            assert op.edit(*inputs).mask.dtype == torch.float32
        assert result.dtype == torch.float32
        assert (result - exact).abs().mean() < 0.05
