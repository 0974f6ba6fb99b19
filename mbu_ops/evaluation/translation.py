"""Measure edits of two contents: translation of one domain into the other, both contents at once, and neither."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops import images
from mbu_ops.errors import ConfigurationError
from mbu_ops.evaluation.distances import described, kernel_distance
from mbu_ops.evaluation.edits import CHUNK
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import Figure, decibels, mean, share
from mbu_ops.evaluation.judge import Judge
from mbu_ops.evaluation.networks.image_features import ImageFeatures
from mbu_ops.functional.grid import grid
from mbu_ops.ops.redraw import Redraw
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer
from mbu_ops.ops.translate import Translate
from mbu_ops.weights import load, load_pretrained, read_info, resolve


class PairEditor(ABC):
    """Something that edits two contents, numbered 0 and 1; images ``(B, 3, H, W)``, as many guides."""

    def __init__(self, *files: Path) -> None:
        self.files = files

    @abstractmethod
    def translate(self, images: Tensor, guides: Tensor, content: int) -> Tensor:
        """Return images with one content of the guides and without the other."""

    @abstractmethod
    def strip(self, images: Tensor) -> Tensor:
        """Return images without either."""

    @abstractmethod
    def both(self, images: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return images with the first content of some guides and the second of others."""

    @staticmethod
    def of(name: str, contents: tuple[str, str]) -> PairEditor:
        """Return what edits with some weights: one file of a network of two contents, or two, as ``FIRST+SECOND``.

        Args:
            name: names or paths of weights.
            contents: names of the two.

        Raises:
            ConfigurationError: if the weights do not edit both.
            WeightsError: if there are no such weights.
        """
        parts = name.split("+")
        if len(parts) > 2:
            raise ConfigurationError(f"expected weights of two contents, or FIRST+SECOND, got {name!r}")
        files = [resolve(part)[0] for part in parts]
        edited = [set(read_info(file).attributes) for file in files]
        if len(files) == 1:
            if not set(contents) <= edited[0]:
                raise ConfigurationError(
                    f"the weights {name!r} edit {', '.join(sorted(edited[0]))}, not {' and '.join(contents)}; name "
                    "weights of both, or two joined by +"
                )
            return OneNetwork(files[0], contents)
        for part, known, content in zip(parts, edited, contents, strict=True):
            if content not in known:
                raise ConfigurationError(f"the weights {part!r} edit {', '.join(sorted(known))}, not {content}")
        return TwoNetworks(files[0], files[1], contents)


