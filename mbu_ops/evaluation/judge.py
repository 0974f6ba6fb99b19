"""Judges: classifiers that say whether an image shows a content, and what they have learnt from."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.data.domains import Domains
from mbu_ops.data.variation import jittered
from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.evaluation.networks.image_features import ImageFeatures, levelled, pretrained
from mbu_ops.files import open_regular
from mbu_ops.weights.tensors import write_tensors

SIDE = 128
"""Classifiers see every image at this size."""


class Classifier(nn.Module, ABC):
    """Say, for each image, whether it shows the content: positive = yes. Kept in a file with what it has learnt from.

    Shape:
        ``(B, 3, H, W)`` RGB in [0, 1] to logits ``(B,)``.
    """

    kind: ClassVar[str]
    learnt: dict[str, object]
    """What it has learnt from, as its file says; empty if nobody said."""

    def __init__(self) -> None:
        super().__init__()
        self.learnt = {}

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return a logit for each image."""

    def logits(self, images: Tensor) -> Tensor:
        """Return a logit for each image and content that it tells, ``(B, C)``."""
        logits: Tensor = self(images)
        return logits[:, None]

    @property
    def learning_rate(self) -> float:
        """Highest rate at which it learns."""
        return 2e-3

    @staticmethod
    def fitted(images: Tensor) -> Tensor:
        """Return the images at the size that classifiers see."""
        if images.shape[-2:] == (SIDE, SIDE):
            return images
        return F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)

    @torch.no_grad()
    def says_with(self, images: Tensor) -> Tensor:
        """Return which images show the content, to this classifier, as ``(B,)`` bool."""
        return torch.cat([self(chunk) > 0 for chunk in torch.split(images, 64)])

    def save(self, path: Path) -> None:
        """Write the weights, and what they have learnt from.

        Raises:
            WeightsError: if it cannot be written.
        """
        facts = {_LEARNT: json.dumps(self.learnt, sort_keys=True), _KIND: self.kind, **self._facts()}
        try:
            write_tensors(path, self._stored(), facts)
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"could not write the {self.kind} to {str(path)!r}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a classifier of this kind.

        Raises:
            WeightsError: if the file is not one of its kind.
        """
        try:
            open_regular(path).close()  # safetensors would wait for a pipe
            with safe_open(path, framework="pt") as file:
                facts = file.metadata() or {}
                if facts.get(_KIND, cls.kind) != cls.kind:
                    raise ValueError(f"it holds a {facts[_KIND]}")
                learnt = dict(json.loads(facts.get(_LEARNT, "{}")))
                classifier = cls._described(facts, learnt)
                classifier.learnt = learnt
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
                    raise ValueError("it holds numbers that are not finite")
                classifier.load_state_dict(tensors)
        except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(
                f"expected a {cls.kind}'s weights in {str(path)!r}: {reason}; remove it to train one"
            ) from error
        return classifier.eval()

    def _facts(self) -> dict[str, str]:
        """Return what a file says of the network beside its kind and what it has learnt from."""
        return {}

    def _stored(self) -> dict[str, Tensor]:
        """Return the tensors as a file holds them."""
        return self.state_dict()

    @classmethod
    def _described(cls, facts: Mapping[str, str], learnt: Mapping[str, Any]) -> Self:  # noqa: ARG003
        """Return the network that a file describes, without its weights.

        Raises:
            ValueError: if the file describes none.
        """
        return cls()


_LEARNT, _KIND = "learnt", "kind"
"""Keys of the metadata that say what a classifier has learnt from, and what it is."""

_BACKBONE, _CONTENTS = "backbone", "contents"
"""Keys that say how a judge is built and what it tells, in order."""

Backbone = Literal["efficientnet_lite0", "small"]
BACKBONES: tuple[Backbone, ...] = ("efficientnet_lite0", "small")
"""What a judge can be built on: a network that knows ImageNet, or five convolutions that know nothing."""


class Judge(Classifier):
    """The classifier that says whether edits are convincing; one of several contents looks through one network.

    Args:
        contents: names of what it tells, each its own yes or no.
        backbone: ``"small"``: five strided convolutions, which a few hundred drawn images can train and a CPU does not
            notice; ``"efficientnet_lite0"``: EfficientNet-Lite0 (Tan and Le, ICML 2019), to be trained from its
            ImageNet weights, which sees what the eye sees in photos.

    Attributes:
        content: the content that :meth:`forward` tells; the first at first, see :meth:`of`.

    Raises:
        ConfigurationError: if there is no content or no such backbone.

    Example:
        >>> judge = Judge(("glasses", "smile"))
        >>> judge(torch.rand(2, 3, 64, 64)).shape, judge.of("smile").content
        (torch.Size([2]), 'smile')
    """

    kind = "judge"

    def __init__(self, contents: tuple[str, ...] = ("content",), backbone: Backbone = "small") -> None:
        super().__init__()
        if not contents or len(set(contents)) < len(contents):
            raise ConfigurationError(f"expected the names of different contents to tell, got {contents!r}")
        if backbone not in BACKBONES:
            raise ConfigurationError(f"expected a backbone out of {', '.join(BACKBONES)}, got {backbone!r}")
        self.contents, self.backbone, self.content = contents, backbone, contents[0]
        if backbone == "small":
            self.layers = _small(len(contents))
        else:
            described = ImageFeatures.num_features
            self.layers = nn.Sequential(
                ImageFeatures().layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3)
            ).append(nn.Linear(described, len(contents)))

    def of(self, content: str) -> Self:
        """Return the same network telling one of its contents.

        Raises:
            ConfigurationError: if it knows no such content.
        """
        if content not in self.contents:
            raise ConfigurationError(f"expected a content that the judge knows ({self.known}), got {content!r}")
        judge = copy(self)
        judge.content = content
        return judge

    @property
    def known(self) -> str:
        """The contents that it tells, for people."""
        return ", ".join(self.contents)

    def logits(self, images: Tensor) -> Tensor:
        """Return a logit for each image and content, ``(B, C)``."""
        fitted = self.fitted(images)
        logits: Tensor = self.layers(fitted * 2 - 1 if self.backbone == "small" else levelled(fitted))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Return a logit for each image: whether it shows the judge's ``content``."""
        return self.logits(images)[:, self.contents.index(self.content)]

    @property
    def learning_rate(self) -> float:
        """Highest rate at which it learns: lower where it begins with what ImageNet taught it."""
        return super().learning_rate if self.backbone == "small" else 1e-3

    def _facts(self) -> dict[str, str]:
        return {_BACKBONE: self.backbone, _CONTENTS: json.dumps(self.contents)}

    def _stored(self) -> dict[str, Tensor]:
        state = self.state_dict()
        if self.backbone == "small":
            return state
        return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}

    @classmethod
    def _described(cls, facts: Mapping[str, str], learnt: Mapping[str, Any]) -> Self:
        if _BACKBONE not in facts:  # a judge of before there were several of either
            return cls((str(learnt.get("attribute") or "content"),))
        contents: Any = json.loads(facts[_CONTENTS]) if _CONTENTS in facts else None
        backbone: Any = facts[_BACKBONE]
        if not (isinstance(contents, list) and all(isinstance(name, str) for name in contents)):
            raise ValueError(f"it tells {contents!r}")
        try:
            return cls(tuple(contents), backbone)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error


