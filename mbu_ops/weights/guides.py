"""Default guides: codes that a weights file holds, or pictures that come with its family. No torch to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbu_ops.errors import FamilyError, ImageFileError, PluginError
from mbu_ops.families.guides import GuideSpec
from mbu_ops.families.registry import get_family
from mbu_ops.weights.info import WeightsInfo

if TYPE_CHECKING:
    from torch import Tensor

    from mbu_ops.images import ImageFile


def shipped_guides(info: WeightsInfo) -> tuple[GuideSpec, ...]:
    """Return the pictures that weights take for their default guides: those of their attribute that show their frame.

    Args:
        info: of weights that belong to a family and edit one attribute; others, and those whose file holds codes,
            have none.

    Example:
        >>> from mbu_ops.testing import tiny_native_guided
        >>> model = tiny_native_guided()
        >>> config = model.config_to_dict(model.config)
        >>> info = WeightsInfo("native_guided", config, 16, "faces", ("glasses",), frame="eyes_and_cheeks")
        >>> shipped_guides(info)[0].title
        'Black, square'
    """
    if info.guides or info.family is None:
        return ()
    try:
        family = get_family(info.family)
        frame = family.frame(info.frame)
    except FamilyError:  # weights work without the plugin that they were made for
        return ()
    return tuple(
        guide
        for guide in family.guides
        if (guide.attribute,) == info.attributes and family.frame(guide.frame).covers(frame)
    )


def guide_count(info: WeightsInfo) -> int:
    """Return how many default guides weights have, in their file or beside it."""
    return info.guides or len(shipped_guides(info))


def default_guide(info: WeightsInfo, number: int, with_alpha: bool) -> Tensor:
    """Return a default guide's pixels in the weights' frame, ``(1, 3 or 4, h, w)`` in [0, 1].

    Args:
        info: of the weights; their guides are pictures.
        number: which of :func:`shipped_guides`.
        with_alpha: see :func:`pixels_of`.

    Raises:
        PluginError: if the picture is missing or no sound one.
    """
    from mbu_ops.functional.similarity import Rectangle, extract

    guide, family = shipped_guides(info)[number], get_family(str(info.family))
    pixels, shows, wanted = (
        pixels_of(read_guide(guide), with_alpha),
        family.frame(guide.frame),
        family.frame(info.frame),
    )
    if shows == wanted:
        return pixels
    part, (height, width) = wanted.seen_from(shows), pixels.shape[-2:]
    box = Rectangle(part.x * width, part.y * height, part.width * width, part.height * height)
    return extract(pixels, box, (max(1, round(box.height)), max(1, round(box.width))))


def read_guide(guide: GuideSpec) -> ImageFile:
    """Return the picture of a family's guide.

    Raises:
        PluginError: if it is missing or no sound picture.
    """
    from mbu_ops.images import read

    try:
        return read(guide.locate().read_bytes())
    except (ImageFileError, OSError, ModuleNotFoundError) as error:
        raise PluginError(
            f"guide {guide.attribute}/{guide.name}: expected a picture in {guide.package}/{guide.file}, got none that "
            f"can be read ({error}): install the plugin again"
        ) from error


def pixels_of(picture: ImageFile, with_alpha: bool) -> Tensor:
    """Return a guide picture as ops take it, ``(1, 3, h, w)`` in [0, 1].

    Args:
        picture: the picture.
        with_alpha: whether what is cut out on a transparent ground gets its alpha as a fourth channel.
    """
    import torch

    pixels = picture.to_tensor()
    return torch.cat([pixels, picture.alpha_tensor()] if with_alpha and picture.is_cut_out else [pixels])[None]
