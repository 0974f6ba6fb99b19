"""Pairs whose target is always a real photo: a content laid on a photo that shows none, which is what to get back.

Two folders hold no pairs. These are made of them: a content is *cut* out of another photo, by its mask; *drawn* by a
family's pen; put there by other weights' *edits* (back-translation: Sennrich, Haddow and Birch, ACL 2016); or the photo
is *bent* to the shape of those with the content, as far as its family knows that. Of pictures that a family draws both
sides are *known*. Nothing that a network made stands on the side of the target, so that what is learnt from it is
sharp. May import no network.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mbu_ops.data.capture import lit, mirrored, moved, softened
from mbu_ops.data.domains import Domains
from mbu_ops.data.donors import OPAQUE, Drawn, fitted, laid_on, nearest, seams
from mbu_ops.data.layout import place
from mbu_ops.errors import ConfigurationError, ShapeError
from mbu_ops.functional.layer import Moved
from mbu_ops.functional.mask import change_mask, resize

KINDS = ("cut", "drawn", "edited", "bent", "known")
"""How a content can be laid on a photo."""

_NEEDS = {
    "drawn": ("pen", "a family that draws the content", "leave them out (cut=1)"),
    "edited": ("edited", "edited photos", "name a step that adds the content"),
    "bent": ("bends", "a family that knows how the content bends what is around it", "leave them out (cut=1)"),
    "known": ("known", "pictures that their family draws", "leave them out (cut=1)"),
}
"""What kinds of pairs are made of: the field that holds it, and what to say where it is missing."""

_BENT = 0.2, 1.3
"""How far photos are bent, as a share of what is usual between the domains."""

_STIRRED = 6.0
"""Pixels by which a place must move to count as all of the content's."""

_TRIED = 4
"""So many donors are drawn for a photo; the one that fits best lends."""

_SHOWS = 0.02
"""A donor's mask covers at least so much of the frame: from others there is nothing to cut."""

Pen = Callable[[Tensor], Drawn]
"""Draws a content on each of some photos, ``(B, 3, H, W)`` RGB in [0, 1]; its randomness is torch's global one."""


class Edited(NamedTuple):
    """What other weights made of some photos.

    Attributes:
        pictures: ``(K, 3, H, W)`` uint8 RGB, photos with the content.
        of: ``(K,)`` int64, which ``without`` photo each was made of.
    """

    pictures: Tensor
    of: Tensor


class Known(NamedTuple):
    """The truth of pictures that a family drew.

    Attributes:
        pictures: ``(N, 3, H, W)`` uint8 RGB, each ``without`` picture with the content.
        masks: ``(N, 1, H, W)`` uint8, 255 where it is.
        views: ``(N, 4, H, W)`` uint8, another subject with that content, and its mask; None where no guides are
            followed.
    """

    pictures: Tensor
    masks: Tensor
    views: Tensor | None = None


class Pairs(NamedTuple):
    """Pictures before and after, as training sees them.

    Attributes:
        shown: ``(B, 3, H, W)`` RGB in [0, 1], photos with the content laid on.
        wanted: the same of the photos themselves.
        masks: ``(B, 1, H, W)`` in [0, 1], where the content lies.
    """

    shown: Tensor
    wanted: Tensor
    masks: Tensor

    @classmethod
    def of(cls, batch: Tensor) -> Pairs:
        """Return the pairs that one tensor of seven channels holds."""
        return cls(*torch.split(batch, [3, 3, 1], 1))


