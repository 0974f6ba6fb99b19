"""Pictures that a family draws itself: the same subject without and with an attribute, and where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops.families.planes import check_plane
from mbu_ops.families.registry import load_target, plugin_code
from mbu_ops.families.spec import AttributeSpec, FamilySpec


class Pair(NamedTuple):
    """One picture before and after, as only a generator can know it.

    Attributes:
        without: ``(R, R, 3)`` uint8 RGB.
        with_: the same picture with the content.
        mask: ``(R, R)`` bool: where the content is.
        another: draws another subject with the same content, so that of additions with a guide the truth is known;
            None where the family cannot. It is called only where guides are followed.
    """

    without: NDArray[np.uint8]
    with_: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    another: Callable[[], Pair] | None = None


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
    with plugin_code(family, "drawing"):
        drawn = iter(draw(attribute.name, partition, count, resolution))
    for number in range(count):
        with plugin_code(family, f"drawing picture {number}"):
            pair = next(drawn, None)
        if pair is None:
            raise DataError(f"family {family.name!r}: expected {count} drawn pairs, got {number}")
        yield _checked(family, pair, resolution)
    with plugin_code(family, f"drawing picture {count}"):
        more = next(drawn, None) is not None
    if more:
        raise DataError(f"family {family.name!r}: expected {count} drawn pairs, got more")


def drawn_again(family: FamilySpec, pairs: Sequence[Pair]) -> list[Pair] | None:
    """Return other subjects with the same contents, as the family draws them; None if it cannot for all.

    Args:
        family: the family.
        pairs: what it drew.

    Raises:
        PluginError: if drawing fails.
        DataError: if what is drawn is not what was asked for.
    """
    found = []
    for number, pair in enumerate(pairs):
        if pair.another is None:
            return None
        with plugin_code(family, f"drawing the content of picture {number} again"):
            again = pair.another()
        found.append(_checked(family, again, len(pair.without)))
    return found


def found_regions(family: FamilySpec, attribute: AttributeSpec, pixels: Tensor) -> Tensor | None:
    """Return where edits of an attribute may change pictures, as their family finds it.

    Args:
        family: the family; its ``regions`` names the function that finds them.
        attribute: what is edited.
        pixels: ``(N, 3, H, W)`` uint8 RGB.

    Returns:
        ``(N, 1, H, W)`` uint8, 255 where pictures may change; None if the family does not know.

    Raises:
        PluginError: if its function cannot be loaded, fails, or returns something else.
    """
    if family.regions is None:
        return None
    find, parts = load_target(family, "regions"), []
    for chunk in torch.split(pixels, 64):
        with plugin_code(family, "finding regions"):
            regions = find(attribute.name, chunk.float() / 255)
        if regions is None:
            return None
        check_plane(family, "regions", regions, chunk)
        parts.append((regions.clamp(0, 1) * 255).round().to(torch.uint8))
    return torch.cat(parts)


def _checked(family: FamilySpec, pair: object, resolution: int) -> Pair:
    side = (resolution, resolution)
    wanted = (((*side, 3), "uint8"), ((*side, 3), "uint8"), (side, "bool"))
    if type(pair) is not Pair:
        raise DataError(f"family {family.name!r}: expected a drawn Pair, got {type(pair).__name__}")
    got = tuple((getattr(part, "shape", None), str(getattr(part, "dtype", type(part)))) for part in pair[:3])
    if got != wanted:
        raise DataError(f"family {family.name!r}: expected a drawn Pair of {wanted}, got {got}")
    if not (pair.another is None or callable(pair.another)):
        kind = type(pair.another).__name__
        raise DataError(f"family {family.name!r}: expected a function that draws the content again, got {kind}")
    return pair
