"""What pairs are made of: where photos show the content, and what draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from numpy.typing import NDArray
from torch import Tensor

from mbu_ops.data.composites import Composites, Edited, Known, Pairs, Pen
from mbu_ops.data.cutting import Size, height_and_width
from mbu_ops.data.domains import Domains
from mbu_ops.data.donors import Drawn
from mbu_ops.data.folder import MINIMUM_IMAGES
from mbu_ops.data.pairs import drawn_again
from mbu_ops.errors import PluginError
from mbu_ops.families.frames import FrameSpec
from mbu_ops.families.planes import check_plane, derived_masks
from mbu_ops.families.registry import load_target, plugin_code
from mbu_ops.families.spec import AttributeSpec, FamilySpec
from mbu_ops.functional.grid import grid
from mbu_ops.functional.mask import dilate
from mbu_ops.functional.similarity import Rectangle, extract
from mbu_ops.methods.presence import Detector

_SHOWN = 8

_COARSE = 8
"""Pixels of a picture for one arrow of a flow that bends it."""

_DOUBTFUL = 0.1
"""A detector that is so sure of the other domain is believed rather than the label."""


@torch.no_grad()
def content_masks(
    segment: Callable[[Tensor], Tensor],
    pictures: Tensor,
    frame: FrameSpec,
    size: Size,
    grown: float = 0.0,
    batch: int = 32,
) -> Tensor:
    """Return where pictures show a content, in one of their family's frames.

    Args:
        segment: finds it: from ``(B, 3, R, R)`` RGB in [0, 1] to ``(B, 1, R, R)`` in [0, 1], such as a
            :class:`mbu_ops.ops.Segment`.
        pictures: ``(N, 3, R, R)`` uint8 RGB, of the frame that it sees.
        frame: the frame wanted, in the sides of that one.
        size: height and width of the masks.
        grown: by which share of their height they grow, with a soft rim of half that.
        batch: how many pictures are looked at together.

    Returns:
        ``(N, 1, *size)`` uint8, 255 for sure; beyond the pictures' border it goes on.

    Example:
        >>> pictures = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
        >>> eyes = FrameSpec("eyes", within="face", y=0.4, width=0.8, height=0.4)
        >>> content_masks(lambda images: images[:, :1], pictures, eyes, (8, 16)).shape
        torch.Size([2, 1, 8, 16])
    """
    masks, radius = [], round(grown * height_and_width(size)[0])
    for chunk in torch.split(pictures, batch):
        there = _within(segment(chunk.float() / 255).float(), frame, height_and_width(size))
        if radius:
            there = gaussian_blur2d(dilate(there, radius), (2 * radius + 1,) * 2, (radius / 4,) * 2)
        masks.append((there.clamp(0, 1) * 255).round().to(torch.uint8))
    return torch.cat(masks)


@torch.no_grad()
def true_masks(family: FamilySpec | None, attribute: AttributeSpec | None, pictures: Tensor) -> Tensor | None:
    """Return the masks that a family derives from training pictures; None if it derives none.

    Args:
        family: the pictures' family, if any.
        attribute: what the masks are to show.
        pictures: ``(N, 3, H, W)`` uint8 RGB, of the family's first frame.

    Returns:
        ``(N, 1, H, W)`` bool, empty for a picture of which it cannot tell.

    Raises:
        PluginError: if its function cannot be loaded, fails, or returns something else.
    """
    if family is None or attribute is None:
        return None
    parts = [derived_masks(family, attribute, chunk.float() / 255) for chunk in torch.split(pictures, 64)]
    known = [part for part in parts if part is not None]
    return torch.cat(known) if len(known) == len(parts) else None


@torch.no_grad()
def hiding_masks(
    family: FamilySpec | None, attribute: AttributeSpec | None, pictures: Tensor, masks: Tensor, frame: str
) -> Tensor:
    """Return what of a content hides the thing behind it: what is cut out of pictures. All, if a family says nothing.

    Args:
        family: the pictures' family, if any; its ``hides`` names the function that knows.
        attribute: what the masks show.
        pictures: ``(N, 3, H, W)`` uint8 RGB, of one of the family's frames.
        masks: ``(N, 1, H, W)`` uint8, 255 where they show the content.
        frame: that frame's name.

    Returns:
        ``(N, 1, H, W)`` uint8.

    Raises:
        PluginError: if the function cannot be loaded, fails, or returns something else.
    """
    if family is None or attribute is None or family.hides is None:
        return masks
    hide, parts = load_target(family, "hides"), []
    for shown, there in zip(torch.split(pictures, 64), torch.split(masks, 64), strict=True):
        with plugin_code(family, f"telling what {attribute.name} hides"):
            left = hide(attribute.name, shown.float() / 255, there.float() / 255, frame)
        if left is None:
            return masks
        check_plane(family, "what hides", left, shown)
        if not bool(((left >= 0) & (left <= 1)).all()):
            raise PluginError(f"family {family.name!r}: expected what hides in [0, 1], got other values")
        parts.append((left * 255).round().to(torch.uint8))
    return torch.cat(parts)


def drawn_masks(domains: Domains) -> Tensor:
    """Return where drawn pictures show the content, ``(M, 1, H, W)`` uint8, 255 where they do."""
    return _planes([pair.mask[..., None] * np.uint8(255) for pair in domains.pairs[: len(domains.with_)]])


def known_pairs(family: FamilySpec, domains: Domains, views: bool) -> Known | None:
    """Return the truth of pictures that a family drew.

    Args:
        family: the family.
        domains: the pictures.
        views: whether other subjects with the same contents are wanted.

    Returns:
        The truth; None if nobody drew them, or views are wanted and the family draws no content again.

    Raises:
        PluginError: if drawing fails.
        DataError: if what is drawn is not what was asked for.
    """
    mine = domains.pairs[len(domains.with_) :]
    others = drawn_again(family, mine) if views else []
    if not mine or others is None:
        return None
    return Known(
        _planes([pair.with_ for pair in mine]),
        _planes([pair.mask[..., None] * np.uint8(255) for pair in mine]),
        _planes([np.dstack([pair.with_, pair.mask * np.uint8(255)]) for pair in others]) if views else None,
    )


def _planes(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def content_bends(
    family: FamilySpec | None,
    attribute: AttributeSpec | None,
    pictures: Tensor,
    towards: bool,
    frame: FrameSpec,
    size: Size,
) -> Tensor | None:
    """Return how an attribute bends what is around it, in one of the family's frames; None if the family cannot tell.

    Args:
        family: the pictures' family, if any; its ``bends`` names the function that knows.
        attribute: what bends them.
        pictures: ``(N, 3, R, R)`` uint8 RGB, of the family's first frame.
        towards: whether to bend towards the attribute, or away from it.
        frame: the frame wanted, in the sides of that one.
        size: height and width of the pictures in that frame: flows are an eighth of it.

    Returns:
        ``(N, 2, h, w)`` float16, in sides of the frame wanted.

    Raises:
        PluginError: if the function cannot be loaded, fails, or returns something else.
    """
    if family is None or attribute is None or family.bends is None:
        return None
    bend, parts = load_target(family, "bends"), []
    height, width = (max(2, side // _COARSE) for side in height_and_width(size))
    for chunk in torch.split(pictures, 64):
        with plugin_code(family, f"bending pictures for {attribute.name}"):
            flow = bend(attribute.name, chunk.float() / 255, towards)
        if flow is None:
            return None
        if not isinstance(flow, Tensor) or flow.ndim != 4 or flow.shape[:2] != (len(chunk), 2):
            got = tuple(flow.shape) if isinstance(flow, Tensor) else type(flow).__name__
            raise PluginError(f"family {family.name!r}: expected bends of shape ({len(chunk)}, 2, h, w), got {got}")
        if not bool((flow.abs() <= 1).all()):
            raise PluginError(f"family {family.name!r}: expected bends of at most one side of the frame, got others")
        sides = flow.new_tensor([frame.width, frame.height]).view(-1, 1, 1)
        parts.append((_within(flow.float(), frame, (height, width)) / sides).half())
    return torch.cat(parts)


@torch.no_grad()
def edited_photos(
    edit: Callable[[Tensor], Tensor],
    seen: Tensor,
    frame: FrameSpec,
    photos: Tensor,
    limit: int = 2000,
    seed: int = 0,
    batch: int = 32,
) -> Edited:
    """Return photos with what other weights change in them.

    The change is enlarged and added to the photos, whose own pixels stay under it.

    Args:
        edit: adds the content: from ``(B, 3, R, R)`` RGB in [0, 1] to the same, such as :func:`mbu_ops.chain`.
        seen: ``(N, 3, R, R)`` uint8 RGB, the photos in the frame that it sees.
        frame: the frame of the photos, in the sides of that one.
        photos: ``(N, 3, H, W)`` uint8 RGB without the content.
        limit: edit at most so many.
        seed: of the choice.
        batch: how many are edited together.

    Example:
        >>> from mbu_ops.families.frames import WHOLE_FRAME
        >>> seen, photos = (torch.randint(256, (3, 3, side, side), dtype=torch.uint8) for side in (8, 16))
        >>> edited = edited_photos(lambda images: images, seen, WHOLE_FRAME, photos)
        >>> torch.equal(edited.pictures, photos[edited.of])
        True
    """
    generator = torch.Generator().manual_seed(seed)
    of = torch.randperm(len(photos), generator=generator)[:limit]
    pictures = []
    for chosen in torch.split(of, batch):
        before = seen[chosen].float() / 255
        change = _within(edit(before).float() - before, frame, photos.shape[-2:])
        made = (photos[chosen].float() / 255 + change).clamp(0, 1)
        pictures.append((made * 255).round().to(torch.uint8))
    return Edited(torch.cat(pictures), of)


def _within(planes: Tensor, frame: FrameSpec, size: Sequence[int]) -> Tensor:
    """Return what one of a family's frames shows of planes of its first; beyond their border it goes on."""
    height, width = planes.shape[-2:]
    where = Rectangle(frame.x * width, frame.y * height, frame.width * width, frame.height * height)
    return extract(planes, where, (size[0], size[1]))


