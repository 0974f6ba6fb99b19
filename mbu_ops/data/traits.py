"""What is known of pictures beside their content: other labels, and who is in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of some pictures.

    Attributes:
        labels: ``(N, K)`` bool: the labels that an attribute's sets are balanced by.
        people: ``(N,)`` int: who is in each.
    """

    labels: NDArray[np.bool_]
    people: NDArray[np.int64]

    @classmethod
    def unknown(cls, count: int, first: int = 0) -> Self:
        """Return the traits of pictures of which nothing is known: no labels, and each shows somebody else.

        Args:
            count: how many pictures.
            first: number of the first one's person.
        """
        return cls(np.zeros((count, 0), bool), np.arange(first, first + count))

    def __getitem__(self, indices: NDArray[np.int64]) -> Self:
        """Return the traits of some of the pictures."""
        return type(self)(self.labels[indices], self.people[indices])

    def __len__(self) -> int:
        """Return how many pictures these are the traits of."""
        return len(self.people)


def matched(one: Traits, other: Traits) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return as many pictures of two sets as there are with the same labels in both, so that labels tell nothing.

    Of each combination of labels the first pictures of either set are taken, as many as the rarer one holds.

    Args:
        one: traits of a set.
        other: of another one, with the same kinds of labels.

    Returns:
        Indices into either set, ``(n,)`` each: pictures of the same place have the same labels.

    Example:
        >>> import numpy as np
        >>> men = Traits(np.array([[True], [True], [False]]), np.arange(3))
        >>> some = Traits(np.array([[False], [True], [False]]), np.arange(3))
        >>> [indices.tolist() for indices in matched(men, some)]
        [[0, 2], [1, 0]]
    """
    places: defaultdict[tuple[bool, ...], list[int]] = defaultdict(list)
    for index, labels in enumerate(map(tuple, other.labels.tolist())):
        places[labels].append(index)
    waiting = {labels: iter(indices) for labels, indices in places.items()}
    pairs = [
        (index, partner)
        for index, labels in enumerate(map(tuple, one.labels.tolist()))
        if labels in waiting and (partner := next(waiting[labels], None)) is not None
    ]
    indices = np.array(pairs, np.int64).reshape(-1, 2)
    return indices[:, 0], indices[:, 1]
