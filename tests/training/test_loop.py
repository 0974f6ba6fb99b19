"""The training loop: what it writes, that interruptions change nothing, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.data.domains import Domains
from mbu_ops.errors import ConfigurationError, TrainingStateError
from mbu_ops.objectives.mbu import MBUOptions
from mbu_ops.ops.transfer import Transfer
from mbu_ops.training.config import TrainingConfig
from mbu_ops.training.loop import Provenance, Trainer
from mbu_ops.training.state import read_state
from mbu_ops.weights import read_info

LABELS = Provenance(("square",))


class InterruptAt:
    """A reporter that presses Ctrl-C at one step."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, step: int, values: dict[str, float]) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def note(self, line: str) -> None:
        raise AssertionError(line)


def log_of(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        assert line.pop("seconds") > 0
    return lines


def test_a_run_leaves_weights_that_work(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    assert Trainer(settings, domains, tmp_path, LABELS).run()
    assert [line["step"] for line in log_of(tmp_path)] == list(range(1, 9))
    with Image.open(tmp_path / "samples" / "step_000008.png") as sheet:
        assert sheet.size == (8 * 16, 8 * 16)
    transfer = Transfer.from_pretrained(tmp_path)
    assert transfer.default_guides is not None
    image = torch.rand(2, 3, 20, 24)
    assert transfer.edit_code(image, transfer.default_guides[:1]).image.shape == image.shape
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("frame", [None, "eyes"])
def test_weights_say_what_they_are_labelled_with(
    tmp_path: Path, domains: Domains, settings: TrainingConfig, frame: str | None
) -> None:
    labels = Provenance(("square",), "faces", "CC0 1.0", {"why": "a test"}, frame)
    Trainer(settings, domains, tmp_path, labels).export()
    info = read_info(tmp_path / "weights.safetensors")
    assert (info.attributes, info.family, info.licence, info.frame) == (("square",), "faces", "CC0 1.0", frame)
    assert info.training["why"] == "a test"


@pytest.mark.parametrize("stop", [2, 4, 5])
@pytest.mark.parametrize("losses", [(), (("adversarial_without", 0.1), ("adversarial_with", 0.1))])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path,
    domains: Domains,
    settings: TrainingConfig,
    losses: tuple[()] | tuple[tuple[str, float], tuple[str, float]],
    stop: int,
) -> None:
    """Before, at and after the step where the resolution doubles."""
    handler = signal.getsignal(signal.SIGINT)  # a shell's background jobs start with another one
    settings = replace(settings, options=MBUOptions(loss_weights=losses))
    Trainer(settings, domains, tmp_path / "whole", LABELS).run()
    stopped = Trainer(settings, domains, tmp_path / "parts", LABELS, reporter=InterruptAt(stop))
    assert not stopped.run()
    assert stopped.step == stop
    assert signal.getsignal(signal.SIGINT) is handler
    resumed = Trainer(settings, domains, tmp_path / "parts", LABELS)
    resumed.resume()
    assert resumed.step == stop
    assert resumed.run()
    assert log_of(tmp_path / "parts") == log_of(tmp_path / "whole")
    whole, parts = (read_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_a_crash_costs_the_steps_since_the_last_state(
    tmp_path: Path, domains: Domains, settings: TrainingConfig
) -> None:
    """The log has lines of steps whose state was lost: they are dropped, not repeated."""
    Trainer(settings, domains, tmp_path / "whole", LABELS).run()

    class Crash(InterruptAt):
        def step(self, step: int, values: dict[str, float]) -> None:
            if step == self.at:
                raise SystemError("power cut")

    with pytest.raises(SystemError):
        Trainer(settings, domains, tmp_path / "parts", LABELS, reporter=Crash(5)).run()
    resumed = Trainer(settings, domains, tmp_path / "parts", LABELS)
    resumed.resume()
    assert resumed.step == 3
    resumed.run()
    assert log_of(tmp_path / "parts") == log_of(tmp_path / "whole")


def test_a_finished_run_can_be_lengthened(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    Trainer(settings, domains, tmp_path, LABELS).run()
    longer = Trainer(replace(settings, steps=10), domains, tmp_path, LABELS)
    longer.resume()
    assert longer.run()
    assert longer.step == 10


def test_a_run_can_start_from_the_weights_of_another(
    tmp_path: Path, domains: Domains, settings: TrainingConfig
) -> None:
    stopped = Trainer(settings, domains, tmp_path / "first", LABELS, reporter=InterruptAt(3))
    stopped.run()
    second = Trainer(
        replace(settings, options=MBUOptions(loss_weights=(("confusion", 0.5),))), domains, tmp_path / "second", LABELS
    )
    random = second.objective.model.common_encoder[0].weight.clone()
    second.start_from(tmp_path / "first")
    started = second.objective.model.common_encoder[0].weight
    assert not torch.equal(started, random)
    torch.testing.assert_close(started, stopped.average.module.common_encoder[0].weight, atol=1e-3, rtol=1e-3)
    assert second.run()
    assert read_info(tmp_path / "second" / "weights.safetensors").training["started_from"]["steps"] == 3


def test_weights_of_other_sizes_cannot_start_a_run(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    Trainer(settings, domains, tmp_path / "first", LABELS).run()
    with pytest.raises(ConfigurationError, match="full resolution"):
        Trainer(settings, domains, tmp_path / "second", LABELS).start_from(tmp_path / "first")


def test_other_settings_are_another_run(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    Trainer(settings, domains, tmp_path, LABELS).run()
    other = Trainer(replace(settings, learning_rate=0.5), domains, tmp_path, LABELS)
    with pytest.raises(TrainingStateError, match=r"learning_rate \(saved 0.0005, now 0.5\)"):
        other.resume()


def test_states_from_before_a_setting_was_there_stand_for_its_default(settings: TrainingConfig) -> None:
    saved = {name: value for name, value in settings.to_dict().items() if name != "discriminator_rate"}
    settings.check_resumable(saved)
    with pytest.raises(TrainingStateError, match="discriminator_rate"):
        replace(settings, discriminator_rate=3.0).check_resumable(saved)


def test_the_discriminators_learn_at_their_own_rate(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    optimisers = Trainer(replace(settings, discriminator_rate=4.0), domains, tmp_path, LABELS).backend.optimisers
    rates = {name: one.param_groups[0]["lr"] for name, one in optimisers.items()}
    assert rates == {"networks": settings.learning_rate, "discriminator": 4 * settings.learning_rate}


def test_discriminators_survive_the_doubling(
    tmp_path: Path, domains: Domains, settings: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first layer of the one that reads pixels: there are four times as many."""
    states: dict[int, list[dict[str, Tensor]]] = {}

    class Watch:
        def step(self, step: int, values: dict[str, float]) -> None:
            states[step] = [deepcopy(trainer.objective.state_dict())]

        def note(self, line: str) -> None:
            raise AssertionError(line)

    def batch(pictures: Domains, size: int, seed: int, step: int, flip: bool) -> tuple[Tensor, ...]:
        if step in states:
            states[step].append(deepcopy(trainer.objective.state_dict()))
        return whole(pictures, size, seed, step, flip)

    whole = Domains.batch
    monkeypatch.setattr(Domains, "batch", batch)
    settings = replace(settings, steps=5, options=MBUOptions(loss_weights=(("adversarial_without", 0.1),)))
    trainer = Trainer(settings, domains, tmp_path, LABELS, reporter=Watch())
    trainer.run()
    before, after = states[settings.coarse_steps]
    judges = {name for name in before if "discriminator" in name}
    assert {name for name in judges if torch.equal(before[name], after[name])} > {
        name for name in judges if name.startswith("discriminator.") or ".2." in name
    }
    assert {name.split(".")[2] for name in judges if before[name].shape != after[name].shape} == {"0"}


def test_resuming_needs_a_state(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    trainer = Trainer(settings, domains, tmp_path, LABELS)
    with pytest.raises(TrainingStateError, match="without --resume"):
        trainer.resume()
    (tmp_path / "state.safetensors").write_bytes(b"not a state")
    with pytest.raises(TrainingStateError, match="not a training state"):
        trainer.resume()


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let this process write no file of more than so many bytes, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [100, 20_000])
def test_a_full_disk_leaves_the_last_state(
    tmp_path: Path, domains: Domains, settings: TrainingConfig, room: int
) -> None:
    Trainer(replace(settings, steps=5), domains, tmp_path, LABELS).run()
    before = {name: (tmp_path / name).read_bytes() for name in ("state.safetensors", "weights.safetensors")}
    trainer = Trainer(settings, domains, tmp_path, LABELS)
    trainer.resume()
    with room_for(room), pytest.raises(TrainingStateError, match=r"File too large.*intact"):
        trainer.run()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert not list(tmp_path.glob(".*"))
    again = Trainer(settings, domains, tmp_path, LABELS)
    again.resume()
    assert again.step == 5
    assert again.run()


def test_a_log_line_that_was_cut_off_is_dropped(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    Trainer(settings, domains, tmp_path, LABELS).run()
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 50, "re')
    again = Trainer(replace(settings, steps=9), domains, tmp_path, LABELS)
    again.resume()
    assert again.run()
    assert [line["step"] for line in log_of(tmp_path)] == list(range(1, 10))


def test_networks_that_diverged_are_never_saved(
    tmp_path: Path, domains: Domains, settings: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no line of the log has looked at the losses."""
    trainer = Trainer(replace(settings, log_every=100), domains, tmp_path, LABELS)

    def poisoned(pictures: Domains, size: int, seed: int, step: int, flip: bool) -> tuple[Tensor, ...]:
        if step == 6:
            trainer.objective.model.common_encoder[0].weight.data.fill_(float("nan"))
        return whole(pictures, size, seed, step, flip)

    whole = Domains.batch
    monkeypatch.setattr(Domains, "batch", poisoned)
    with pytest.raises(TrainingStateError, match=r"weights stopped being finite by step 8.*intact"):
        trainer.run()
    again = Trainer(replace(settings, log_every=100), domains, tmp_path, LABELS)
    again.resume()
    assert again.step == 6
    assert all(one.isfinite().all() for one in again.objective.model.parameters())


def test_losses_that_explode_end_the_run(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    trainer = Trainer(replace(settings, learning_rate=1e30), domains, tmp_path, LABELS)
    with pytest.raises(TrainingStateError, match="stopped being finite"):
        trainer.run()


def test_pictures_must_fit_the_configuration(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    with pytest.raises(
        ConfigurationError, match=r"trains at .128, 128. px, height and width, got images at .16, 16. px"
    ):
        Trainer(replace(settings, config="lite"), domains, tmp_path, LABELS)
    with pytest.raises(ConfigurationError, match="coarse_steps 0"):
        Trainer(
            replace(settings, config="paper"), replace(domains, without=torch.zeros(9, 3, 128, 128)), tmp_path, LABELS
        )


def test_the_average_follows_the_weights(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    trainer = Trainer(replace(settings, coarse_steps=0), domains, tmp_path, LABELS)
    before = [parameter.clone() for parameter in trainer.average.module.parameters()]
    trainer.run()
    average = list(trainer.average.module.parameters())
    current = list(trainer.objective.model.parameters())
    distance = sum(float((one - two).detach().abs().sum()) for one, two in zip(average, current, strict=True))
    travelled = sum(float((one - two).detach().abs().sum()) for one, two in zip(before, current, strict=True))
    assert 0 < distance < travelled


def test_losses_in_low_precision_see_the_weights_that_the_update_before_left(
    tmp_path: Path, domains: Domains, settings: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(replace(settings, coarse_steps=0, steps=1), domains, tmp_path, LABELS)
    monkeypatch.setattr(trainer.backend, "autocast", lambda: torch.autocast("cpu", torch.bfloat16))
    layer = next(one for one in trainer.objective.model.modules() if isinstance(one, torch.nn.Conv2d))
    probe, steps = torch.rand(1, layer.in_channels, 8, 8), trainer.objective.steps
    found = []

    def probed(*batch: Tensor) -> Iterator[Any]:
        for step in steps(*batch):
            layer(probe)  # as losses do: autocast remembers the weights it has rounded
            yield step
            rounded = F.conv2d(probe.bfloat16(), layer.weight.bfloat16(), layer.bias.bfloat16(), 2, 1)
            found.append((step[0], torch.equal(layer(probe), rounded)))

    monkeypatch.setattr(trainer.objective, "steps", probed)
    trainer.run()
    assert ("networks", True) in found
    assert all(same for _, same in found)


def test_a_worker_that_makes_the_batches_changes_nothing(
    tmp_path: Path, domains: Domains, settings: TrainingConfig
) -> None:
    assert Trainer(settings, domains, tmp_path / "alone", LABELS).run()
    assert Trainer(settings, domains, tmp_path / "helped", LABELS, workers=1).run()
    assert log_of(tmp_path / "helped") == log_of(tmp_path / "alone")
    weights = [(tmp_path / run / "state.safetensors").read_bytes() for run in ("alone", "helped")]
    assert weights[0] == weights[1]


def test_ctrl_c_leaves_a_run_with_a_worker_whole(tmp_path: Path, domains: Domains, settings: TrainingConfig) -> None:
    Trainer(settings, domains, tmp_path / "whole", LABELS).run()
    first = Trainer(settings, domains, tmp_path / "cut", LABELS, reporter=InterruptAt(5), workers=2)
    assert not first.run()
    again = Trainer(settings, domains, tmp_path / "cut", LABELS, workers=1)
    again.resume()
    assert again.run()
    assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole")
