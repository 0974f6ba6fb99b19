"""Runs of the other methods: pairs of contents, a dial, and what they ask of the pictures' family."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

import mbu_ops
from mbu_ops.data.domains import Domains
from mbu_ops.errors import ConfigurationError
from mbu_ops.methods import didd, maae
from mbu_ops.objectives.guides import default_guides
from mbu_ops.objectives.options import DistanceOptions, GuideOptions
from mbu_ops.training.config import TrainingConfig
from mbu_ops.training.loop import Provenance, Trainer
from mbu_ops.training.state import read_state
from mbu_ops.weights import load, read_info

OPTIONS = {"didd": GuideOptions(guide_variation=0.0), "maae": DistanceOptions()}
LABELS = {"didd": Provenance(("square", "line")), "maae": Provenance(("square",))}


class Describer(nn.Module):
    """Stands for a face-recognition network."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return self.scale * images.mean((2, 3))


class InterruptAt:
    """A reporter that presses Ctrl-C at one step."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, step: int, values: dict[str, float]) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def note(self, line: str) -> None:
        raise AssertionError(line)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    small = didd.DIDDConfig(16, (4, 8, 12), (4, 8), 3, False, 2, patch=2)
    monkeypatch.setitem(didd.CONFIGS, "tiny", small)
    monkeypatch.setitem(didd.CONFIGS, "tiny-spectral", replace(small, spectral_norm=True, norm_channels=1))
    dial = maae.MAAEConfig(16, (4, 6), (4,), 6, 1, 1, 3, 3, (4, 6), residual=True, patch=2)
    monkeypatch.setitem(maae.CONFIGS, "tiny", dial)


@pytest.fixture
def known(domains: Domains) -> Domains:
    """The pictures with regions where edits belong."""
    regions = torch.zeros(12, 1, 16, 16, dtype=torch.uint8)
    regions[..., 2:10, 2:14] = 255
    return replace(domains, with_regions=regions[:10], without_regions=regions)


def settings(method: str, **changes: object) -> TrainingConfig:
    short = TrainingConfig(
        method=method,
        config="tiny",
        steps=6,
        coarse_steps=3,
        batch_size=4,
        save_every=2,
        sample_every=100,
        log_every=1,
        options=OPTIONS[method],
    )
    return replace(short, **changes)


def log_of(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("seconds")
    return lines


@pytest.mark.parametrize("stop", [2, 3, 5])
@pytest.mark.parametrize("method", ["didd", "maae"])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, known: Domains, method: str, stop: int
) -> None:
    """Before, at and after the step where the resolution doubles; with noise, judges and regions."""

    def trainer(folder: str, reporter: InterruptAt | None = None) -> Trainer:
        return Trainer(
            settings(method),
            known,
            tmp_path / folder,
            LABELS[method],
            reporter=reporter,
            aids={"identity": Describer()},
        )

    assert trainer("whole").run()
    stopped = trainer("parts", InterruptAt(stop))
    assert not stopped.run()
    assert stopped.step == stop
    resumed = trainer("parts")
    resumed.resume()
    assert resumed.step == stop
    assert resumed.run()
    assert len(log_of(tmp_path / "whole")) == 6
    assert log_of(tmp_path / "parts") == log_of(tmp_path / "whole")
    whole, parts = (read_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    exported = [load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "parts")]
    assert exported[0].keys() == exported[1].keys()
    assert all(torch.equal(value, exported[1][name]) for name, value in exported[0].items())


def test_spectral_norms_are_part_of_the_state(tmp_path: Path, domains: Domains) -> None:
    run = settings("didd", config="tiny-spectral", coarse_steps=0)
    Trainer(run, domains, tmp_path / "whole", LABELS["didd"]).run()
    Trainer(run, domains, tmp_path / "parts", LABELS["didd"], reporter=InterruptAt(3)).run()
    resumed = Trainer(run, domains, tmp_path / "parts", LABELS["didd"])
    resumed.resume()
    assert resumed.run()
    assert log_of(tmp_path / "parts") == log_of(tmp_path / "whole")
    assert load(tmp_path / "parts" / "weights.safetensors").model.config.spectral_norm


def test_a_pair_leaves_weights_that_edit_both(tmp_path: Path, domains: Domains) -> None:
    assert Trainer(settings("didd"), domains, tmp_path, LABELS["didd"]).run()
    info = read_info(tmp_path / "weights.safetensors")
    assert (info.method, info.attributes, info.resolution) == ("didd", ("square", "line"), 16)
    loaded = load(tmp_path / "weights.safetensors")
    assert loaded.guides.shape == (loaded.info.guides, *loaded.model.guide_shape)
    assert 1 <= loaded.info.guides <= 8
    image = torch.rand(2, 3, 20, 24)
    module = mbu_ops.chain([f"remove:{tmp_path},content=square", f"add:{tmp_path},content=line"])
    assert module(image).shape == image.shape
    with Image.open(tmp_path / "samples" / "step_000006.png") as sheet:
        assert sheet.size == (8 * 16, 2 * 8 * 16), "the rows of either content"


def test_guides_show_what_their_domain_shows(tmp_path: Path, domains: Domains) -> None:
    """The first content's come from the first domain's pictures, the second's from the other's."""
    trainer = Trainer(settings("didd", coarse_steps=0), domains, tmp_path, LABELS["didd"])
    model = trainer.average.module.eval()
    guides = default_guides(model, domains.with_.float() / 255, domains.without.float() / 255)
    with torch.no_grad():
        for index, pixels in enumerate((domains.with_, domains.without)):
            codes = model.for_content(index).encode_guide(pixels.float() / 255)
            for guide in guides[:, index]:
                assert (codes - guide).abs().amax((1, 2, 3)).min() < 1e-5


def test_a_dial_leaves_weights_that_turn_it(tmp_path: Path, known: Domains) -> None:
    describer = Describer()
    assert Trainer(settings("maae"), known, tmp_path, LABELS["maae"], aids={"identity": describer}).run()
    assert describer.calls > 0
    assert describer.scale.item() == 1, "it learns nothing"
    names = set(log_of(tmp_path)[0])
    assert {"kl", "reconstruction", "adversarial", "cycle", "background", "identity", "discriminator", "change"} < names
    adjust = mbu_ops.Adjust.from_pretrained(tmp_path)
    image = torch.rand(2, 3, 20, 24)
    assert torch.equal(adjust(image, 0.0), image)
    assert adjust(image, 1.0).shape == image.shape
    state = read_state(tmp_path / "state.safetensors")[0]
    assert not [name for name in state if "scale" in name]


def test_a_dial_learns_without_what_a_family_may_not_have(tmp_path: Path, domains: Domains) -> None:
    assert Trainer(settings("maae"), domains, tmp_path, LABELS["maae"]).run()
    assert not {"background", "identity"} & set(log_of(tmp_path)[0])


def test_a_run_of_a_pair_can_start_from_the_weights_of_another(tmp_path: Path, domains: Domains) -> None:
    run = settings("didd", coarse_steps=0)
    Trainer(run, domains, tmp_path / "first", LABELS["didd"]).run()
    second = Trainer(
        replace(run, options=GuideOptions(guide_variation=0.0, loss_weights=(("zero", 2.0),))),
        domains,
        tmp_path / "second",
        LABELS["didd"],
    )
    second.start_from(tmp_path / "first")
    expected = load(tmp_path / "first" / "weights.safetensors").model.state_dict()
    started = second.objective.model.state_dict()
    assert all(torch.equal(started[name], value) for name, value in expected.items())
    assert second.run()


@pytest.mark.parametrize(
    ("method", "attributes", "says"),
    [
        ("didd", ("square",), "didd learns 2 contents at once, got square: name them by --attributes"),
        ("didd", ("a", "b", "c"), "didd learns 2 contents at once, got a and b and c"),
        ("maae", ("square", "line"), "maae learns one content at once, got square and line: name one --attribute"),
    ],
)
def test_contents_have_a_name_each(
    tmp_path: Path, domains: Domains, method: str, attributes: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Trainer(settings(method), domains, tmp_path / "out", Provenance(attributes))
    assert not (tmp_path / "out").exists()
