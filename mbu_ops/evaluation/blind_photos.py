"""The photos of a blind sheet, in the order in which to try them: from folders, or from labelled pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mbu_ops.data.celeba import CelebA, Partition, Rule, balancing_weights
from mbu_ops.errors import DataError, ImageFileError
from mbu_ops.evaluation.blind import Photo, people_of
from mbu_ops.families.spec import AttributeSpec
from mbu_ops.images import find

Side = Literal["with", "without"]


def photos_of_folders(inputs: Sequence[Path], seed: int, keep: Callable[[Path], bool] | None = None) -> list[Photo]:
    """Return the photos of folders, files or patterns, shuffled.

    Args:
        inputs: as :func:`mbu_ops.images.find` takes them.
        seed: of the order.
        keep: which to take; all of them when ``None``.

    Raises:
        DataError: if there are none.
    """
    try:
        paths = [found.path for found in find([str(path) for path in inputs])]
    except ImageFileError as error:
        raise DataError(str(error)) from error
    photos = [Photo(path, person) for path, person in zip(paths, people_of(paths), strict=True)]
    order = np.random.default_rng(seed).permutation(len(photos))
    return [photos[index] for index in order if keep is None or keep(photos[index].path)]


def photos_of_celeba(
    folders: Sequence[Path], attribute: AttributeSpec, edited: Side, partition: Partition, seed: int
) -> tuple[list[Photo], list[Photo]]:
    """Return photos to show as they are, and photos to edit, of folders in CelebA's layout.

    The real ones come in an order in which the labels that the attribute balances are spread as among those to edit:
    without that, most people with glasses being men, a woman would pass for real.

    Args:
        folders: their pictures are pooled.
        attribute: says which show the content, and what to balance.
        edited: which are to be edited.
        partition: of the pictures.
        seed: of the order.

    Raises:
        DataError: if a folder is not in that layout.
    """
    rules: dict[Side, Rule] = {"with": attribute.with_rule, "without": attribute.without_rule}
    photos: dict[Side, list[Photo]] = {"with": [], "without": []}
    balanced: dict[Side, list[NDArray[np.bool_]]] = {"with": [], "without": []}
    for folder in folders:
        labels = CelebA.read(folder)
        for side, rule in rules.items():
            indices = labels.matching(rule, partition)
            for picture, who in zip(labels.pictures(indices), labels.people[indices], strict=True):
                person = f"identity {who}" if who >= 0 else picture.path.stem
                photos[side].append(Photo(picture.path, person, picture.frame))
            rows = [labels.column(label)[indices] for label in attribute.balance]
            balanced[side].append(np.stack(rows, 1) if rows else np.zeros((len(indices), 0), bool))
    random = np.random.default_rng(seed)
    to_edit, to_show = photos[edited], photos["without" if edited == "with" else "with"]
    order = random.permutation(len(to_edit))
    if to_edit and to_show:
        shown = balanced["without" if edited == "with" else "with"]
        odds = balancing_weights(np.concatenate(balanced[edited]), np.concatenate(shown))
        # drawn without replacement, by those odds (Efraimidis and Spirakis, IPL 2006); impossible ones never
        with np.errstate(divide="ignore"):
            first = np.argsort(random.exponential(size=len(odds)) / odds)
        to_show = [to_show[index] for index in first if odds[index] > 0]
    return to_show, [to_edit[index] for index in order]