@torch.no_grad()
def believed(
    domains: Domains, seen: Domains, presence: Detector | None, batch: int = 64
) -> tuple[Domains, Tensor, Tensor]:
    """Return two domains without the pictures of which a detector says that they are in the wrong one.

    Labels are a few per cent wrong, and a picture that shows the content among those without it teaches that such
    contents stay.

    Args:
        domains: the pictures.
        seen: the same pictures in the frame that the detector sees.
        presence: the detector; None believes every label.
        batch: how many pictures are looked at together.

    Returns:
        The domains, and which of the pictures they hold: ``(M,)`` bool of ``with_``, ``(N,)`` of ``without``.
    """
    if presence is None:
        everything = [torch.ones(len(pixels), dtype=torch.bool) for pixels in (domains.with_, domains.without)]
        return domains, everything[0], everything[1]
    there, not_there = (
        torch.cat([presence(chunk.float() / 255) for chunk in torch.split(pixels, batch)])
        for pixels in (seen.with_, seen.without)
    )
    with_, without = there >= _DOUBTFUL, not_there <= 1 - _DOUBTFUL
    if min(int(with_.sum()), int(without.sum())) < MINIMUM_IMAGES:
        return domains, torch.ones_like(with_), torch.ones_like(without)  # a detector of something else
    odds = domains.without_odds
    if odds is not None:
        odds = odds[without.numpy()] / odds[without.numpy()].sum()
    kept = replace(
        domains,
        with_=domains.with_[with_],
        with_pictures=tuple(one for one, kept in zip(domains.with_pictures, with_.tolist(), strict=False) if kept),
        without=domains.without[without],
        without_odds=odds,
        with_traits=None if domains.with_traits is None else domains.with_traits[with_.numpy()],
        without_traits=None if domains.without_traits is None else domains.without_traits[without.numpy()],
        pairs=tuple(pair for pair, one in zip(domains.pairs, [*with_, *without], strict=False) if one),
    )
    return kept, with_, without


