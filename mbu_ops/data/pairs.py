"""Pictures that a family draws itself: the same subject without and with an attribute, and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbu_ops.errors import ConfigurationError, DataError, PluginError
from mbu_ops.families.names import one_line
from mbu_ops.families.registry import load_target
from mbu_ops.families.spec import AttributeSpec, FamilySpec


class Pair(NamedTuple):
    """One picture before and after, as only a generator can know it.

    Attributes:
        without: ``(R, R, 3)`` uint8 RGB.
        with_: the same picture with the content.
        mask: ``(R, R)`` bool: where the content is.
    """

    without: NDArray[np.uint8]
    with_: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def drawn_pairs(
    family: FamilySpec, attribute: AttributeSpec, partition: str, count: int, resolution: int
) -> Iterator[Pair]:
    """Yield pictures that the family draws.

    Args:
        family: the family; its ``pictures`` names the function that draws.
        attribute: what they are to differ in.
        partition: ``"train"``, ``"validation"`` or ``"test"``.
        count: how many pairs.
        resolution: side of the pictures in pixels.

    Raises:
        ConfigurationError: if the family draws no pictures.
        PluginError: if its function cannot be loaded or fails.
        DataError: if what it yields is not what was asked for.
    """
    if family.pictures is None:
        raise ConfigurationError(
            f"family {family.name!r} draws no pictures of its own: give --data, or --with and --without"
        )
    draw = load_target(family, "pictures")
    drawn = 0
    try:
        for pair in draw(attribute.name, partition, count, resolution):
            yield _checked(family, pair, resolution)
            drawn += 1
    except DataError:
        raise
    except Exception as error:
        raise PluginError(
            f"family {family.name!r}: drawing picture {drawn} failed: {type(error).__name__}: {one_line(error)}"
        ) from error
    if drawn != count:
        raise DataError(f"family {family.name!r}: expected {count} drawn pairs, got {drawn}")


def _checked(family: FamilySpec, pair: object, resolution: int) -> Pair:
    side = (resolution, resolution)
    wanted = (((*side, 3), "uint8"), ((*side, 3), "uint8"), (side, "bool"))
    if type(pair) is not Pair:
        raise DataError(f"family {family.name!r}: expected a drawn Pair, got {type(pair).__name__}")
    got = tuple((getattr(part, "shape", None), str(getattr(part, "dtype", type(part)))) for part in pair)
    if got != wanted:
        raise DataError(f"family {family.name!r}: expected a drawn Pair of {wanted}, got {got}")
    return pair
