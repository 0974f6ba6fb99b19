"""The two domains that everything is learnt from, and the batches drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mbu_ops.data.celeba import FACE_FRAME, WHOLE, CelebA, Partition, Share, balancing_weights
from mbu_ops.data.cutting import Picture, Sides, Size
from mbu_ops.data.folder import MINIMUM_IMAGES, held_out, load_files, load_folders
from mbu_ops.data.layout import place
from mbu_ops.data.pairs import Pair, drawn_pairs, found_regions
from mbu_ops.data.photos import Photos, Unused, load_photos
from mbu_ops.data.traits import Traits
from mbu_ops.errors import DataError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.families.layout import Layout
from mbu_ops.families.spec import AttributeSpec, FamilySpec


@dataclass(frozen=True, slots=True)
class Domains:
    """Images without a content and images with it, in memory.

    Attributes:
        without: ``(N, 3, H, W)`` uint8 RGB.
        with_: ``(M, 3, H, W)`` uint8 RGB.
        without_odds: ``(N,)`` how likely each ``without`` image is to be drawn; even when ``None``.
        source: where the images came from, for the weights' metadata.
        holdout: share of their folders' pictures that is kept out of training.
        with_layout: how batches stretch and move ``with_`` images, or None.
        without_layout: the same for ``without`` images.
        with_regions: ``(M, 1, H, W)`` uint8, 255 where an edit may change a ``with_`` image, or None.
        without_regions: the same for ``without`` images.
        neither: ``(K, 3, H, W)`` uint8 RGB, of a pair of contents: images that show neither, or None.
        frame: name of the family's frame that they show; empty for its first.
        found: which of the places in ordinary photos they are, ``"largest"`` or ``"all"``; empty where nobody looked
            for any.
        first_frames: where the family's first frame lies in folders that say so themselves, as fractions.
        with_traits: what else is known of ``with_`` images, or None.
        without_traits: the same of ``without`` images.
        with_pictures: the files that ``with_`` images were cut out of, in their order; empty where they were drawn, or
            found in photos.
        pairs: what a family drew, with the truth of each: first those of ``with_``, then those of ``without``; empty
            where nobody drew, or nobody asked for the truth.
    """

    without: Tensor
    with_: Tensor
    without_odds: NDArray[np.float64] | None = None
    source: str = ""
    holdout: float = 0.0
    with_layout: Layout | None = None
    without_layout: Layout | None = None
    with_regions: Tensor | None = None
    without_regions: Tensor | None = None
    neither: Tensor | None = None
    frame: str = ""
    found: str = ""
    first_frames: tuple[Sides, ...] = ()
    with_traits: Traits | None = None
    without_traits: Traits | None = None
    with_pictures: tuple[Picture, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        height, width = self.without.shape[-2:]
        return height, width

    @property
    def resolution(self) -> int:
        """Width of the images, in pixels: the side of square ones."""
        return self.size[1]

    @property
    def anatomy(self) -> None:
        """None: nobody said what their pixels show."""

    @property
    def exchanged(self) -> Domains:
        """The same images, those with the content in place of those without it."""
        return replace(
            self,
            without=self.with_,
            with_=self.without,
            without_odds=None,
            with_layout=self.without_layout,
            without_layout=self.with_layout,
            with_regions=self.without_regions,
            without_regions=self.with_regions,
            with_traits=self.without_traits,
            without_traits=self.with_traits,
            with_pictures=(),
            pairs=(),
        )

    def examples(self, limit: int) -> tuple[Tensor, ...]:
        """Return the first images of both domains, ``without`` first, ``(n, 3, H, W)`` float32 RGB in [0, 1]."""
        return self.without[:limit].float() / 255, self.with_[:limit].float() / 255

    def with_aids(self, aids: Collection[str]) -> Domains:
        """Return the same images with only what a method asks for beside them: its ``aids``."""
        return self if "regions" in aids else replace(self, with_regions=None, without_regions=None)

    @property
    def summary(self) -> str:
        """How many pictures there are, for people."""
        return f"{len(self.with_)} images with the content, {len(self.without)} without it"

    @property
    def facts(self) -> dict[str, object]:
        """Where the images came from and how many there are, as JSON holds it: the same pictures, the same facts."""
        facts: dict[str, object] = {
            "source": self.source,
            "holdout": self.holdout,
            "with": len(self.with_),
            "without": len(self.without),
        }
        more = {
            "frame": self.frame,
            "found": self.found,
            "first_frames": [list(sides) for sides in self.first_frames],
            "neither": 0 if self.neither is None else len(self.neither),
        }
        return facts | {name: value for name, value in more.items() if value}

    @classmethod
    def from_folders(
        cls,
        with_: Sequence[Path],
        without: Sequence[Path],
        size: Size,
        partition: Literal["train", "validation"] = "train",
        holdout: float = 0.0,
        attribute: AttributeSpec | None = None,
        report: Callable[[str], None] | None = None,
        neither: Sequence[Path] = (),
        frame: FrameSpec = WHOLE_FRAME,
        photos: Photos | None = None,
    ) -> Domains:
        """Read folders of pictures: ordinary photos, or pictures whose largest centred square is the first frame.

        Args:
            with_: folders of pictures with the content, read to the bottom and pooled.
            without: folders of pictures without it.
            size: height and width that every frame is resized to, or the side of a square.
            partition: ``"train"``, or ``"validation"`` for the pictures that training leaves out.
            holdout: share of the pictures that training leaves out; names decide, see
                :func:`mbu_ops.data.folder.held_out`.
            attribute: what the folders differ in, if a family knows it.
            report: called with one line for each file that cannot be read; of photos with one line for all of them.
            neither: of a pair of contents, folders of pictures that show neither.
            frame: which of the family's frames to keep, in the sides of its first.
            photos: finds the first frames in ordinary photos; None where pictures are cut to them.

        Raises:
            DataError: if a folder is missing, or they hold too few readable images.
        """

        def keep(path: Path) -> bool:
            return held_out(path, holdout) == (partition == "validation")

        unused = Unused()

        def load(folders: Sequence[Path]) -> tuple[Tensor, tuple[Picture, ...]]:
            if photos is None:
                return load_folders(folders, size, report, keep, frame)
            pixels, missing = load_photos(folders, photos, size, report, keep, frame)
            unused.include(missing)
            return pixels, ()

        folders = {"without": without, "with": with_} | ({"neither": neither} if neither else {})
        loaded = {side: load(some) for side, some in folders.items()}
        pixels = {side: some for side, (some, _) in loaded.items()}
        if unused and report is not None:
            report(str(unused))
        return cls(
            without=pixels["without"],
            with_=pixels["with"],
            neither=pixels.get("neither"),
            source=f"{', '.join(folder.name for folder in with_)} / {', '.join(folder.name for folder in without)}"
            + (f" ({partition}, {holdout:g} held out)" if holdout else ""),
            holdout=holdout,
            with_layout=attribute.with_layout if attribute else None,
            without_layout=attribute.without_layout if attribute else None,
            frame=_name(frame),
            found="" if photos is None else photos.which,
            with_pictures=loaded["with"][1],
        )

    @classmethod
    def from_celeba(
        cls,
        folders: Sequence[Path],
        attribute: AttributeSpec,
        size: Size,
        partition: Partition = "train",
        report: Callable[[str], None] | None = None,
        limit: int | None = None,
        seed: int | None = None,
        frame: FrameSpec = WHOLE_FRAME,
        share: Share = WHOLE,
        seldom: Collection[tuple[str, float]] = (),
    ) -> Domains:
        """Read the images of an attribute from one or more folders in CelebA's layout.

        Args:
            folders: the folders; their images are pooled.
            attribute: which labels make an image ``with`` or ``without``, and which to balance.
            size: height and width that every frame is resized to, or the side of a square.
            partition: ``"train"``, ``"validation"`` or ``"test"``, by the official split.
            report: called with one line for each file that cannot be read.
            limit: read at most this many images a domain from each folder.
            seed: of the shuffle that chooses them; the first ones when ``None``.
            frame: which of the family's frames to keep, in the sides of its first.
            share: which part of each folder's people to read, see :data:`mbu_ops.data.celeba.Share`.
            seldom: labels of which batches show ``without`` images so many times as often as others, ``(label, share)``
                with shares from 0 to 1: open mouths, where smiles are to be closed.

        Raises:
            DataError: if a folder is not in that layout or too few images match.
        """
        sets = [CelebA.read(folder) for folder in folders]
        pixels: dict[str, Tensor] = {}
        files: dict[str, tuple[Picture, ...]] = {}
        traits: dict[str, Traits] = {}
        rare = np.ones(0)
        rules = {"with": attribute.with_rule, "without": attribute.without_rule, "neither": attribute.neither_rule}
        for side, rule in rules.items():
            matching = [one.matching(rule, partition, share) for one in sets]
            if side == "neither" and sum(map(len, matching)) < MINIMUM_IMAGES:
                continue  # of most attributes there are none to speak of; of a pair there may be too few
            if seed is not None:
                matching = [np.random.default_rng(seed).permutation(indices) for indices in matching]
            chosen = [indices[:limit] for indices in matching]
            pictures = [file for one, indices in zip(sets, chosen, strict=True) for file in one.pictures(indices)]
            pixels[side], kept = load_files(pictures, size, frame, report)
            files[side] = tuple(pictures[index] for index in kept)
            labels = [one.columns(attribute.balance)[indices] for one, indices in zip(sets, chosen, strict=True)]
            people = [one.people[indices] for one, indices in zip(sets, chosen, strict=True)]
            traits[side] = Traits(np.concatenate(labels)[kept], np.concatenate(people)[kept])
            if side == "without" and seldom:
                names = tuple(label for label, _ in seldom)
                shown = [one.columns(names)[indices] for one, indices in zip(sets, chosen, strict=True)]
                rare = np.where(np.concatenate(shown)[kept], [often for _, often in seldom], 1.0).prod(1)
        odds = balancing_weights(traits["with"].labels, traits["without"].labels) if attribute.balance else None
        if seldom:
            odds = rare if odds is None else odds * rare
            if not odds.sum() > 0:
                raise DataError(f"expected pictures without {attribute.name} that are not all seldom, got none")
            odds = odds / odds.sum()
        return cls(
            without=pixels["without"],
            with_=pixels["with"],
            neither=pixels.get("neither"),
            without_odds=odds,
            source=f"{', '.join(folder.name for folder in folders)} ({partition})",
            with_layout=attribute.with_layout,
            without_layout=attribute.without_layout,
            frame=_name(frame),
            first_frames=tuple(one.frame for one in sets if one.frame != FACE_FRAME),
            with_traits=traits["with"],
            without_traits=traits["without"],
            with_pictures=files["with"],
        )

    @classmethod
    def drawn(
        cls,
        family: FamilySpec,
        attribute: AttributeSpec,
        resolution: int,
        count: int,
        partition: Partition = "train",
        truth: bool = False,
    ) -> Domains:
        """Have a family draw the images of an attribute; no subject is in both domains.

        Args:
            family: a family that draws pictures.
            attribute: what the domains differ in.
            resolution: side of the images.
            count: images of each domain.
            partition: whom to draw: partitions share nobody.
            truth: whether to keep the other side of each picture too, which takes more than twice the memory.

        Raises:
            ConfigurationError: if the family draws no pictures.
            PluginError: if drawing fails.
            DataError: if what is drawn is not what was asked for.
        """
        sides, pairs = [], []
        for number, pair in enumerate(drawn_pairs(family, attribute, partition, 2 * count, resolution)):
            sides.append(pair.with_ if number < count else pair.without)
            pairs += [pair] if truth else []
        pixels = torch.from_numpy(np.stack(sides)).permute(0, 3, 1, 2).contiguous()
        return cls(
            without=pixels[count:],
            with_=pixels[:count],
            source=f"drawn by {family.name} ({partition})",
            with_layout=attribute.with_layout,
            without_layout=attribute.without_layout,
            pairs=tuple(pairs),
        )

    def with_known_regions(self, family: FamilySpec, attribute: AttributeSpec) -> Domains:
        """Return the same images with the regions that edits of an attribute may change, as their family finds them.

        Families find them in their first frame: images of another one are without.

        Args:
            family: whose images they are; its ``regions`` names the function that finds them.
            attribute: what is edited.

        Raises:
            PluginError: if the family's function cannot be loaded, fails, or returns something else.
        """
        if self.frame:
            return replace(self, with_regions=None, without_regions=None)
        with_, without = (found_regions(family, attribute, pixels) for pixels in (self.with_, self.without))
        if with_ is None or without is None:  # batches of both sides have the same channels
            return replace(self, with_regions=None, without_regions=None)
        return replace(self, with_regions=with_, without_regions=without)

    def batch(self, size: int, seed: int, step: int, flip: bool = True) -> tuple[Tensor, ...]:
        """Draw the batch of one step: the same one for the same seed and step, whatever was drawn before.

        So an interrupted run continues with exactly the batches it would have seen.

        Args:
            size: images of each domain.
            seed: seed of the run.
            step: number of the step.
            flip: whether to mirror half of the images.

        Returns:
            ``without`` and ``with`` batches, ``(size, 3, H, W)`` float32 RGB in [0, 1]; ``(size, 4, H, W)`` where the
            regions are known, which are the fourth channel. Of a pair of contents also a batch that shows neither, if
            there are such images.
        """
        random = np.random.default_rng((seed, step))
        without = random.choice(len(self.without), size, p=self.without_odds)
        with_ = random.integers(len(self.with_), size=size)
        mirrored = torch.from_numpy(random.random((2, size)) < (0.5 if flip else 0.0))
        batches: tuple[Tensor, ...] = (
            place(_floating(self.without, self.without_regions, without, mirrored[0]), self.without_layout, random),
            place(_floating(self.with_, self.with_regions, with_, mirrored[1]), self.with_layout, random),
        )
        if self.neither is not None:
            chosen = random.integers(len(self.neither), size=size)
            batches += (_floating(self.neither, None, chosen, mirrored[0]),)
        return batches


def _name(frame: FrameSpec) -> str:
    return "" if frame.is_whole else frame.name


def _floating(pixels: Tensor, regions: Tensor | None, indices: NDArray[np.int64], mirrored: Tensor) -> Tensor:
    chosen = torch.from_numpy(indices)
    batch = pixels[chosen] if regions is None else torch.cat([pixels[chosen], regions[chosen]], dim=1)
    batch = batch.to(torch.float32).div_(255)
    return torch.where(mirrored[:, None, None, None], batch.flip(-1), batch)