@dataclass(frozen=True, slots=True)
class Composites:
    """Pairs made of two domains, and both domains' own photos beside them.

    Attributes:
        domains: the photos.
        masks: ``(M, 1, H, W)`` uint8, 255 where a ``with_`` photo shows the content.
        shares: how many of the pairs are of each of :data:`KINDS`, as ``(kind, share)``; they need not sum to 1.
        pen: draws the content; needed for ``"drawn"``.
        edited: photos that other weights have edited; needed for ``"edited"``.
        known: what the content looks like on each ``without`` picture; needed for ``"known"``.
        masks_from: who found the masks, for the weights' metadata.
        reverse: pairs of the same photos the other way: photos *with* the content, on which a place that shows none was
            laid. For methods that also put the content on.
        bends: ``(N, 2, h, w)`` in sides of the frame, flows that give each ``without`` photo the shape of one with the
            content, see :class:`mbu_ops.functional.layer.Moved`; contents are laid on photos that are bent so. None
            where nothing is known of shapes.
        views: whether batches hold another view of each pair's content, for methods that follow guides.
        near: ``(N, K)`` int64, for each ``without`` photo the donors that look like it; those from ``M`` on mirrored.

    Raises:
        ConfigurationError: if there are no shares, one is of another kind or negative, or a pen is missing.
        ShapeError: if masks do not fit the photos.
    """

    domains: Domains
    masks: Tensor
    shares: tuple[tuple[str, float], ...] = (("cut", 1.0),)
    pen: Pen | None = None
    edited: Edited | None = None
    known: Known | None = None
    masks_from: str = ""
    reverse: Composites | None = None
    bends: Tensor | None = None
    views: bool = False
    near: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_shares(self.shares)
        photos = self.domains.with_
        if self.masks.shape != (wanted := (len(photos), 1, *photos.shape[-2:])):
            raise ShapeError(
                f"expected masks of shape {tuple(wanted)}, one for each photo, got {tuple(self.masks.shape)}"
            )
        for kind, (holder, what, advice) in _NEEDS.items():
            if getattr(self, holder) is None and dict(self.shares).get(kind):
                raise ConfigurationError(f"expected {what} for pairs of the kind {kind!r}, got none: {advice}")
        if self.views and self.known is not None and self.known.views is None:
            raise ConfigurationError(
                "expected another subject with each content, for a method that follows guides, got none: leave pairs "
                "of the kind 'known' out (cut=1)"
            )
        bare = self.domains.without
        if self.bends is not None and (self.bends.ndim != 4 or self.bends.shape[:2] != (len(bare), 2)):
            raise ShapeError(
                f"expected bends of shape ({len(bare)}, 2, h, w), one for each photo, got {tuple(self.bends.shape)}"
            )
        object.__setattr__(self, "near", nearest(bare, photos, self._donors, labels=self._labels))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photos, in pixels."""
        return self.domains.size

    @property
    def resolution(self) -> int:
        """Width of the photos, in pixels."""
        return self.domains.resolution

    @property
    def source(self) -> str:
        """Where they came from."""
        return self.domains.source

    @property
    def anatomy(self) -> None:
        """None: nobody said what their pixels show."""

    @property
    def summary(self) -> str:
        """How many photos there are, and how pairs are made of them."""
        made = ", ".join(f"{share:.0%} {kind}" for kind, share in self._odds.items())
        return f"{self.domains.summary}; pairs: {made}"

    @property
    def facts(self) -> dict[str, object]:
        """What the photos are, and how pairs are made, as JSON holds it."""
        both = {} if self.reverse is None else {"reverse": self.reverse._odds}
        return self.domains.facts | {"pairs": self._odds, "masks": self.masks_from} | both

    @property
    def _donors(self) -> Tensor:
        """Return ``(M,)`` bool: which photos show enough of the content to cut it out; all where none does."""
        shows = shows_enough(self.masks)
        return shows if bool(shows.any()) else torch.ones_like(shows)

    @property
    def _labels(self) -> tuple[Tensor, Tensor] | None:
        """Return what else is known of photos without and with the content, ``(N, K)`` and ``(M, K)`` bool."""
        without, with_ = self.domains.without_traits, self.domains.with_traits
        if without is None or with_ is None:
            return None
        return torch.from_numpy(without.labels), torch.from_numpy(with_.labels)

    @property
    def _odds(self) -> dict[str, float]:
        total = sum(share for _, share in self.shares)
        return {kind: round(share / total, 6) for kind, share in self.shares if share}

    def with_aids(self, aids: Collection[str]) -> Composites:
        """Return the same pairs, with another view of each content if a method asks for it."""
        return self if self.views == ("views" in aids) else replace(self, views="views" in aids)

    def examples(self, limit: int) -> tuple[Tensor, ...]:
        """Return the first photos of both domains, see :meth:`mbu_ops.data.domains.Domains.examples`."""
        return self.domains.examples(limit)

    def batch(self, size: int, seed: int, step: int, flip: bool = True) -> tuple[Tensor, ...]:
        """Draw the batch of one step: the same one for the same seed and step, whatever was drawn before.

        Args:
            size: how many of each kind of picture.
            seed: seed of the run.
            step: number of the step.
            flip: whether to mirror half of the photos.

        Returns:
            Float32 in [0, 1]: pairs ``(size, 7, H, W)``, see :class:`Pairs`; photos with the content and their masks
            ``(size, 4, H, W)``; and photos without it ``(size, 3, H, W)``. Each is moved, lit, softened and
            compressed in its own way, a pair's two pictures in the same. With a ``reverse`` also its pairs; with
            ``views`` also ``(size, 4, H, W)``, a picture of each pair's content elsewhere, and its mask.
        """
        random = np.random.default_rng((seed, step))
        domains = self.domains
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(random.integers(2**31)))
            pairs, *views = self._mixed(size, random, flip)
            with_ = self._of_with(torch.from_numpy(random.integers(len(domains.with_), size=size)), random)
            without = self._of_without(self._targets(size, random), random)
            if flip:
                with_, without = mirrored(with_), mirrored(without)
            batches = pairs, *(softened(lit(moved(one), 1), 1).clamp(0, 1) for one in (with_, without))
            reverse = () if self.reverse is None else self.reverse._mixed(size, random, flip)[:1]
            return (*batches, *views, *reverse)

    def pairs(self, kind: str, count: int, seed: int = 0) -> Pairs:
        """Return pairs of one kind, as they are before they are moved, lit and softened.

        Args:
            kind: one of :data:`KINDS` that has a share.
            count: how many.
            seed: of the choice.
        """
        random = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Pairs.of(self._made(kind, count, random)[:, :7])

    def _mixed(self, size: int, random: np.random.Generator, flip: bool) -> tuple[Tensor, ...]:
        """Return pairs of all kinds as training sees them, ``(size, 7, H, W)``, and the views of their contents."""
        kinds = list(self._odds)
        chosen = np.sort(random.choice(len(kinds), size, p=[self._odds[kind] for kind in kinds]))
        parts = [self._made(kinds[which], int((chosen == which).sum()), random) for which in np.unique(chosen)]
        both = torch.cat(parts)
        both = mirrored(both) if flip else both
        pairs = softened(lit(moved(both[:, :7]), 2), 2).clamp(0, 1)
        if not self.views:
            return (pairs,)
        # far from where it lies in the pair: nothing may be copied in place
        return pairs, softened(lit(moved(moved(both[:, 7:])), 1), 1).clamp(0, 1)

    def _made(self, kind: str, count: int, random: np.random.Generator) -> Tensor:
        if kind == "edited":
            return self._made_of_edits(count, random)
        targets = self._targets(count, random)
        if kind == "known":
            assert self.known is not None  # noqa: S101 - checked when it was made
            parts = [self.known.pictures, self.domains.without, self.known.masks]
            if self.views and self.known.views is not None:
                parts.append(self.known.views)
            return torch.cat([part[targets] for part in parts], 1).float() / 255
        if kind == "drawn":
            photos = self._of_without(targets, random)
            assert self.pen is not None  # noqa: S101 - checked when it was made
            seed = int(random.integers(2**31))
            # the same things on other photos
            others = (photos, self._of_without(self._targets(count, random), random))[: 1 + self.views]
            pictures = []
            for some in others:
                torch.manual_seed(seed)
                pictures.append(self.pen(some))
            drawn, *again = pictures
            views = [part for one in again for part in one]
            return torch.cat([drawn.pictures, photos, drawn.masks, *views], 1)
        bent, photos, stirred = self._bent(targets, random)
        if kind == "bent":
            return torch.cat([bent, photos, stirred], 1)
        donors, fit = self._fitting(targets, bent, random)
        # whoever follows a guide must find the guide's own pixels in the picture
        laid = laid_on(bent, moved(fit), 1.0 if self.views else OPAQUE)
        return torch.cat(
            [laid.pictures, photos, torch.maximum(laid.masks, stirred), *([donors] if self.views else [])], 1
        )

    def _fitting(self, targets: Tensor, photos: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return donors for photos, as they are and moved to where they fit: the best of some, around the content."""
        found = []
        for _ in range(_TRIED):
            one_of = torch.from_numpy(random.integers(self.near.shape[1], size=len(targets)))
            donors = self._of_with(self.near[targets, one_of], random)
            found.append((donors, fit := fitted(donors, photos), seams(photos, fit)))
        donors, fit, apart = (torch.stack(parts) for parts in zip(*found, strict=True))
        best, rows = apart.argmin(0), torch.arange(len(targets))
        return donors[best, rows], fit[best, rows]

    def _made_of_edits(self, count: int, random: np.random.Generator) -> Tensor:
        assert self.edited is not None  # noqa: S101 - checked when it was made
        chosen = torch.from_numpy(random.integers(len(self.edited.of), size=count))
        both = [self.edited.pictures[chosen], self.domains.without[self.edited.of[chosen]]]
        shown, wanted = torch.split(place(torch.cat(both, 1) / 255, self.domains.without_layout, random), 3, 1)
        # softened before both are: no trace of the network that edited may tell
        changed = change_mask(wanted, shown)
        return torch.cat([softened(shown), wanted, changed, *([shown, changed] if self.views else [])], 1)

    def _targets(self, count: int, random: np.random.Generator) -> Tensor:
        return torch.from_numpy(random.choice(len(self.domains.without), count, p=self.domains.without_odds))

    def _of_without(self, indices: Tensor, random: np.random.Generator) -> Tensor:
        photos = self.domains.without[indices].float() / 255
        return place(photos, self.domains.without_layout, random)

    def _bent(self, indices: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return photos in the shape of those with the content, the photos themselves, and where both differ."""
        photos = self.domains.without[indices].float() / 255
        bent, stirred = photos, torch.zeros_like(photos[:, :1])
        if self.bends is not None:
            shares = torch.from_numpy(random.uniform(*_BENT, size=len(indices))).float().view(-1, 1, 1, 1)
            flow = shares * self.bends[indices].float()
            bent = Moved(torch.ones_like(stirred), flow).seen(photos)
            pixels = flow * flow.new_tensor([self.size[1], self.size[0]]).view(-1, 1, 1)
            stirred = resize((pixels.square().sum(1, keepdim=True).sqrt() / _STIRRED).clamp(max=1), self.size)
        placed = place(torch.cat([bent, photos, stirred], 1), self.domains.without_layout, random)
        bent, photos, stirred = torch.split(placed, [3, 3, 1], 1)
        return bent, photos, stirred

    def _of_with(self, indices: Tensor, random: np.random.Generator) -> Tensor:
        """Return photos with their masks as a fourth channel; those of indices beyond the last one are mirrored."""
        count = len(self.domains.with_)
        photos = torch.cat([self.domains.with_[indices % count], self.masks[indices % count]], 1).float() / 255
        photos = torch.where((indices >= count).view(-1, 1, 1, 1), photos.flip(-1), photos)
        return place(photos, self.domains.with_layout, random)


def shows_enough(masks: Tensor) -> Tensor:
    """Return which masks, ``(N, 1, H, W)`` uint8, cover enough of the frame to cut something out: ``(N,)`` bool."""
    return masks.float().mean((1, 2, 3)) / 255 >= _SHOWS


def check_shares(shares: Collection[tuple[str, float]]) -> None:
    """Make sure that shares of kinds of pairs are some.

    Raises:
        ConfigurationError: if one is of another kind or negative, or there are none.
    """
    for kind, share in shares:
        if kind not in KINDS:
            raise ConfigurationError(f"expected a kind of pairs ({', '.join(KINDS)}), got {kind!r}")
        if not 0 <= share < float("inf"):
            raise ConfigurationError(f"expected a share of 0 or more for pairs of the kind {kind!r}, got {share}")
    if not any(share for _, share in shares):
        raise ConfigurationError("expected a kind of pairs with a share above 0, got none: as in cut=1")