class OneNetwork(PairEditor):
    """One network of both contents, in one pass."""

    def __init__(self, file: Path, contents: tuple[str, str]) -> None:
        super().__init__(file)
        pretrained = load(file)
        self._whole = pretrained.model
        self._numbers = [pretrained.info.attributes.index(content) for content in contents]
        views = [pretrained.for_content(content, file).model for content in contents]
        self._translate = [Translate(view) for view in views]

    def translate(self, images: Tensor, guides: Tensor, content: int) -> Tensor:
        """Return images with one content of the guides and without the other."""
        return self._translate[content].edit(images, guides).image

    def strip(self, images: Tensor) -> Tensor:
        """Return images without either."""
        return self._redrawn(images, None, None)

    def both(self, images: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return images with the first content of some guides and the second of others."""
        codes = [op.encode(guides) for op, guides in zip(self._translate, (first, second), strict=True)]
        return self._redrawn(images, *codes)

    def _redrawn(self, images: Tensor, first: Tensor | None, second: Tensor | None) -> Tensor:
        changes = dict(zip(self._numbers, (first, second), strict=True))
        return Redraw(self._whole, changes).edit(images).image


class TwoNetworks(PairEditor):
    """A network for each content, one after the other."""

    def __init__(self, first: Path, second: Path, contents: tuple[str, str]) -> None:
        super().__init__(first, second)
        models = [
            load_pretrained(file, content=content).model
            for file, content in zip((first, second), contents, strict=True)
        ]
        self._add, self._remove = [Transfer(model) for model in models], [Remove(model) for model in models]

    def translate(self, images: Tensor, guides: Tensor, content: int) -> Tensor:
        """Return images with one content of the guides and without the other."""
        return self._add[content].edit(self._remove[1 - content].edit(images).image, guides).image

    def strip(self, images: Tensor) -> Tensor:
        """Return images without either."""
        return self._remove[1].edit(self._remove[0].edit(images).image).image

    def both(self, images: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return images with the first content of some guides and the second of others."""
        return self._add[1].edit(self._add[0].edit(images, first).image, second).image


@torch.no_grad()
def measure_translations(
    editor: PairEditor,
    examples: Examples,
    contents: tuple[str, str],
    judge: Judge,
    judges: tuple[Judge, Judge] | None = None,
    identity: nn.Module | None = None,
    features: ImageFeatures | None = None,
    seed: int = 1,
) -> list[Figure]:
    """Measure edits of two contents.

    Args:
        editor: what edits.
        examples: ``with_`` images of the first domain, with the first content and without the second; ``without``
            images of the second domain.
        contents: names of the two.
        judge: tells the first domain (with) from the second (without), as the classifier of DIDD's paper does.
        judges: say of each content whether it is there; None leaves what only they can tell out.
        identity: describes whose picture it is; None leaves that out.
        features: describes what a picture looks like; None leaves that out.
        seed: of the choice of guides.

    Returns:
        For each direction: whether the judge takes translations for their new domain, whether both judges agree, whose
        picture it still is, and how far translations are from that domain; and what stripping and adding both do.
    """
    domains = examples.with_, examples.without
    random = np.random.default_rng(seed)
    guides = [
        domains[content][torch.from_numpy(random.integers(len(domains[content]), size=len(domains[1 - content])))]
        for content in (0, 1)
    ]
    told = judge.says_with(examples.with_), ~judge.says_with(examples.without)
    figures = [
        share(f"judge_{name}", f"judge knows its domain: untouched, {name}", said)
        for name, said in zip(contents, told, strict=True)
    ]
    for content in (0, 1):
        source, name, other = domains[1 - content], contents[content], contents[1 - content]
        started = time.perf_counter()
        moved = torch.cat(
            [
                editor.translate(one, guide, content)
                for one, guide in zip(torch.split(source, CHUNK), torch.split(guides[content], CHUNK), strict=True)
            ]
        )
        milliseconds = 1000 * (time.perf_counter() - started) / len(source)
        words = f"{other} to {name}"
        said = judge.says_with(moved) if content == 0 else ~judge.says_with(moved)
        figures.append(share(f"to_{name}", f"judge says {name}'s domain: {words}", said))
        if judges is not None:
            strict = judges[content].says_with(moved) & ~judges[1 - content].says_with(moved)
            figures.append(share(f"strict_{name}", f"both judges agree: {words}", strict))
        if identity is not None:
            figures.append(_kept(f"identity_{name}", words, identity, moved, source))
        if features is not None:
            with contextlib.suppress(ConfigurationError):  # without torchmetrics
                real, after = described(features, domains[content]), described(features, moved)
                title = f"KID-Lite0 x 100 from {name}'s domain: {words}"
                figures.append(kernel_distance(f"kid_{name}", title, real, after))
        change = decibels((moved - source).square().flatten(1).mean(1))
        figures += [
            mean(f"psnr_{name}", f"PSNR of the whole picture: {words}", change, "dB"),
            Figure(f"ms_{name}", f"milliseconds a picture here: {words}", milliseconds, None, None, len(source)),
        ]
    if judges is not None:
        figures += _both_ways(editor, domains, guides, contents, judges)
    size = sum(file.stat().st_size for file in editor.files) / 1e6
    return [*figures, Figure("megabytes", "size of the weights, MB", size, None, None, len(editor.files))]


def _kept(name: str, words: str, identity: nn.Module, after: Tensor, before: Tensor) -> Figure:
    one, other = described(identity, after), described(identity, before)
    alike, strangers = F.cosine_similarity(one, other), F.cosine_similarity(other, other.roll(1, 0)).mean()
    title = f"identity, 0 another picture, 1 the same: {words}"
    return mean(name, title, (alike - strangers) / (1 - strangers))


def _both_ways(
    editor: PairEditor,
    domains: tuple[Tensor, Tensor],
    guides: list[Tensor],
    contents: tuple[str, str],
    judges: tuple[Judge, Judge],
) -> list[Figure]:
    figures = []
    for content, source in enumerate(domains):
        stripped = torch.cat([editor.strip(one) for one in torch.split(source, CHUNK)])
        neither = ~judges[0].says_with(stripped) & ~judges[1].says_with(stripped)
        figures.append(
            share(f"strip_{contents[content]}", f"judges see neither: stripped, {contents[content]}", neither)
        )
        # a picture is a guide for its own content: the other one is added
        given = (source, guides[1]) if content == 0 else (guides[0], source)
        added = torch.cat(
            [
                editor.both(*chunks)
                for chunks in zip(*(torch.split(one, CHUNK) for one in (source, *given)), strict=True)
            ]
        )
        seen = judges[0].says_with(added) & judges[1].says_with(added)
        figures.append(share(f"both_{contents[content]}", f"judges see both: added to {contents[content]}", seen))
    return figures


@torch.no_grad()
def write_translations(path: Path, editor: PairEditor, examples: Examples, count: int = 8) -> Path:
    """Write a sheet: for each direction pictures, guides and translations; then both contents, and neither.

    Args:
        path: the PNG to write.
        editor: what edits.
        examples: as for :func:`measure_translations`.
        count: columns.
    """
    first, second = examples.with_[:count], examples.without[:count]
    rows = []
    for content, source, guides in ((0, second, first), (1, first, second)):
        rows += [source, guides, editor.translate(source, guides, content)]
    rows += [editor.both(first, first, second), editor.strip(first), editor.strip(second)]
    images.write(path, grid(rows), overwrite=True)
    return path
