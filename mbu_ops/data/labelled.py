"""Pictures whose every pixel has a name: a folder of images and one of masks, read, repaired, and varied for training.

Layout: ``images/NAME.jpg`` (or any other kind of picture) and ``masks/NAME.png``, whose pixels are numbers of parts, as
CelebAMask-HQ has them (Lee et al., CVPR 2020).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mbu_ops import images
from mbu_ops.data.cutting import Size, cut, first_frame, frame_within
from mbu_ops.data.folder import MINIMUM_IMAGES
from mbu_ops.data.variation import Variation, varied
from mbu_ops.errors import DataError, ImageFileError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.families.parts import Anatomy

_log = logging.getLogger(__name__)

IMAGES, MASKS = "images", "masks"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures and the part that each of their pixels belongs to, in memory.

    Attributes:
        pixels: ``(N, 3, H, W)`` uint8 RGB.
        labels: ``(N, 1, H, W)`` uint8, numbers of parts.
        anatomy: what the numbers mean.
        names: of the pictures, without folder and ending.
        variation: how batches vary the pictures, or None.
        source: where they came from, for the weights' metadata.
        holdout: share of the folder's pictures that training leaves out.
        frame: name of the family's frame that they show; empty for its first.
    """

    pixels: Tensor
    labels: Tensor
    anatomy: Anatomy
    names: tuple[str, ...] = ()
    variation: Variation | None = None
    source: str = ""
    holdout: float = 0.0
    frame: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        height, width = self.pixels.shape[-2:]
        return height, width

    @property
    def resolution(self) -> int:
        """Width of the images, in pixels: the side of square ones."""
        return self.size[1]

    @property
    def summary(self) -> str:
        """How many pictures there are, for people."""
        variation = 0.0 if self.variation is None else self.variation.strength
        return f"{len(self.pixels)} labelled pictures, {self.holdout:g} held out, variation {variation:g}"

    @property
    def facts(self) -> dict[str, object]:
        """Where the pictures came from and how many there are, as JSON holds it."""
        facts: dict[str, object] = {"source": self.source, "holdout": self.holdout, "pictures": len(self.pixels)}
        facts |= {"variation": 0.0 if self.variation is None else self.variation.strength}
        return facts | ({"frame": self.frame} if self.frame else {})

    def examples(self, limit: int) -> tuple[Tensor, ...]:
        """Return the first pictures as :meth:`batch` does, without variation."""
        return self.pixels[:limit].float() / 255, self.labels[:limit]

    def with_aids(self, aids: Collection[str]) -> Labelled:  # noqa: ARG002 - as pictures of other kinds
        """Return the same pictures: there is nothing beside them."""
        return self

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        anatomy: Anatomy,
        size: Size,
        partition: Literal["train", "validation"] = "train",
        holdout: float = 0.0,
        report: Callable[[str], None] | None = None,
        limit: int | None = None,
        frame: FrameSpec = WHOLE_FRAME,
    ) -> Labelled:
        """Read a folder of ``images`` and ``masks``; each picture's largest centred square is its family's first frame.

        Pictures that were mirrored without renaming the parts that have a side are repaired: their parts are renamed
        as mirroring renames them. What tells them is that a person's left side lies to the right in most pictures.

        Args:
            folder: holds the two folders.
            anatomy: what the masks' numbers mean.
            size: height and width that every frame is resized to, or the side of a square.
            partition: ``"train"``, or ``"validation"`` for the pictures that training leaves out.
            holdout: share of the pictures to leave out; digests of their names decide which.
            report: called with one line for each picture that cannot be used, and for repairs.
            limit: read at most this many.
            frame: which of the family's frames to keep, in the sides of its first.

        Raises:
            DataError: if the folder is not laid out so, or holds too few pictures that can be read.
        """
        for part in (IMAGES, MASKS):
            if not (folder / part).is_dir():
                raise DataError(
                    f"expected a folder with {IMAGES}/ and {MASKS}/, got {str(folder)!r}, which has no {part}/"
                )
        try:
            pictures = {file.path.stem: file.path for file in images.find([str(folder / IMAGES)])}
        except ImageFileError as error:
            raise DataError(str(error)) from error
        masks = {path.stem: path for path in (folder / MASKS).glob("*.png")}
        names = chosen_names(sorted(set(pictures) & set(masks)), holdout, partition)[:limit]
        say = report or _log.warning
        for name in sorted(set(pictures) - set(masks)):
            say(f"skipped: {pictures[name]} has no mask {MASKS}/{name}.png")

        def load(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
            try:
                return _pair(pictures[name], masks[name], anatomy, size, frame)
            except ImageFileError as error:
                return f"skipped: {error}"

        usable, pixels, labels = [], [], []
        with ThreadPoolExecutor(2) as pool:
            for name, loaded in zip(names, pool.map(load, names), strict=True):
                if isinstance(loaded, str):
                    say(loaded)
                    continue
                usable.append(name)
                pixels.append(loaded[0])
                labels.append(loaded[1])
        if len(usable) < MINIMUM_IMAGES:
            raise DataError(
                f"expected at least {MINIMUM_IMAGES} pictures with masks of {len(anatomy.parts)} parts, got "
                f"{len(usable)} of {len(names)} in {str(folder)!r}: add pictures, or check the path"
            )
        found, mirrored = oriented(torch.from_numpy(np.stack(labels))[:, None], anatomy)
        if mirrored:
            say(f"{mirrored} of {len(found)} pictures were mirrored without their names: left and right were exchanged")
        return cls(
            pixels=torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(),
            labels=found,
            anatomy=anatomy,
            names=tuple(usable),
            source=f"{folder.name} ({partition})",
            holdout=holdout,
            frame="" if frame.is_whole else frame.name,
        )

    def varied(self, strength: float, blurs: bool = False) -> Labelled:
        """Return the same pictures, which batches vary; by 0 for not at all, see :class:`Variation`."""
        return replace(self, variation=Variation(strength, blurs) if strength else None)

    def with_more(self, other: Labelled) -> Labelled:
        """Return these pictures and others of the same parts and size, such as generated ones."""
        return replace(
            self,
            pixels=torch.cat([self.pixels, other.pixels]),
            labels=torch.cat([self.labels, other.labels]),
            names=self.names + other.names,
            source=f"{self.source} + {other.source}",
        )

    def batch(self, size: int, seed: int, step: int, flip: bool = True) -> tuple[Tensor, Tensor]:
        """Draw the batch of one step: the same one for the same seed and step, whatever was drawn before.

        Args:
            size: number of pictures.
            seed: seed of the run.
            step: number of the step.
            flip: whether to mirror half of them; parts that have a side are renamed.

        Returns:
            ``(size, 3, R, R)`` float32 RGB in [0, 1], and ``(size, 1, R, R)`` uint8 numbers of parts.
        """
        random = np.random.default_rng((seed, step))
        chosen = torch.from_numpy(random.integers(len(self.pixels), size=size))
        mirrored = torch.from_numpy(random.random(size) < (0.5 if flip else 0.0))[:, None, None, None]
        pixels, labels = self.pixels[chosen].float() / 255, self.labels[chosen]
        renamed = torch.tensor(self.anatomy.mirrored_order, dtype=torch.uint8)[labels.long()]
        pixels = torch.where(mirrored, pixels.flip(-1), pixels)
        labels = torch.where(mirrored, renamed.flip(-1), labels)
        return (pixels, labels) if self.variation is None else varied(pixels, labels, self.variation, random)


def chosen_names(names: Sequence[str], holdout: float, partition: str) -> list[str]:
    """Return the names of one partition: the digests of names decide which are left out, so order does not matter.

    As many are left out as the share says, to the picture; so a folder that grows may bring some into training that
    were left out before.

    Args:
        names: of all pictures.
        holdout: share to leave out.
        partition: ``"train"`` or ``"validation"``, those that are left out.

    Example:
        >>> names = [f"face{number}" for number in range(10)]
        >>> len(chosen_names(names, 0.3, "validation")), len(chosen_names(names, 0.3, "train"))
        (3, 7)
    """
    by_digest = sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
    unseen = set(by_digest[: round(holdout * len(names))])
    return [name for name in names if (name in unseen) == (partition == "validation")]


def oriented(labels: Tensor, anatomy: Anatomy) -> tuple[Tensor, int]:
    """Return labels with left and right as in most pictures, and how many pictures had them exchanged.

    Args:
        labels: ``(N, 1, H, W)`` uint8.
        anatomy: what the numbers mean.

    Example:
        >>> from mbu_ops.families import PartSpec
        >>> left, right = PartSpec("l", "L", (0, 0, 1), mirror="r"), PartSpec("r", "R", (0, 0, 2), mirror="l")
        >>> labels = torch.tensor([[0, 1], [0, 1], [1, 0]], dtype=torch.uint8).view(3, 1, 1, 2)
        >>> oriented(labels, Anatomy((left, right)))[0].flatten().tolist()
        [0, 1, 0, 1, 0, 1]
    """
    order = anatomy.mirrored_order
    pairs = [(number, other) for number, other in enumerate(order) if number < other]
    votes = torch.zeros(len(labels))
    columns = torch.arange(labels.shape[-1], dtype=torch.float32)
    for first, second in pairs:
        centres = []
        for number in (first, second):
            there = (labels == number).flatten(1, 2).sum(1).float()
            centres.append((there * columns).sum(1) / there.sum(1))  # NaN where the part does not show
        votes += torch.nan_to_num(torch.sign(centres[0] - centres[1]))
    usual = torch.sign(torch.sign(votes).sum())
    exchanged = torch.sign(votes) == -usual if usual else torch.zeros(len(labels), dtype=torch.bool)
    found = labels.clone()
    # of these only: indices take 8 bytes a pixel
    found[exchanged] = torch.tensor(order, dtype=torch.uint8)[labels[exchanged].long()]
    return found, int(exchanged.sum())


def _pair(
    picture: Path, mask: Path, anatomy: Anatomy, size: Size, frame: FrameSpec
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return what one of the family's frames shows of a picture and of its mask.

    Raises:
        ImageFileError: if one cannot be read, or they are not of one shape.
    """
    pixels, labels = images.read(picture).in_8_bits(), images.read_labels(mask, anatomy.colours)
    (height, width), (mask_height, mask_width) = pixels.shape[:2], labels.shape
    if abs(mask_width * height - width * mask_height) > 0.01 * width * mask_height:
        raise ImageFileError(
            f"{mask}: expected a mask of its picture's shape, {width} x {height}, got {mask_width} x {mask_height}"
        )
    return (
        cut(pixels, frame_within(first_frame(width, height), frame), size),
        cut(labels, frame_within(first_frame(mask_width, mask_height), frame), size, Image.Resampling.NEAREST),
    )
