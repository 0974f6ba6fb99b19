"""The training loop: one for every method, resumable at every saved step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from mbu_ops import weights
from mbu_ops.data.pictures import Pictures
from mbu_ops.errors import ConfigurationError, TrainingStateError
from mbu_ops.methods import get_method
from mbu_ops.objectives import Objective, build_objective
from mbu_ops.training.backend import Backend
from mbu_ops.training.config import TrainingConfig, network_config
from mbu_ops.training.folder import RunFolder
from mbu_ops.training.interrupts import interrupts
from mbu_ops.training.loading import batches
from mbu_ops.training.state import diverged, restore


class Reporter(Protocol):
    """Whoever wants to know how a run goes."""

    def step(self, step: int, values: dict[str, float]) -> None:
        """Take the losses and measurements of a logged step."""

    def note(self, line: str) -> None:
        """Take a line that a person should read."""


@dataclass(slots=True)
class Provenance:
    """What the weights' metadata says about a run beside its settings.

    Attributes:
        family: the family the attribute belongs to, if any.
        attributes: the names of the contents, as many as the method edits.
        licence: under what terms the weights may be used.
        facts: anything else worth knowing, as JSON can hold it.
        frame: name of the family's frame that the pictures show; None for its first.
    """

    attributes: tuple[str, ...]
    family: str | None = None
    licence: str = "unknown: decided by the training images"
    facts: dict[str, Any] = field(default_factory=dict)
    frame: str | None = None


class Trainer:
    """Train a method on pictures, and keep everything in one folder.

    The folder gets ``state.safetensors`` (to go on from), ``weights.safetensors`` (the averaged weights with default
    guide codes, to use), ``log.jsonl`` (a line per logged step), ``samples/`` and
    ``losses.png`` (a chart of the log, where matplotlib is installed).

    Args:
        config: the settings.
        pictures: the training images, at the method's resolution: of two domains, or with labels.
        out: the run's folder; made if missing.
        provenance: what to write on the weights.
        preview: images for the sample sheets; the first training images when ``None``.
        reporter: who is told how it goes.
        mixed_precision: ``"no"``, ``"bf16"`` or ``"fp16"``; see Accelerate.
        aids: networks that help with the training, for methods that name them among their ``info.aids``, see
            :func:`mbu_ops.objectives.build_objective`.
        workers: processes that make the next batches while the networks learn.

    Raises:
        ConfigurationError: if the images do not have the method's resolution, or there are not as many names as the
            method edits contents.
        TrainingStateError: if the folder cannot be made.
    """

    def __init__(
        self,
        config: TrainingConfig,
        pictures: Pictures,
        out: Path,
        provenance: Provenance,
        preview: Pictures | None = None,
        reporter: Reporter | None = None,
        mixed_precision: str = "no",
        aids: Mapping[str, nn.Module] | None = None,
        workers: int = 0,
    ) -> None:
        self._method = get_method(config.method)
        pictures = pictures.with_aids(self._method.info.aids)
        self.config, self.pictures, self.provenance, self.reporter = config, pictures, provenance, reporter
        self.preview, self.workers = preview or pictures, workers
        self.backend = Backend(mixed_precision)
        if config.batch_size % self.backend.processes:
            raise ConfigurationError(
                f"expected a batch_size that {self.backend.processes} processes share evenly, got {config.batch_size}"
            )
        self.step = 0
        self._origin: dict[str, Any] | None = None
        self._aids = {name: aid.to(self.backend.device) for name, aid in (aids or {}).items()}
        self._full = self._method.config_for(
            network_config(config.method, config.config), provenance.attributes, pictures.anatomy
        )
        if self._full.size != pictures.size:
            raise ConfigurationError(
                f"{config.method} {config.config} trains at {self._full.size} px, height and width, got images at "
                f"{pictures.size} px"
            )
        self.folder = RunFolder(out)
        torch.manual_seed(config.seed)
        self._build(self._coarse() if config.coarse_steps else self._full)

    # -- networks -----------------------------------------------------------------------------------------------------

    def _coarse(self) -> Any:
        if self._full.patch % 2 or not self._method.info.refines:
            raise ConfigurationError(
                f"coarse_steps needs a configuration that refines to its full resolution; {self.config.config} does "
                "not: use coarse_steps 0"
            )
        return replace(self._full, resolution=self._full.resolution // 2, patch=self._full.patch // 2)

    def _build(self, network_config: Any) -> None:
        self._set_networks(self._method(network_config))
        self.objective.model.train()

    def _set_networks(self, model: Any, averaged: nn.Module | None = None) -> None:
        """Make the objective, the optimisers and the average of these networks; Adam starts afresh."""
        device = self.backend.device
        model = model.to(device).to(memory_format=torch.channels_last)
        config = self.config
        self.objective: Objective = build_objective(model, config.options, self._aids)
        self._parts: dict[str, nn.Module] = {"objective": self.objective.to(device)}  # type: ignore[attr-defined]
        self.average = AveragedModel(averaged or model, avg_fn=self._averaging, use_buffers=True)
        self._parts["average"] = self.average.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.groups = self.objective.parameter_groups()
        self._rates = dict.fromkeys(self.groups, config.learning_rate * config.discriminator_rate)
        self._rates["networks"] = config.learning_rate
        betas = 0.5, config.adam_beta2
        self.backend.take(
            {name: torch.optim.Adam(learnt, self._rates[name], betas) for name, learnt in self.groups.items()}
        )

    def _averaging(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        # early averages forget faster, so that a short run does not export its first random weights
        decay = min(self.config.average_decay, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(current, average, decay) if average.is_floating_point() else current

    def start_from(self, name_or_path: str | Path) -> None:
        """Begin with trained weights instead of random ones: to go on with other losses, or other pictures.

        Args:
            name_or_path: as :func:`mbu_ops.weights.resolve` takes it.

        Raises:
            ConfigurationError: if the weights are of another method, or not of the sizes that this run begins with.
            WeightsError: if there are no such weights, or they are not sound.
        """
        path, _ = weights.resolve(name_or_path)
        pretrained = weights.load(path, trainable=True)  # all of it, whatever its contents
        first = self.objective.model.config
        model = self._method.continued(pretrained.model, first)
        if model is None:
            raise ConfigurationError(
                f"expected weights of {self.config.method} with the sizes this run begins with, {first}, got "
                f"{pretrained.info.method} with {pretrained.model.config}: choose another --config, or --coarse-steps "
                "0 for weights of the full resolution"
            )
        self._set_networks(model.train())
        self._origin = dict(pretrained.info.training)

    def _refine(self) -> None:
        """Go from half the resolution to the full one with the same pictures, and keep the discriminators."""
        torch.manual_seed(self.config.seed)  # what is new must be the same in every process and after a resume
        learnt = self._parts["objective"].state_dict()
        count = self.average.n_averaged.clone()
        averaged: Any = self.average.module
        self._set_networks(self.objective.model.refined(), averaged.refined())
        fresh = self._parts["objective"].state_dict()
        kept = {
            key: value
            for key, value in learnt.items()
            if not key.startswith("model.") and value.shape == fresh[key].shape  # but for what reads more pixels now
        }
        self._parts["objective"].load_state_dict(kept, strict=False)
        self.average.n_averaged.copy_(count)

    # -- states -------------------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Go back to the state in the run's folder.

        Raises:
            TrainingStateError: if there is none, it is damaged, or it belongs to a run with other settings.
        """
        tensors, facts = self.folder.read()
        self.config.check_resumable(facts["config"])
        if (saved := facts.get("data", self.pictures.facts)) != self.pictures.facts:
            raise TrainingStateError(
                f"cannot resume with other pictures: saved {saved}, now {self.pictures.facts}; what was held out "
                "must stay so. Use the saved ones, or another --out with --from"
            )
        self._build(self._method.config_from_dict(facts["network"]))
        restore(tensors, self._parts, self.backend.optimisers)
        self.step = int(facts["step"])
        self._origin = facts.get("origin")
        self.folder.rewind(self.step)

    def save(self) -> None:
        """Write the state, from which a run goes on.

        Raises:
            TrainingStateError: if it cannot be written; what was saved before stays.
        """
        if not self.backend.is_main:
            return
        if not all(bool(one.isfinite().all()) for one in self.objective.model.parameters()):
            raise diverged(self.step, "the networks' weights")
        network = self._method.config_to_dict(self.objective.model.config)
        facts = {
            "step": self.step,
            "config": self.config.to_dict(),
            "network": network,
            "origin": self._origin,
            "data": self.pictures.facts,
        }
        self.folder.write(self._parts, self.backend.optimisers, facts)

    def export(self) -> Path:
        """Write the averaged weights with their default guide codes, and return where.

        Raises:
            TrainingStateError: if they cannot be written.
        """
        model = self._settled()
        if self.config.removal_dilation is not None:
            model.config = replace(model.config, removal_dilation=self.config.removal_dilation)
        guides = self.objective.guides(model, *self._examples(self.pictures))
        training = {
            "steps": self.step,
            "settings": self.config.to_dict(),
            "data": self.pictures.source,
            "pictures": self.pictures.facts,
        }
        if self._origin is not None:
            training["started_from"] = self._origin
        info = weights.WeightsInfo(
            method=self.config.method,
            config=self._method.config_to_dict(model.config),
            family=self.provenance.family,
            attributes=self.provenance.attributes,
            resolution=int(model.config.resolution),
            licence=self.provenance.licence,
            training=training | self.provenance.facts,
            frame=self.provenance.frame,
        )
        self.folder.export(model, info, guides)
        return self.folder.weights

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Train to the last step, saving as it goes.

        Returns:
            Whether the last step was reached; False after an interrupt (Ctrl-C), which ends the step under way and
            saves.

        Raises:
            TrainingStateError: if a state cannot be written, or the losses stop being finite.
        """
        config = self.config
        with interrupts() as interrupted:
            drawn = batches(self.pictures, config, self.step, self.workers)
            while self.step < config.steps and not self.backend.any(interrupted.is_set()):
                if self.step == config.coarse_steps and self._full != self.objective.model.config:
                    self._refine()
                # a step's randomness depends on its number alone, so that a resumed run draws the same
                own = (config.seed, self.step, self.backend.index)[: 3 if self.backend.index else 2]
                torch.manual_seed(int(np.random.SeedSequence(own).generate_state(1)[0]))
                started = time.perf_counter()
                values = self.train_step(next(drawn))
                self.step += 1
                if self.step == 1 or self.step % config.log_every == 0:
                    self._log(values, time.perf_counter() - started)
                if self.step % config.sample_every == 0:
                    self._sample()
                if self.step % config.save_every == 0 and self.step < config.steps:
                    self.save()
        self.save()
        if self.backend.is_main:
            self._sample()
            self.export()
        return self.step >= config.steps

    def train_step(self, drawn: Sequence[Tensor]) -> dict[str, Tensor]:
        """Learn from one batch, and return the losses and measurements."""
        batch = [self._fitted(self.backend.share(one).to(self.backend.device)) for one in drawn]
        share = self.config.rate_at(self.step)
        values: dict[str, Tensor] = {}
        with self.backend.autocast():
            for group, terms, measurements in self.objective.steps(*batch):
                loss = torch.stack(list(terms.values())).sum()
                rate = self._rates[group] * share
                self.backend.update(group, loss, self.groups[group], rate, self.config.gradient_clip)
                values |= {name: value.detach() for name, value in (terms | measurements).items()}
        with torch.no_grad():
            self.average.update_parameters(self.objective.model)
        return values

    def _fitted(self, batch: Tensor) -> Tensor:
        factor = batch.shape[-1] // self.objective.model.config.resolution
        if not batch.is_floating_point():  # labels have no mean
            return batch[..., ::factor, ::factor]
        batch = F.avg_pool2d(batch, factor) if factor > 1 else batch
        return batch.contiguous(memory_format=torch.channels_last)

    def _examples(self, pictures: Pictures, limit: int = 512) -> list[Tensor]:
        return [self._fitted(batch.to(self.backend.device)) for batch in pictures.examples(limit)]

    def _settled(self) -> Any:
        """Return the averaged networks, ready for use."""
        model: Any = self.average.module
        self.objective.settle(model, *self._examples(self.pictures))
        return model.eval()

    # -- reports ------------------------------------------------------------------------------------------------------

    def _log(self, values: dict[str, Tensor], seconds: float) -> None:
        numbers = {name: float(value) for name, value in self.backend.means(values).items()}
        if not all(map(_finite, numbers.values())):
            raise diverged(self.step, f"the losses {numbers}")
        if not self.backend.is_main:
            return
        self.folder.log(self.step, numbers, seconds)
        if self.reporter:
            self.reporter.step(self.step, numbers)

    def _sample(self) -> None:
        if self.backend.is_main:
            self.folder.sheet(self.step, self.objective.sheet(self._settled(), *self._examples(self.preview, 8)))
            self.folder.chart()


def _finite(number: float) -> bool:
    return number - number == 0
