"""Guides: from what people name (a path, a picture, a number) to what networks see. No torch until one is cut."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from mbu_ops.errors import ConfigurationError, FamilyError, FrameError, GuideWarning, WeightsError
from mbu_ops.families.aligning import aligner, places_in
from mbu_ops.families.names import with_article
from mbu_ops.families.registry import frame_of, get_family, plugin_code

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbu_ops.families.aligning import FrameLike
    from mbu_ops.images import ImageFile
    from mbu_ops.images.memory import Picture
    from mbu_ops.methods.presence import Detector
    from mbu_ops.ops.method import Method
    from mbu_ops.weights import WeightsInfo

LOOKS_AWAY = 25.0
"""Degrees from which a guide's head hides a part of what is to be taken."""

_TOLD = 256
"""Pixels of a picture's longer side at which a family is asked: what it does may take with their square, or more."""

_EDGE = 0.6
"""Standard deviation in pixels that softens the edge of what a family tells apart."""

_SHOWN = 0.5
"""Guides that show the content less likely than this are warned of."""


class InFrame(NamedTuple):
    """A guide that shows the weights' own frame already.

    Attributes:
        pixels: ``(1, 3, h, w)`` RGB in [0, 1], or ``(1, 4, h, w)`` with alpha.
        yaw: how far what it shows looks away, see :attr:`mbu_ops.frames.Frame.yaw`.
    """

    pixels: Tensor
    yaw: float = 0.0


Guide: TypeAlias = "ImageFile | Tensor | InFrame | int"
"""A guide that was found: a decoded picture or a tensor of a family's first frame, what shows the weights' own frame,
or the number of a default guide."""

GuideLike: TypeAlias = "Picture | Tensor | int"
"""A guide as people name it: a path, a PIL image, an array ``(H, W, 3)`` of uint8, an ImageFile, a tensor
``(1, 3, h, w)`` in [0, 1], or the number of a default guide."""

Find: TypeAlias = "Callable[[Tensor], Sequence[FrameLike]]"
"""Finds places in a photo, the largest first: the method of an aligner."""


def find_guide(source: GuideLike | float, info: WeightsInfo, name: str, example: str) -> Guide:
    """Return a guide, decoded if it is a picture, known to be there if it is a number.

    Args:
        source: what was named.
        info: of the weights that it is for.
        name: of these weights.
        example: how to name a picture instead.

    Raises:
        WeightsError: if the weights have no such default guide.
        ImageFileError: if it is a file that cannot be read.
        DTypeError: if it is an array of floats.
    """
    from mbu_ops.weights import guide_count

    if isinstance(source, int | float):
        count = guide_count(info)
        if not count:
            raise WeightsError(f"the weights {name!r} hold no default guide; name a picture, as in {example}")
        if not 0 <= source < count:
            raise WeightsError(f"the weights {name!r} have the default guides 0 to {count - 1}, got guide {source}")
        return int(source)
    from mbu_ops.images.memory import PICTURES, as_image_file

    return as_image_file(source, "guide") if isinstance(source, PICTURES) else source


def in_frame(
    guide: ImageFile | Tensor,
    info: WeightsInfo,
    find: Find,
    noun: str,
    user: str,
    device: torch.device | str | None = None,
) -> InFrame:
    """Return the weights' frame of the largest place in a guide picture.

    A thing that is cut out on a transparent ground shows no place: it is laid where the family's own guides have it.

    Args:
        guide: the picture.
        info: of the weights that it is for.
        find: of the family's aligner.
        noun: what that finds.
        user: who was given the guide, such as the text of a step; for messages.
        device: where the aligner is; the CPU by default.

    Raises:
        FrameError: if there is nothing in it.

    Warns:
        GuideWarning: if it shows the place with less than half of the pixels that the networks see, or looks away.
    """
    from mbu_ops.images import ImageFile
    from mbu_ops.methods import get_method

    if isinstance(guide, ImageFile):
        if guide.is_cut_out and get_method(info.method).info.takes_pixels:
            return InFrame(_laid(guide, info, user).to(device))
        guide = guide.to_tensor()[None]
    photo = guide.to(device)
    return _cut(photo, find(photo), info, noun, user)


def frame_of_picture(guide: ImageFile, info: WeightsInfo, user: str, device: torch.device) -> InFrame | None:
    """Return the weights' frame of a guide picture, looked for as in photos.

    Args:
        guide: the picture.
        info: of the weights that it is for.
        user: who was given the guide, for messages.
        device: where to look for it.

    Returns:
        The frame; None if nobody can look for it: the weights belong to no family that has an aligner.

    Raises:
        FrameError: if there is nothing in it.
        PluginError: if the family's aligner fails.
    """
    try:
        family = None if info.family is None else get_family(info.family)
    except FamilyError:  # weights work without the plugin that they were made for
        family = None
    if family is None or family.aligner is None:
        return None
    finder = aligner(family, device)

    def find(photo: Tensor) -> Sequence[FrameLike]:
        with plugin_code(family, "finding what a guide shows"):
            return places_in(photo, finder.find)

    return in_frame(guide, info, find, family.noun, user, device)