def family_pen(family: FamilySpec | None, attribute: AttributeSpec | None, frame: str, size: Size) -> Pen | None:
    """Return what draws an attribute on photos; None if the family has nothing that does.

    Args:
        family: the photos' family, if any; its ``pen`` names the function that draws.
        attribute: what to draw.
        frame: name of the family's frame that the photos show.
        size: height and width of the photos.

    Raises:
        PluginError: if the function cannot be loaded, fails, or returns something else.
    """
    if family is None or attribute is None or family.pen is None:
        return None
    pen = partial(_drawn, family, load_target(family, "pen"), attribute.name, frame)
    return None if pen(torch.full((1, 3, *height_and_width(size)), 0.5)) is None else cast(Pen, pen)


def _drawn(
    family: FamilySpec,
    draw: Callable[[str, Tensor, str], tuple[Tensor, Tensor] | None],
    name: str,
    frame: str,
    photos: Tensor,
) -> Drawn | None:
    with plugin_code(family, f"drawing {name}"):
        drawn = draw(name, photos, frame)
        if drawn is None:
            return None
        pictures, masks = drawn
    for what, tensor, channels in (("pictures", pictures, 3), ("masks", masks, 1)):
        wanted = (len(photos), channels, *photos.shape[-2:])
        got = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        if got != wanted:
            raise PluginError(f"family {family.name!r}: expected drawn {what} of shape {wanted}, got {got}")
        if not bool(((tensor >= 0) & (tensor <= 1)).all()):
            least, most = (float(end) for end in tensor.aminmax())
            raise PluginError(f"family {family.name!r}: expected drawn {what} in [0, 1], got {least} to {most}")
    return Drawn(pictures.to(photos), masks.to(photos))


def pairs_sheet(composites: Composites, seed: int = 0) -> Tensor:
    """Draw what a run would learn from: of each kind of pairs what is shown, what is wanted, and the mask.

    Pairs the other way come after them. Below are a training batch's pairs, moved, lit and softened as training sees
    them.

    Args:
        composites: the pairs.
        seed: of the choice.

    Returns:
        ``(3, height, width)``.
    """
    rows: list[Tensor] = []
    for kind, share in composites.shares:
        if share:
            rows += composites.pairs(kind, _SHOWN, seed)
    if composites.reverse is not None:
        for kind, _ in composites.reverse.shares:
            rows += composites.reverse.pairs(kind, _SHOWN, seed)
    rows += Pairs.of(composites.batch(_SHOWN, seed, 0)[0])
    return grid([row.expand(-1, 3, -1, -1) for row in rows])
