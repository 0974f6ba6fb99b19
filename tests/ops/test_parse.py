"""Which part each pixel belongs to: every promise of an op, but for those of what changes pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, DTypeError, ShapeError, UnsupportedVerbError
from mbu_ops.functional.mask import resize
from mbu_ops.ops.parse import Parse
from mbu_ops.testing import OpTester, tiny_didd, tiny_maae, tiny_mbu, tiny_parsing, tiny_portrait

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


class TestParse(OpTester):
    op_class = Parse

    def make_model(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Module:
        return tiny_parsing(seed, dtype)

    def test_smoke(self) -> None:
        op, (image,) = self.make_op(), self.make_inputs()
        shares = op(image)
        assert shares.shape == (2, 5, 24, 20)
        assert 0 <= shares.min() < shares.max() <= 1
        torch.testing.assert_close(shares.sum(1), torch.ones(2, 24, 20))

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_outside_mask_identical(self, dtype: torch.dtype) -> None:
        """There is no mask: shares sum to 1 in every dtype."""
        (image,) = self.make_inputs(height=40, width=33, dtype=dtype)
        shares = self.make_op()(image)
        assert shares.dtype == dtype
        # the weights are of single precision
        eps = max(torch.finfo(one).eps for one in (dtype, torch.float32))
        assert (shares.double().sum(1) - 1).abs().max() < 8 * eps

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half(self, dtype: torch.dtype) -> None:
        (image,) = self.make_inputs()
        exact = self.make_op()(image)
        for weights, pixels in ((dtype, dtype), (torch.float32, dtype), (dtype, torch.float32)):
            shares = self.make_op(weights)(image.to(pixels))
            assert shares.dtype == pixels
            assert (shares.float() - exact).abs().mean() < 0.05

    def test_autocast(self) -> None:
        op, (image,) = self.make_op(), self.make_inputs()
        exact = op(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            shares = op(image)
        assert shares.dtype == torch.float32
        assert (shares - exact).abs().mean() < 0.05


@pytest.fixture(params=[tiny_parsing, tiny_portrait], ids=["parsing", "portrait"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    network: nn.Module = request.param()
    return network


def test_it_is_the_networks_own_reading_at_its_size(model: nn.Module) -> None:
    image = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(Parse(model)(image), model.parse(image))
    assert Parse(model).part_count == 5
    assert Parse(model).frame_size == (32, 32)


def test_shares_are_resized_and_not_decided_twice(model: nn.Module) -> None:
    image = torch.rand(1, 3, 90, 51)
    expected = resize(model.parse(resize(image, (32, 32))), (90, 51))
    torch.testing.assert_close(Parse(model)(image), expected)


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (7, 40), (130, 33)])
def test_labels_are_of_the_likeliest_parts(model: nn.Module, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    labels = Parse(model).labels(image)
    assert labels.shape == (2, 1, *size)
    assert labels.dtype == torch.int64
    assert torch.equal(labels[:, 0], Parse(model)(image).argmax(1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_labels_are_the_same_whatever_the_images_dtype_can_tell_apart(dtype: torch.dtype) -> None:
    """Shares that differ by less than half precision holds are still decided by the greater."""
    model = tiny_parsing()
    image = torch.rand(24, 3, 32, 32).to(dtype)
    assert torch.equal(Parse(model).labels(image), model.parse(image.float()).argmax(1, keepdim=True))


@pytest.mark.parametrize(
    ("image", "error", "says"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), DTypeError, "floating-point"),
        (torch.rand(3, 8, 8), ShapeError, "batch dimension"),
        (torch.rand(1, 1, 8, 8), ShapeError, r"\(B, 3, H, W\)"),
        (torch.rand(0, 3, 8, 8), ShapeError, "at least one image"),
        (None, DTypeError, "torch.Tensor"),
    ],
)
def test_labels_of_what_is_no_image_are_refused(image: Tensor, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Parse(tiny_parsing()).labels(image)


@pytest.mark.parametrize("other", [tiny_mbu, tiny_maae])
def test_methods_that_name_no_parts_are_refused(other: object) -> None:
    model = other()
    with pytest.raises(UnsupportedVerbError, match=f"expected a method that can parse, got {model.info.name}"):
        Parse(model)


def test_a_network_of_several_contents_is_asked_as_a_whole(model: nn.Module) -> None:
    with pytest.raises(UnsupportedVerbError, match="can parse"):
        Parse(model.for_content(1))
    with pytest.raises(UnsupportedVerbError, match="can parse, got didd"):
        Parse(tiny_didd())
    with pytest.raises(ConfigurationError, match="expected a method's network"):
        Parse(nn.Identity())