def cut_out(picture: Tensor, info: WeightsInfo) -> Tensor:
    """Return the thing in a guide picture alone, where weights take pixels and their family can tell it from pictures.

    Of a bag on white it can be seen which pixels are the handle: then no network need guess, and nothing of what lies
    between comes along.

    Args:
        picture: ``(1, 3, h, w)`` RGB in [0, 1] that shows the weights' frame, or with alpha.
        info: of the weights.

    Returns:
        ``(1, 4, h, w)`` with alpha; the picture itself if it has one already, or the family cannot tell.

    Raises:
        PluginError: if the family's function fails.
    """
    import torch
    from kornia.filters import gaussian_blur2d

    from mbu_ops.families.planes import derived_masks
    from mbu_ops.functional.mask import resize
    from mbu_ops.methods import get_method

    if picture.shape[1] == 4 or info.family is None or not get_method(info.method).info.takes_pixels:
        return picture
    try:
        family = get_family(info.family)
    except FamilyError:  # weights work without the plugin that they were made for
        return picture
    shown = [one for one in family.attributes if (one.name,) == info.attributes]
    if family.masks is None or not shown or not family.frame(info.frame).is_whole:
        return picture
    height, width = picture.shape[-2:]
    times = max(1.0, max(height, width) / _TOLD)
    small = resize(picture, (max(1, round(height / times)), max(1, round(width / times))))
    mask = derived_masks(family, shown[0], small)
    if mask is None or not bool(mask.any()):
        return picture
    alpha = resize(gaussian_blur2d(mask.to(picture), (3, 3), (_EDGE, _EDGE)), (height, width))
    # an edge as wide in pixels as that of a small picture
    return torch.cat([picture, (0.5 + times * (alpha - 0.5)).clamp(0, 1)], 1)


def encode_picture(model: Method, picture: Tensor, presence: Detector | None, user: str) -> Tensor:
    """Return the code of a guide picture that shows the weights' frame, without gradients.

    Args:
        model: the networks.
        picture: ``(1, 3 or 4, h, w)`` RGB in [0, 1], or with alpha.
        presence: says whether a photo shows the content; None if nothing can, or the picture surely does.
        user: who was given the guide, for messages.

    Raises:
        ConfigurationError: if the method follows no guide.

    Warns:
        GuideWarning: if a photo seems not to show the content.
    """
    import torch

    from mbu_ops.ops.method import encode_guide

    if not model.info.follows_guides:
        raise ConfigurationError(f"{model.info.name} follows no guide: leave the picture out, or use another method")
    with torch.no_grad():
        code = encode_guide(model, picture)
        tells: Any = None if picture.shape[1] == 4 else presence
        if tells is not None and (there := float(tells(picture).min())) < _SHOWN:
            warnings.warn(
                f"the guide picture of {user!r} seems to show none (presence {there:.2f}), so that little or nothing "
                "may be added: choose one that shows it",
                GuideWarning,
                stacklevel=2,
            )
    return code


def _cut(photo: Tensor, places: Sequence[FrameLike], info: WeightsInfo, noun: str, user: str) -> InFrame:
    """Return the weights' frame of the first of the places in a guide photo."""
    if not places:
        raise FrameError(
            f"expected {with_article(noun)} in the guide picture of {user!r}, found none; choose another picture, or "
            f"cut each picture to its {noun} and add --no-align (in Python give such a guide as a tensor)"
        )
    frame = frame_of(info.family, info.frame)
    part = places[0].part(frame)
    if not part.rectangle.touches(photo.shape[-2], photo.shape[-1]):
        raise FrameError(
            f"expected the frame {frame.name!r} of the {noun} inside the guide picture of {user!r}, it lies outside; "
            "choose another picture"
        )
    if part.rectangle.width < info.resolution / 2:
        shown = noun if frame.is_whole else frame.name.replace("_", " ")
        warnings.warn(
            f"the guide picture of {user!r} shows the {shown} in {part.rectangle.width:.0f} pixels, less than half of "
            f"the {info.resolution} that networks see: a larger picture gives a sharper edit",
            GuideWarning,
            stacklevel=3,
        )
    if abs(yaw := places[0].yaw) > LOOKS_AWAY:
        warnings.warn(
            f"the guide picture of {user!r} shows {with_article(noun)} that looks {abs(yaw):.0f} degrees to the "
            f"{'right' if yaw > 0 else 'left'}: what it hides of the thing cannot be taken; a guide who looks at the "
            "camera suits most",
            GuideWarning,
            stacklevel=3,
        )
    return InFrame(part.cut(photo), yaw)


def _laid(guide: ImageFile, info: WeightsInfo, user: str) -> Tensor:
    """Return a cut-out where the family's own guides of the weights' attribute lie in their frame."""
    from mbu_ops.functional.cut_outs import laid_like
    from mbu_ops.weights import default_guide, pixels_of, shipped_guides

    for number in range(len(shipped_guides(info))):
        if (example := default_guide(info, number, True)).shape[1] == 4:
            return laid_like(pixels_of(guide, True), example)
    raise FrameError(
        f"expected a photo as the guide of {user!r}, got a picture with a transparent ground, and the family "
        f"{info.family!r} has none to tell where such things lie: use a photo that shows one"
    )
