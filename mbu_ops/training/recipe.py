"""Train any method: what `mbu-ops train` does once its options are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from mbu_ops.data.domains import Domains
from mbu_ops.data.pictures import Pictures
from mbu_ops.data.source import LabelledSource, Source
from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops.families.registry import load_target, plugin_code
from mbu_ops.methods import get_method
from mbu_ops.objectives import objective_of
from mbu_ops.objectives.options import options_in
from mbu_ops.training.chart import can_draw
from mbu_ops.training.config import PUBLISHED, TrainingConfig, network_config
from mbu_ops.training.loop import Provenance, Reporter, Trainer
from mbu_ops.training.making import PairOptions
from mbu_ops.training.readiness import check_ready
from mbu_ops.weights import load_pretrained, resolve

Note = Callable[[str], None]


class Trained(NamedTuple):
    """What a run left.

    Attributes:
        weights: the weights file.
        step: the last step that was taken.
        finished: whether that was the run's last; False after an interrupt.
    """

    weights: Path
    step: int
    finished: bool


@dataclass(frozen=True)
class Plan:
    """What is to be learnt, from what, and how: checked before a picture is read.

    Attributes:
        source: where the pictures are.
        config: the settings.
        pairs: how pairs are made, for methods that learn from such.
        parser: trained parser for methods that need one; None for the family's own.
        variation: how strongly labelled pictures are varied; None for what suits the method.
    """

    source: Source | LabelledSource
    config: TrainingConfig
    pairs: PairOptions
    parser: str | None = None
    variation: float | None = None

    @classmethod
    def of(
        cls,
        source: Source | LabelledSource,
        method: str = "mbu",
        config: str = "lite",
        options: Mapping[str, Any] | None = None,
        pairs: PairOptions | None = None,
        parser: str | None = None,
        variation: float | None = None,
        **settings: Any,
    ) -> Plan:
        """Return a plan; what is not chosen is the paper's for the paper's own layers, and our default otherwise.

        Args:
            source: where the pictures are.
            method: name of the method.
            config: name of one of its configurations.
            options: what its objective is told, by the names of the fields of its options.
            pairs: how pairs are made.
            parser: trained parser for methods that need one.
            variation: how strongly labelled pictures are varied.
            **settings: fields of :class:`mbu_ops.training.config.TrainingConfig`.

        Raises:
            ConfigurationError: if a value is none of those that it can have, the method has no such option, or it
                learns from other pictures.
            WeightsError: if there is no parser where one is needed, or nothing that finds the content for pairs.
        """
        pairs = pairs or PairOptions()
        _check_source(method, source, variation, parser)
        pairs.check(method, source)
        given = {name: value for name, value in settings.items() if value is not None}
        schedule = _schedule(method, config, given)
        chosen = _options(method, config, source, options or {})
        return cls(
            source, TrainingConfig(method=method, config=config, options=chosen, **schedule), pairs, parser, variation
        )

    def pictures(self, note: Note) -> tuple[Pictures, dict[str, nn.Module]]:
        """Return the pictures to learn from, with what the method asks for beside them, and networks that help.

        Args:
            note: told what is done, a line at a time.

        Raises:
            DataError: if there are too few pictures.
            MissingPackageError: if the package with the family's identity network is not installed: losses are part of
                a recipe, and one that was left out would not be noticed.
            PluginError: if the family's functions fail.
            WeightsError: if there is no parser where one is needed.
        """
        source, info = self.source, get_method(self.config.method).info
        size = network_config(self.config.method, self.config.config).size
        networks: dict[str, nn.Module] = {}
        if isinstance(source, LabelledSource):
            # turning blurs: whoever draws pictures would learn it
            strength = self.variation if self.variation is not None else 0.0 if info.draws else 1.0
            labelled = source.training(size, note).varied(strength, blurs=not info.draws)
            note(labelled.summary)
            if "parser" in info.aids:
                parser = load_pretrained(self.parser or source.parser, method="parsing", whole=True)
                networks["parser"] = parser.model
            return labelled, networks
        domains = source.training(size, note, truth=bool(dict(self.pairs.pair).get("known")))
        note(domains.summary)
        if "identity" in info.aids:
            networks |= self._identity(note)
        if "regions" in info.aids:
            domains = self._with_regions(domains, note)
        if "pairs" in info.aids:
            return self.pairs.composites(domains, source, note, info.aids), networks
        return domains, networks

    def _identity(self, note: Note) -> dict[str, nn.Module]:
        family = self.source.family
        if family is None or family.identity is None:
            missing = "the pictures' family has no network that tells subjects apart"
            note(f"{self.config.method} learns without its identity loss: {missing}")
            return {}
        build = load_target(family, "identity")
        with plugin_code(family, "building its identity network"):
            return {"identity": build()}

    def _with_regions(self, domains: Domains, note: Note) -> Domains:
        family, attribute = self.source.family, self.source.attribute
        if family is not None and attribute is not None:
            domains = domains.with_known_regions(family, attribute)
        if domains.with_regions is None:
            note(f"{self.config.method} learns without its background loss: no family says where its edits belong")
        return domains

    def unseen(self, note: Note, limit: int = 8) -> Pictures | None:
        """Return a few pictures that training does not see, for sample sheets; None if there are none.

        Args:
            note: told why there are none.
            limit: how many.
        """
        size = network_config(self.config.method, self.config.config).size
        try:
            return self.source.unseen(size, note, limit=limit)
        except DataError as error:
            note(f"sample sheets show pictures of the training: {error}")
            return None

    def provenance(self, licence: str | None = None) -> Provenance:
        """Return what weights learnt so say of themselves.

        Args:
            licence: their terms; as the pictures' if None.
        """
        source = self.source
        return Provenance(
            attributes=source.contents,
            family=source.family.name if source.family else None,
            licence=licence or "decided by the licence of the training images",
            frame=None if source.frame.is_whole else source.frame.name,
        )


def train(
    plan: Plan,
    out: str | Path,
    *,
    resume: bool = False,
    start: str | Path | None = None,
    licence: str | None = None,
    mixed_precision: str = "no",
    workers: int = 0,
    reporter: Reporter | None = None,
) -> Trained:
    """Learn a content from pictures with it and pictures without it.

    Args:
        plan: what is to be learnt, from what, and how.
        out: folder for states, weights, log and sample sheets; made if missing.
        resume: whether to go on from the state in ``out``.
        start: weights to begin with, instead of random ones.
        licence: terms of the weights, written into them.
        mixed_precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        workers: processes that make the next batches while the networks learn.
        reporter: told how it goes.

    Returns:
        Where the weights are, and how far the run came: Ctrl-C ends it after the step under way, and saves.

    Raises:
        ConfigurationError: if ``out`` holds another run.
        DataError: if there are too few pictures.
        TrainingStateError: if a state cannot be read or written, or the losses stop being finite.
        WeightsError: if weights that are named are not there, or not sound.

    Example:
        >>> import tempfile, mbu_ops.families
        >>> family, glasses = mbu_ops.families.parse_attribute("avatars/glasses")
        >>> drawn = Source(family, glasses, contents=("glasses",), pictures=8)
        >>> plan = Plan.of(drawn, "press", steps=1, batch_size=2, options={"recipe": "quick"})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trained = train(plan, folder)
        >>> trained.step, trained.finished
        (1, True)
    """
    out = Path(out)
    check_ready(plan.source, plan.config, out, resume, start)
    note: Note = (lambda _line: None) if reporter is None else reporter.note
    if (slow := slow_precision(mixed_precision)) is not None:
        note(slow)
    if not can_draw():
        note("no chart of the losses will be drawn: pip install 'mbu-ops[train]' brings matplotlib")
    pictures, aids = plan.pictures(note)
    preview = plan.unseen(note)
    trainer = Trainer(
        plan.config, pictures, out, plan.provenance(licence), preview, reporter, mixed_precision, aids, workers
    )
    if resume:
        trainer.resume()
        note(f"going on from step {trainer.step}")
    elif start is not None:
        trainer.start_from(start)
    finished = trainer.run()
    return Trained(trainer.folder.weights, trainer.step, finished)


def slow_precision(mixed_precision: str) -> str | None:
    """Return what to tell who trains in a precision that this machine's CPU does not compute in; None if it does.

    Convolutions in bfloat16 took 10 to 27 times as long as in float32 on a CPU without AVX-512.
    """
    if mixed_precision != "bf16" or torch.accelerator.is_available():
        return None
    if torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "AVX2"):
        return None
    return "this CPU computes many times slower in bfloat16 than in float32: leave --mixed-precision bf16 out"


def _check_source(name: str, source: Source | LabelledSource, variation: float | None, parser: str | None) -> None:
    """Make sure, before pictures are read, that the method learns from such pictures, and has what it needs."""
    method = get_method(name)
    objective_of(method)
    needs = "parser" in method.info.aids
    if parser is not None and not needs:
        raise ConfigurationError(f"{name} needs no parser: leave it out")
    if isinstance(source, LabelledSource):
        if needs:
            resolve(parser or source.parser, method="parsing")
        return
    if method.info.learns_from == "parts":
        raise ConfigurationError(
            f"{name} learns from labelled pictures: give --labelled FOLDER, with images/ and masks/"
        )
    if variation is not None:
        raise ConfigurationError("--variation goes with --labelled; guides are varied by --guide-variation")
    if (count := method.info.contents) == len(source.contents):
        return
    if count == 1:
        raise ConfigurationError(
            f"{name} learns one content at once, got {' and '.join(source.contents)}: name one by --attribute, or give "
            "--with and --without folders; --method didd learns two"
        )
    raise ConfigurationError(
        f"{name} learns {count} contents at once: name them by --attributes FIRST,SECOND, or give a --with folder each"
    )


def _schedule(method: str, config: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings: what was given, then the paper's for its own layers, then what suits the networks."""
    if config == "paper":
        return PUBLISHED | given
    if not get_method(method).info.refines or network_config(method, config).patch % 2:
        return {"coarse_steps": 0} | given  # it has no form of half the resolution
    if "steps" in given:
        return {"coarse_steps": int(given["steps"]) * 2 // 3} | given
    return given


def _options(method: str, config: str, source: Source | LabelledSource, given: Mapping[str, Any]) -> Any:
    """Return the objective's options, the paper's for its own layers.

    Raises:
        ConfigurationError: if it has no option of a name, or a value is none that it can have.
    """
    kind = objective_of(get_method(method)).options
    known = [name for name, _, _ in options_in(kind)]
    for name in given:
        if name not in known:
            raise ConfigurationError(f"{method} has no option {name!r}: expected one of {', '.join(known)}")
    published: dict[str, Any] = {}
    if config == "paper":
        labelled = get_method(method).info.learns_from == "parts"
        plan = source.attribute
        published["recipe"] = "paper" if labelled else plan.recipe if plan else "glasses"
        if "guide_variation" in known:
            published["guide_variation"] = 0.0
    return kind(**(published | {name: value for name, value in given.items() if value is not None}))
