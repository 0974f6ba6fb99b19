"""The two domains that everything is learnt from, and the batches drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mbu_ops.data.celeba import FACE_FRAME, CelebA, Partition, balancing_weights
from mbu_ops.data.folder import load_files, load_folder
from mbu_ops.families.spec import AttributeSpec


@dataclass(frozen=True, slots=True)
class Domains:
    """Images without a content and images with it, in memory.

    Attributes:
        without: ``(N, 3, R, R)`` uint8 RGB.
        with_: ``(M, 3, R, R)`` uint8 RGB.
        without_odds: ``(N,)`` how likely each ``without`` image is to be drawn; even when ``None``.
        source: where the images came from, for the weights' metadata.
    """

    without: Tensor
    with_: Tensor
    without_odds: NDArray[np.float64] | None = None
    source: str = ""

    @property
    def resolution(self) -> int:
        """Side of the square images, in pixels."""
        return self.without.shape[-1]

    @classmethod
    def from_folders(
        cls, with_: Path, without: Path, resolution: int, report: Callable[[str], None] | None = None
    ) -> Domains:
        """Read two folders of pictures; each picture's largest centred square is its frame.

        Raises:
            DataError: if one of them is missing or holds too few readable images.
        """
        return cls(
            without=load_folder(without, resolution, report),
            with_=load_folder(with_, resolution, report),
            source=f"{with_.name} / {without.name}",
        )

    @classmethod
    def from_celeba(
        cls,
        folders: Sequence[Path],
        attribute: AttributeSpec,
        resolution: int,
        partition: Partition = "train",
        report: Callable[[str], None] | None = None,
        limit: int | None = None,
    ) -> Domains:
        """Read the images of an attribute from one or more folders in CelebA's layout.

        Args:
            folders: the folders; their images are pooled.
            attribute: which labels make an image ``with`` or ``without``, and which to balance.
            resolution: side of the square every framed image is resized to.
            partition: ``"train"``, ``"validation"`` or ``"test"``, by the official split.
            report: called with one line for each file that cannot be read.
            limit: read at most this many images a domain from each folder, the first ones.

        Raises:
            DataError: if a folder is not in that layout or too few images match.
        """
        sets = [CelebA.read(folder) for folder in folders]
        pixels: dict[str, Tensor] = {}
        labels: dict[str, NDArray[np.bool_]] = {}
        for side, rule in (("with", attribute.with_rule), ("without", attribute.without_rule)):
            chosen = [one.matching(rule, partition)[:limit] for one in sets]
            paths = [path for one, indices in zip(sets, chosen, strict=True) for path in one.paths(indices)]
            pixels[side], kept = load_files(paths, resolution, FACE_FRAME, report)
            balanced = [
                np.stack([one.column(label)[indices] for label in attribute.balance], axis=1)
                for one, indices in zip(sets, chosen, strict=True)
                if attribute.balance
            ]
            if balanced:
                labels[side] = np.concatenate(balanced)[kept]
        return cls(
            without=pixels["without"],
            with_=pixels["with"],
            without_odds=balancing_weights(labels["with"], labels["without"]) if labels else None,
            source=f"{', '.join(folder.name for folder in folders)} ({partition})",
        )

    def batch(self, size: int, seed: int, step: int, flip: bool = True) -> tuple[Tensor, Tensor]:
        """Draw the batch of one step: the same one for the same seed and step, whatever was drawn before.

        So an interrupted run continues with exactly the batches it would have seen.

        Args:
            size: images of each domain.
            seed: seed of the run.
            step: number of the step.
            flip: whether to mirror half of the images.

        Returns:
            ``without`` and ``with`` batches, ``(size, 3, R, R)`` float32 RGB in [0, 1].
        """
        random = np.random.default_rng((seed, step))
        without = random.choice(len(self.without), size, p=self.without_odds)
        with_ = random.integers(len(self.with_), size=size)
        mirrored = torch.from_numpy(random.random((2, size)) < (0.5 if flip else 0.0))
        return _floating(self.without, without, mirrored[0]), _floating(self.with_, with_, mirrored[1])


def _floating(pixels: Tensor, indices: NDArray[np.int64], mirrored: Tensor) -> Tensor:
    batch = pixels[torch.from_numpy(indices)].to(torch.float32).div_(255)
    return torch.where(mirrored[:, None, None, None], batch.flip(-1), batch)
