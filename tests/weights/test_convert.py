"""Published checkpoints, rebuilt here layer by layer from the paper's table, and what converting them must give."""

from __future__ import annotations

import copy
import itertools
import os
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mbu_ops import weights
from mbu_ops.errors import WeightsError
from mbu_ops.weights.convert import convert

SEPARATE = 5
KEYS = {"new": ("e1", "e2", "d_a", "d_b"), "old": ("e1", "e2", "decoder", "mustacher")}


def encoder(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip([3, *widths], widths, strict=False):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def decoder(widths: list[int], out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], out, 4, 2, 1))


class Published:
    """The layers of section 3, evaluated plainly in [-1, 1]."""

    def __init__(self, wide: int = 24, widths: tuple[int, ...] = (4, 6, 8, 12), separate: int = SEPARATE) -> None:
        torch.manual_seed(0)
        self.e1 = encoder([*widths, wide - separate, wide - separate])
        self.e2 = encoder([*widths, widths[-1], separate])
        self.d_a = decoder([wide, wide, *reversed(widths)], 3)
        self.d_b = decoder([wide, wide, *reversed(widths)], 4)
        self.separate = separate
        for network in (self.e1, self.e2, self.d_a, self.d_b):
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    nn.init.normal_(module.running_mean, std=0.1)
                    nn.init.uniform_(module.running_var, 0.02, 0.2)
                    nn.init.normal_(module.weight, 1.0, 0.1)
            network.eval()

    def transfer(self, image: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        out = self.d_b(torch.cat([self.e1(image), self.e2(guide)], 1))
        return torch.tanh(out[:, 1:]), torch.sigmoid(out[:, :1])

    def remove(self, image: Tensor) -> Tensor:
        common = self.e1(image)
        zero = torch.zeros(len(image), self.separate, *common.shape[2:])
        return torch.tanh(self.d_a(torch.cat([common, zero], 1)))

    def checkpoint(self, naming: str = "new") -> dict[str, object]:
        prefixes = ("full.", "full.", "main.", "main.")
        networks = (self.e1, self.e2, self.d_a, self.d_b)
        return {
            key: OrderedDict((prefix + name, value) for name, value in network.state_dict().items())
            for key, prefix, network in zip(KEYS[naming], prefixes, networks, strict=True)
        }

    def discriminator(self, side: int) -> dict[str, Tensor]:
        inputs = self.e1[-2].num_features * side**2
        layers = {"classify.0": nn.Linear(inputs, 8), "classify.2": nn.Linear(8, 1)}
        return {f"{name}.{key}": value for name, layer in layers.items() for key, value in layer.state_dict().items()}


@pytest.fixture(scope="module")
def published() -> Published:
    return Published()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "published.pt"


def write(checkpoint: object, path: Path) -> Path:
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize("naming", KEYS)
@torch.no_grad()
def test_converted_model_computes_what_the_published_layers_do(published: Published, naming: str, source: Path) -> None:
    target = source.with_suffix(".safetensors")
    convert(write(published.checkpoint(naming), source), target)
    model, info, guides, *_ = weights.load(target)
    generator = torch.Generator().manual_seed(1)
    image, guide = torch.rand(2, 3, 128, 128, generator=generator), torch.rand(2, 3, 128, 128, generator=generator)

    layer = model.transfer(image, model.encode_guide(guide))
    expected_raw, expected_mask = published.transfer(image * 2 - 1, guide * 2 - 1)
    assert float(expected_mask.std()) > 0.05, "a flat mask would prove nothing"
    torch.testing.assert_close(layer.bias * 2 - 1, expected_raw, atol=1e-5, rtol=0)
    torch.testing.assert_close(layer.mask, expected_mask, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.remove(image).bias * 2 - 1, published.remove(image * 2 - 1), atol=1e-5, rtol=0)
    assert (info.method, info.resolution, info.dtype, guides) == ("mbu", 128, "float32", None)


def test_the_papers_sizes_are_the_paper_configuration(tmp_path: Path) -> None:
    from mbu_ops.methods.mbu import CONFIGS, MBU

    paper = Published(512, (32, 64, 128, 256), 25)
    paper.e2 = encoder([32, 64, 128, 128, 128, 25])
    info = convert(write(paper.checkpoint(), tmp_path / "a.pt"), tmp_path / "b.safetensors", dtype=torch.float16)
    assert MBU.config_from_dict(info.config) == CONFIGS["paper"]
    assert weights.read_info(tmp_path / "b.safetensors").dtype == "float16"


@pytest.mark.parametrize("side", [1, 2, 4])
def test_the_discriminator_tells_the_resolution(published: Published, side: int, source: Path) -> None:
    checkpoint = published.checkpoint() | {"disc": published.discriminator(side)}
    info = convert(write(checkpoint, source), source.with_suffix(".safetensors"))
    assert info.resolution == 64 * side


def test_facts_are_noted_and_optimisers_left_out(published: Published, source: Path) -> None:
    optimiser = torch.optim.Adam(published.e1.parameters())
    checkpoint = published.checkpoint() | {"ae_optim": optimiser.state_dict(), "iters": 150_000}
    target = source.with_suffix(".safetensors")
    convert(write(checkpoint, source), target, family="faces", attribute="glasses", licence="research only")
    info = weights.read_info(target)
    assert (info.family, info.attributes, info.licence) == ("faces", ("glasses",), "research only")
    assert info.training["converted_from"] == "published.pt"
    assert weights.verify(target).dtype == "float32"


def test_checkpoints_without_batch_counters_convert(published: Published, source: Path) -> None:
    checkpoint = published.checkpoint()
    for state in checkpoint.values():
        for key in [key for key in state if key.endswith("num_batches_tracked")]:
            del state[key]
    convert(write(checkpoint, source), source.with_suffix(".safetensors"))
    assert weights.load(source.with_suffix(".safetensors")).info.method == "mbu"


class Attack:
    """A pickle that would run a command when it is read."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.proof}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused_and_not_run(published: Published, zipped: bool, source: Path) -> None:
    proof, target = source.with_name("proof"), source.with_suffix(".safetensors")
    torch.save(published.checkpoint() | {"x": Attack(proof)}, source, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"published\.pt: refused: .* could run code"):
        convert(source, target)
    assert not proof.exists()
    assert not target.exists()
    # the file is a real attack: a careless reader runs it
    torch.load(source, weights_only=False)
    assert proof.exists()


def broken_checkpoints(good: Published) -> dict[str, tuple[object, str]]:
    def change(**networks: object) -> dict[str, object]:
        return copy.deepcopy(good.checkpoint()) | networks

    whole = good.checkpoint()
    e1 = whole["e1"]
    assert isinstance(e1, dict)
    weight = e1["full.0.weight"]
    return {
        "no dictionary": ([1, 2], "expected a published MBU checkpoint with e1 e2 d_a d_b or .* got list"),
        "a network missing": ({key: value for key, value in whole.items() if key != "d_b"}, "got d_a e1 e2"),
        "a network that is a list": (change(e2=[1]), "expected e2 to be a state dictionary"),
        "foreign layer names": (change(e2={"0.weight": weight}), r"expected layers full\.N in e2"),
        "text for a tensor": (change(e1=e1 | {"full.0.weight": "x"}), "plain tensor"),
        "whole numbers": (change(e1=e1 | {"full.0.weight": weight.long()}), "plain tensor"),
        "a tensor without numbers": (change(e1=e1 | {"full.0.weight": weight.to("meta")}), "plain tensor"),
        "a stretched view": (
            change(e1=e1 | {"full.0.weight": torch.zeros(1).expand(9**6, 3, 4, 4)}),
            "without the num",
        ),
        "no layers": (change(e1={}), "not those of an MBU network"),
        "a scalar": (change(e1=e1 | {"full.0.weight": torch.tensor(1.0)}), "not those of an MBU network"),
        "empty layers": (change(e1={"full.0.weight": torch.zeros(0, 3, 4, 4)}), "not those of an MBU network"),
        "a layer too many": (change(e1=e1 | {"full.99.weight": weight}), "missing, unexpected or of another shape"),
        "another shape": (
            change(e1=e1 | {"full.0.weight": weight[:, :2].clone()}),
            r"such as common_encoder\.0\.weight",
        ),
        "a NaN": (change(e1=e1 | {"full.0.weight": weight * float("nan")}), "finite numbers"),
    }


@pytest.mark.parametrize("case", broken_checkpoints(Published()))
def test_broken_checkpoints_are_refused_with_a_reason(case: str, published: Published, source: Path) -> None:
    checkpoint, reason = broken_checkpoints(published)[case]
    with pytest.raises(WeightsError, match=reason):
        convert(write(checkpoint, source), source.with_suffix(".safetensors"))
    assert [path.name for path in source.parent.iterdir()] == ["published.pt"]


@pytest.mark.parametrize("content", [b"", b"plain text, not a checkpoint", b"PK\x03\x04 cut short", b"\x80\x02]q\x00."])
def test_other_files_are_refused(content: bytes, source: Path) -> None:
    source.write_bytes(content)
    with pytest.raises(WeightsError, match=r"published\.pt"):
        convert(source, source.with_suffix(".safetensors"))


def test_a_missing_checkpoint_is_named(source: Path) -> None:
    with pytest.raises(WeightsError, match=r"published\.pt: the checkpoint cannot be read"):
        convert(source, source.with_suffix(".safetensors"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_is_no_checkpoint(source: Path) -> None:
    os.mkfifo(source)  # opening it would wait for ever
    with pytest.raises(WeightsError, match=r"published\.pt: the checkpoint cannot be read: it is no regular file"):
        convert(source, source.with_suffix(".safetensors"))


def test_a_compressed_archive_is_refused_before_it_unfolds(published: Published, source: Path) -> None:
    write(published.checkpoint(), source)
    bomb = source.with_name("bomb.pt")
    with zipfile.ZipFile(source) as stored, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as deflated:
        for entry in stored.infolist():
            deflated.writestr(entry.filename, stored.read(entry))
    with pytest.raises(WeightsError, match="compressed archive"):
        convert(bomb, source.with_suffix(".safetensors"))


def test_the_checkpoint_is_not_written_over(published: Published, source: Path) -> None:
    before = write(published.checkpoint(), source).read_bytes()
    with pytest.raises(WeightsError, match="would be lost"):
        convert(source, source)
    assert source.read_bytes() == before
