from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.mbu import CONFIGS, MBU, MBUConfig, to_signed, to_unit

SEPARATE = 25
PUBLISHED = {
    "common_encoder": (nn.Conv2d, [3, 32, 64, 128, 256, 512 - SEPARATE, 512 - SEPARATE]),
    "separate_encoder": (nn.Conv2d, [3, 32, 64, 128, 128, 128, SEPARATE]),
    "without_decoder": (nn.ConvTranspose2d, [512, 512, 256, 128, 64, 32, 3]),
    "with_decoder": (nn.ConvTranspose2d, [512, 512, 256, 128, 64, 32, 4]),
}
"""Layers of the paper's networks, as its code has them: channels from input to output."""


@pytest.fixture(scope="module")
def paper() -> MBU:
    torch.manual_seed(0)
    return MBU("paper").eval()


class TestPaper:
    @pytest.mark.parametrize("network", PUBLISHED)
    def test_has_exactly_the_published_layers(self, paper: MBU, network: str) -> None:
        kind, channels = PUBLISHED[network]
        pairs = list(pairwise(channels))
        expected: list[tuple[object, ...]] = []
        for index, (incoming, outgoing) in enumerate(pairs):
            expected.append((kind, incoming, outgoing, (4, 4), (2, 2), (1, 1), True))
            if kind is nn.Conv2d or index < len(pairs) - 1:
                expected += [(nn.BatchNorm2d, outgoing), (nn.LeakyReLU, 0.2)]
        found: list[tuple[object, ...]] = []
        for layer in getattr(paper, network):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                sizes = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
                found.append((type(layer), *sizes, layer.bias is not None))
            elif isinstance(layer, nn.BatchNorm2d):
                found.append((nn.BatchNorm2d, layer.num_features))
            else:
                found.append((type(layer), layer.negative_slope))
        assert found == expected

    def test_has_nothing_else(self, paper: MBU) -> None:
        assert [name for name, _ in paper.named_children()] == list(PUBLISHED)
        assert paper.config.separate_code_shape == (25, 2, 2)
        assert paper.config.common_code_shape == (487, 2, 2)

    @torch.no_grad()
    def test_verbs_equal_a_plain_evaluation(self, paper: MBU) -> None:
        image, guide = torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128)
        state = paper.state_dict()

        def run(network: str, x: Tensor, statistics_of: str = "running") -> Tensor:
            kind, channels = PUBLISHED[network]
            convolve = F.conv2d if kind is nn.Conv2d else F.conv_transpose2d
            for index in range(len(channels) - 1):
                at = f"{network}.{3 * index}"
                x = convolve(x, state[f"{at}.weight"], state[f"{at}.bias"], stride=2, padding=1)
                norm = f"{network}.{3 * index + 1}"
                if f"{norm}.weight" in state:
                    statistics = (state[f"{norm}.{statistics_of}_mean"], state[f"{norm}.{statistics_of}_var"])
                    x = F.batch_norm(x, *statistics, state[f"{norm}.weight"], state[f"{norm}.bias"])
                    x = F.leaky_relu(x, 0.2)
            return x

        x, g = image * 2 - 1, guide * 2 - 1
        common = run("common_encoder", x)
        output = run("with_decoder", torch.cat([common, run("separate_encoder", g)], 1))
        layer = paper.transfer(image, paper.encode_guide(guide))
        torch.testing.assert_close(layer.mask, output[:, :1].sigmoid())
        torch.testing.assert_close(layer.bias, (output[:, 1:].tanh() + 1) / 2)
        common = run("common_encoder", x, "content")
        free = run("without_decoder", torch.cat([common, torch.zeros(1, SEPARATE, 2, 2)], 1), "content")
        own = run("with_decoder", torch.cat([common, run("separate_encoder", x, "content")], 1), "content")
        removed = paper.remove(image)
        torch.testing.assert_close(removed.bias, (free.tanh() + 1) / 2)
        torch.testing.assert_close(removed.mask, own[:, :1].sigmoid())
        torch.testing.assert_close(paper.segment(image), own[:, :1].sigmoid())


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_runs_at_its_resolution(name: str) -> None:
    model = MBU(name).eval()
    side = model.config.resolution
    image = torch.rand(2, 3, side, side)
    with torch.no_grad():
        code = model.encode_guide(image)
        layer = model.transfer(image, code)
    assert code.shape == (2, *model.config.separate_code_shape)
    assert layer.bias.shape == image.shape
    assert layer.mask.shape == (2, 1, side, side)
    assert layer.bias.min() >= 0
    assert layer.bias.max() <= 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"resolution": 100}, "multiple of patch"),
        ({"resolution": 32}, "multiple of patch"),
        ({"patch": 0}, "multiple of patch"),
        ({"separate_channels": 0}, "separate_channels must lie between 1 and 511"),
        ({"separate_channels": 512}, "got 512"),
        ({"separate_widths": (32, 64)}, "one entry fewer"),
    ],
)
def test_configurations_that_cannot_work(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        MBUConfig(**settings)


def test_unknown_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"paper.*got 'papper'"):
        MBU("papper")
    assert MBU.named_config("paper") == MBUConfig()


def test_ranges_are_inverse() -> None:
    image = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(to_unit(to_signed(image)), image)
    assert to_signed(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1]