def _small(count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for width in (24, 48, 96, 128, 128):
        layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * (SIDE // 32) ** 2, count))


def new_judge(contents: tuple[str, ...], backbone: Backbone = "efficientnet_lite0") -> Judge:
    """Return a judge to be trained, on the packaged ImageNet weights if its backbone has them.

    Args:
        contents: names of what it is to tell.
        backbone: what it is built on.

    Raises:
        ConfigurationError: as :class:`Judge` does.
        MissingPackageError: if the package that holds those weights is not installed.
        WeightsError: if they are missing or damaged.
    """
    judge = Judge(contents, backbone)
    if backbone == "efficientnet_lite0":
        judge.layers[0].load_state_dict(pretrained().layers.state_dict())
    return judge


Kind = TypeVar("Kind", bound=Classifier)

STEPS: Mapping[str, int] = {"efficientnet_lite0": 300, "small": 1200, "map": 1200}
"""How long classifiers learn unless somebody says otherwise; one that knows ImageNet needs fewer steps."""

HALF_BATCH = 32
"""Images with a content, and as many without it, in a batch that classifiers learn from."""


def train_judge(
    domains: Domains | Mapping[str, Domains],
    steps: int | None = None,
    seed: int = 0,
    report: Callable[[int, float], None] | None = None,
    backbone: Backbone = "efficientnet_lite0",
    device: torch.device | str | None = None,
) -> Judge:
    """Train a judge of one or more contents; see :func:`train_classifier`.

    Args:
        domains: the training images; by content, of a judge that is to tell several.
        steps: how long to train; :data:`STEPS` by default.
        seed: of batches and new layers.
        report: called with step and loss every 100 steps.
        backbone: what the judge is built on, see :class:`Judge`.
        device: where to train; the CPU by default.
    """
    names = tuple(_by_content(domains))
    trained = train_classifier(
        lambda: new_judge(names, backbone), domains, steps or STEPS[backbone], seed, report, device
    )
    if backbone != "small":  # as files hold it, so that a judge says the same before and after
        trained.load_state_dict({name: value.to(torch.float32) for name, value in trained._stored().items()})
    return trained


def train_classifier(
    build: Callable[[], Kind],
    domains: Domains | Mapping[str, Domains],
    steps: int,
    seed: int = 0,
    report: Callable[[int, float], None] | None = None,
    device: torch.device | str | None = None,
) -> Kind:
    """Train a classifier on batches of 32 images with and 32 without, softened, moved and recoloured.

    So neither softness, nor place, nor colour passes for a sign of the content: edits must show the thing itself. Of
    several contents each gets its own batch in a step, in which it is as often there as not.

    Args:
        build: makes what is to learn.
        domains: the training images, by the content that they show.
        steps: how long to train.
        seed: of batches and variations.
        report: called with step and loss every 100 steps.
        device: where to train; the CPU by default. What has learnt comes back to the CPU.
    """
    place, named = torch.device(device or "cpu"), _by_content(domains)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        classifier = build()
        classifier.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload] # half the time on a CPU
        classifier.train()
        optimiser = torch.optim.AdamW(classifier.parameters(), 1e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, classifier.learning_rate, steps)
        truth = torch.cat([torch.zeros(HALF_BATCH), torch.ones(HALF_BATCH)]).to(place)
        for step in range(steps):
            # images that show neither of two contents are not judged
            pairs = [side for one in named.values() for side in one.batch(HALF_BATCH, seed, step)[:2]]
            images = torch.cat(pairs).to(place)
            images = jittered(images).contiguous(memory_format=torch.channels_last)
            # each content's own batch, in the order of the logits
            batches = enumerate(torch.split(classifier.logits(images), 2 * HALF_BATCH))
            own = torch.cat([part[:, index] for index, part in batches])
            loss = F.binary_cross_entropy_with_logits(own, truth.repeat(len(named)))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            if report and step % 100 == 0:
                report(step, loss.item())
    classifier.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload] # as files hold it
    return classifier.eval()


def _by_content(domains: Domains | Mapping[str, Domains]) -> Mapping[str, Domains]:
    return {"content": domains} if isinstance(domains, Domains) else domains
