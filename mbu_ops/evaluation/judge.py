"""A judge: a small classifier that says whether an image shows the content."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.data.domains import Domains
from mbu_ops.data.variation import jittered
from mbu_ops.errors import WeightsError
from mbu_ops.files import atomic_path

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
        facts = {_LEARNT: json.dumps(self.learnt, sort_keys=True), _KIND: self.kind}
        try:
            with atomic_path(path) as temporary:
                save_file(self.state_dict(), temporary, facts)
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"could not write the {self.kind} to {str(path)!r}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a classifier of this kind.

        Raises:
            WeightsError: if the file is not one of its kind.
        """
        classifier = cls()
        try:
            with safe_open(path, framework="pt") as file:
                facts = file.metadata() or {}
                if facts.get(_KIND, cls.kind) != cls.kind:
                    raise ValueError(f"it holds a {facts[_KIND]}")
                classifier.learnt = dict(json.loads(facts.get(_LEARNT, "{}")))
                classifier.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        except (OSError, SafetensorError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(
                f"expected a {cls.kind}'s weights in {str(path)!r}: {reason}; remove it to train one"
            ) from error
        return classifier.eval()


_LEARNT, _KIND = "learnt", "kind"
"""Keys of the metadata that say what a classifier has learnt from, and what it is."""


class Judge(Classifier):
    """The classifier that says whether edits are convincing.

    Five strided convolutions; the size that a few hundred images can train and a CPU does not notice.

    Example:
        >>> Judge()(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2])
    """

    kind = "judge"

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in (24, 48, 96, 128, 128):
            layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * (SIDE // 32) ** 2, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return a logit for each image."""
        logits: Tensor = self.layers(self.fitted(images) * 2 - 1)
        return logits.squeeze(1)


Kind = TypeVar("Kind", bound=Classifier)


def train_judge(
    domains: Domains, steps: int = 1200, seed: int = 0, report: Callable[[int, float], None] | None = None
) -> Judge:
    """Train a judge; see :func:`train_classifier`."""
    return train_classifier(Judge, domains, steps, seed, report)


def train_classifier(
    kind: type[Kind],
    domains: Domains,
    steps: int = 1200,
    seed: int = 0,
    report: Callable[[int, float], None] | None = None,
) -> Kind:
    """Train a classifier on batches of 32 images with and 32 without, softened, moved and recoloured.

    So neither softness, nor place, nor colour passes for a sign of the content: edits must show the thing itself.

    Args:
        kind: which one.
        domains: the training images; the edits' own training set, so that a judge knows no more than the model.
        steps: how long to train.
        seed: of weights and batches.
        report: called with step and loss every 100 steps.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        judge = kind()
        judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # half the time on a CPU
        optimiser = torch.optim.AdamW(judge.parameters(), 1e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
        truth = torch.cat([torch.zeros(32), torch.ones(32)])
        for step in range(steps):
            pair = domains.batch(32, seed, step)[:2]  # images that show neither of two contents are not judged
            images = jittered(torch.cat(pair)).contiguous(memory_format=torch.channels_last)
            loss = F.binary_cross_entropy_with_logits(judge(images), truth)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            if report and step % 100 == 0:
                report(step, loss.item())
    judge.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload] # as files hold it
    return judge.eval()
