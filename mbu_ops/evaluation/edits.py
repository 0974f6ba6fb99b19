"""What some weights make of examples, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from mbu_ops.evaluation.examples import Examples
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.guides import cut_out
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.transfer import Transfer

if TYPE_CHECKING:
    from mbu_ops.ops.method import Method
    from mbu_ops.weights import Pretrained, WeightsInfo

GUIDES = 8
"""Guides to tell apart in the retrieval test."""

CHUNK, FEW = 32, 32
"""Images edited at once, so that memory stays the same however many there are; and images to try guides on."""


@dataclass(frozen=True, slots=True)
class EditMasks:
    """Where edits are, the same for all weights that are compared.

    Attributes:
        add: ``(N, 1, R, R)`` bool: where additions may change ``without`` images; None where nothing is added.
        remove: ``(M, 1, R, R)`` bool: where removals may change ``with`` images.
    """

    add: Tensor | None
    remove: Tensor

    def of_kind(self, name: str) -> Tensor:
        """Return where edits of a kind are; removals' where nobody said where additions are."""
        return self.remove if name == "remove" or self.add is None else self.add

    @classmethod
    @torch.no_grad()
    def of(cls, weights: Pretrained, examples: Examples, seed: int = 1) -> EditMasks:
        """Return where some weights edit examples; arguments as of :meth:`Edits.make`, and its guides."""
        removed = in_chunks(Remove.of(weights).edit, examples.with_)
        if not can(weights, "transfer"):
            return cls(None, removed.mask > 0)
        chosen = _Choice.of(examples, seed).guides
        added = in_chunks(_adds(weights), examples.without, examples.with_[chosen])
        return cls(added.mask > 0, removed.mask > 0)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which ``with`` images are guides: for each ``without`` image, in the retrieval test, and of each swap."""

    guides: Tensor
    few: Tensor
    swaps: Tensor

    @classmethod
    def of(cls, examples: Examples, seed: int) -> _Choice:
        random, count = np.random.default_rng(seed), len(examples.with_)
        guides = random.integers(count, size=len(examples.without))
        few = random.permutation(count)[:GUIDES]
        swaps = (np.arange(count) + random.integers(1, max(2, count), size=count)) % count  # never its own
        return cls(*(torch.from_numpy(indices) for indices in (guides, few, swaps)))


class Kind(NamedTuple):
    """Edits of one kind, additions or removals, beside the images that they were made of.

    Attributes:
        name: ``"add"`` or ``"remove"``.
        title: what they are called.
        done: what was done to an image, in a word.
        edit: the edits.
        before: the images.
        idle: the same edit of images that already are as wanted.
        idle_before: those images.
        lack: what images that already are as wanted are called.
    """

    name: str
    title: str
    done: str
    edit: Edit
    before: Tensor
    idle: Tensor
    idle_before: Tensor
    lack: str


@dataclass(frozen=True, slots=True)
class Edits:
    """What some weights make of examples; the random guide of a picture is never the picture itself.

    Weights that only remove have no additions and no guides: all that has to do with these is None, or empty.

    Attributes:
        added: ``without`` images, each with the content of a random guide.
        removed: ``with`` images without their content.
        swapped: ``with`` images with the content of a random guide in place of their own; None if the method does not
            swap.
        defaults: ``without`` images with each default guide.
        guides: ``(G, 3, R, R)``: a few guides.
        guided: ``(N, G, 3, R, R)``: a few ``without`` images, each with each of those.
        guide_masks: ``(G, 1, R, R)`` soft masks of those guides.
        guided_masks: ``(N, G, 1, R, R)``: where each of them changed the image.
        segmented: ``(M, 1, R, R)`` soft masks of the ``with`` images.
        idle_added: ``(M, 3, R, R)``: ``with`` images, which have the content, with that of a random guide added.
        idle_removed: ``(N, 3, R, R)``: ``without`` images, which lack it, with the content removed.
        exact: ``(N, 3, R, R)``: ``without`` images with the content of the guides of which the true result is known,
            or None.
    """

    added: Edit | None
    removed: Edit
    swapped: Tensor | None
    defaults: list[Tensor]
    guides: Tensor | None
    guided: Tensor | None
    guide_masks: Tensor | None
    guided_masks: Tensor | None
    segmented: Tensor
    idle_added: Tensor | None
    idle_removed: Tensor
    exact: Tensor | None = None

    def kinds(self, examples: Examples) -> list[Kind]:
        """Return additions, if there are any, and removals.

        Args:
            examples: the images that they were made of.
        """
        with_, without = examples.with_, examples.without
        removals = Kind(
            "remove", "removals", "removed", self.removed, with_, self.idle_removed, without, "removals, without"
        )
        if self.added is None or self.idle_added is None:
            return [removals]
        return [
            Kind("add", "additions", "added", self.added, without, self.idle_added, with_, "additions, with"),
            removals,
        ]

    @classmethod
    @torch.no_grad()
    def make(
        cls,
        weights: Pretrained,
        examples: Examples,
        seed: int = 1,
        report: Callable[[], None] = lambda: None,
    ) -> Edits:
        """Edit all examples, a few at a time.

        Args:
            weights: what edits them.
            examples: the images.
            seed: of the choice of guides.
            report: called after each part of the work, see :data:`mbu_ops.evaluation.measurement.STAGES`.
        """
        with_, without = examples.with_, examples.without
        # as users get them: weights may say that there is nothing to do
        remove, segment = Remove.of(weights).edit, Segment.of(weights).edit
        removed, idle_removed = in_chunks(remove, with_), in_chunks(remove, without).image
        report()
        segmented = in_chunks(segment, with_).mask
        if not can(weights, "transfer"):
            for _ in range(3):
                report()
            return cls(None, removed, None, [], None, None, None, None, segmented, None, idle_removed)
        transfer = Transfer.of(weights)
        choice = _Choice.of(examples, seed)
        guides, add = with_[choice.few], _adds(weights)
        few = [add(without[:FEW], guide[None].expand(len(without[:FEW]), -1, -1, -1)) for guide in guides]
        report()
        added = in_chunks(add, without, with_[choice.guides])
        report()
        defaults = [in_chunks(bound.edit, without).image for bound in transfer.defaults()]
        swaps = "swap" in transfer.model.info.verbs
        swapped = in_chunks(add, removed.image, with_[choice.swaps]).image if swaps else None
        idle_added = in_chunks(add, with_, with_[choice.swaps]).image
        report()
        return cls(
            added=added,
            removed=removed,
            swapped=swapped,
            defaults=defaults,
            guided=torch.stack([edit.image for edit in few], dim=1),
            guide_masks=_shown(segment(guides).mask, guides, weights.info),
            guided_masks=torch.stack([edit.mask for edit in few], dim=1),
            segmented=segmented,
            guides=guides,
            idle_added=idle_added,
            idle_removed=idle_removed,
            exact=None if examples.guides is None else in_chunks(add, without, examples.guides).image,
        )


def _adds(weights: Pretrained) -> Callable[[Tensor, Tensor], Edit]:
    """Return what adds the contents of guides to images, guides taken as from files: alone where a family can tell."""
    transfer = Transfer.of(weights)

    def add(images: Tensor, guides: Tensor) -> Edit:
        alone = [cut_out(guide, weights.info) for guide in torch.split(guides, 1)]
        if all(guide.shape[1] == 3 for guide in alone):
            return transfer.edit(images, guides)
        parts = [transfer.edit(image, guide) for image, guide in zip(torch.split(images, 1), alone, strict=True)]
        return Edit(*(torch.cat(part) for part in zip(*parts, strict=True)))

    return add


def _shown(found: Tensor, guides: Tensor, info: WeightsInfo) -> Tensor:
    """Return where guides show the content: where a network finds it, and of things alone their alpha."""
    alone = [cut_out(guide, info) for guide in torch.split(guides, 1)]
    parts = zip(torch.split(found, 1), alone, strict=True)
    return torch.cat([guide[:, 3:] if guide.shape[1] == 4 else mask for mask, guide in parts])


def can(weights: Pretrained, verb: str) -> bool:
    """Return whether the method of some weights serves a verb."""
    return verb in cast("Method", weights.model).info.verbs


def in_chunks(edit: Callable[..., Edit], *images: Tensor) -> Edit:
    """Return the edit of many images, made a few at a time."""
    parts = [edit(*chunks) for chunks in zip(*(torch.split(one, CHUNK) for one in images), strict=True)]
    return Edit(*(torch.cat(part) for part in zip(*parts, strict=True)))
