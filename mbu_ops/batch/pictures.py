"""Edit pictures as people have them: in memory or as a path, one or a list of any sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from mbu_ops.batch.editor import Editor
from mbu_ops.errors import ConfigurationError, DTypeError, MBUOpsError
from mbu_ops.families import FamilySpec
from mbu_ops.frames.aligners import family_to_align
from mbu_ops.frames.box import Box
from mbu_ops.frames.chains import assemble_on_photos
from mbu_ops.frames.choice import USUAL_VIEWS, Missing, Which
from mbu_ops.images import ImageFile
from mbu_ops.images.memory import Picture, as_image_file, edited, in_kind_of, mask_file
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.ops.plan import StepPlan

_KEPT = 4
"""Most chains that are kept, with their networks, for the next picture."""


def edit(
    steps: str | Sequence[str],
    picture: Picture | Sequence[Picture],
    *,
    family: str = "faces",
    guides: Mapping[str, Picture | int] | None = None,
    method: str | None = None,
    which: Which = "all",
    views: int = USUAL_VIEWS,
    box: Box | None = None,
    align: bool = True,
    missing: Missing = "raise",
    small: bool = False,
    with_mask: bool = False,
    device: str | torch.device | None = None,
) -> Any:
    """Edit a picture, or each of a list: every face in it, at the picture's own pixels, as ``mbu-ops chain`` does.

    Calling it in a loop is quick: the last chains stay loaded. Many files are better off with
    :func:`mbu_ops.batch.edit_files`; where gradients are needed, or images are tensors already, call the op itself,
    such as :func:`mbu_ops.chain`.

    Args:
        steps: what to do, as on the command line: ``"remove:smile add:glasses@ref.jpg"``.
        picture: a PIL image, an array ``(H, W, 3)`` RGB of uint8 or uint16, the path of a file, or an
            :class:`mbu_ops.images.ImageFile`; or a list of these, of any sizes. EXIF's orientation is applied.
        family: family of the steps that name none.
        guides: attribute to guide, for steps that name none: a picture in any of these forms, or the number of a
            default guide. Guides are looked at as photos are.
        method: method of the steps that name none.
        which: which of the faces to edit: all, the largest, or the one of this number, the largest being number 1.
        views: views of each face to edit and average, 1 to 6: 1 is the fastest, more are steadier.
        box: where to edit instead of looking for faces.
        align: False edits whole pictures, which must be cut to what is edited.
        missing: what becomes of a picture without a face: ``"raise"`` an error, or ``"keep"`` it as it is.
        small: whether to look for small faces too, as in crowds, which takes longer.
        with_mask: whether to return what changed, too.
        device: where to compute; by default the accelerator, if there is one.

    Returns:
        The result in the kind of the picture: a PIL image (grey, alpha, profile and EXIF are kept), an array of the
        same dtype, or an ImageFile, which keeps 16 bits; for a path a PIL image, in 8 bits but for grey. For a list a
        list. With ``with_mask`` pairs of it and its mask, 255 where it changed, as a grey image or array ``(H, W)``;
        steps that end with a mask, such as ``segment:glasses``, give that mask alone.

    Raises:
        DTypeError: if a picture is a tensor, no picture, or an array of floats.
        ShapeError: if an array has another shape.
        ImageFileError: if a file cannot be read.
        ChainSyntaxError: if a step does not follow the grammar.
        FrameError: if there is no face in a picture, or in a guide.
        ConfigurationError: if the list is empty, or arguments do not go together.
        MBUOpsError: if weights or guides cannot be found, see :meth:`mbu_ops.ops.ChainSpec.plan`.

    Example:
        >>> import mbu_ops
        >>> from mbu_ops.families import get_family
        >>> portrait = mbu_ops.images.read(get_family("faces").samples[0].locate())
        >>> serious = mbu_ops.edit("remove:smile", portrait.to_pillow(), views=1)
        >>> serious.size == (portrait.width, portrait.height)
        True
        >>> mbu_ops.edit("segment:smile", portrait.pixels, views=1).shape == portrait.pixels.shape[:2]
        True
    """
    spec = ChainSpec.parse(steps)
    if with_mask and spec.makes_mask:
        raise ConfigurationError(f"{spec.steps[-1].verb} makes the mask itself: leave with_mask out")
    pictures: Sequence[Any] = picture if isinstance(picture, list | tuple) else [picture]
    if not pictures:
        raise ConfigurationError("expected at least one picture, got an empty list")
    for given in (*pictures, *(guides or {}).values()):
        _refuse_tensor(given, spec)
    plans = spec.plan(family, guides, method)
    where = _Where(align, box, which, views, missing, small)
    computer = torch.device(device or torch.accelerator.current_accelerator(check_available=True) or "cpu")
    editor = _editor(_Chain(_identity(plans), where, computer, with_mask, plans))
    results = []
    for index, one in enumerate(pictures):
        try:
            results.append(_edited(editor, one, with_mask))
        except MBUOpsError as error:
            if len(pictures) > 1:
                error.add_note(f"in picture {index} of {len(pictures)}, counted from 0")
            raise
    return results if isinstance(picture, list | tuple) else results[0]


@dataclass(frozen=True, slots=True)
class _Where:
    """Where pictures are edited; see :func:`edit`."""

    align: bool
    box: Box | None
    which: Which
    views: int
    missing: Missing
    small: bool

    def family(self, plans: Sequence[StepPlan]) -> FamilySpec | None:
        """Return the family whose aligner looks for places.

        Raises:
            ConfigurationError: if the settings do not go together.
        """
        if self.box is not None:
            if not self.align:
                raise ConfigurationError("box says where to edit already: leave align out")
            return None
        found = family_to_align(plans) if self.align else None
        if found is None and (self.which != "all" or self.small):
            given = f"which={self.which!r}" if self.which != "all" else "small=True"
            raise ConfigurationError(f"{given} needs photos to be searched, and these steps search none: leave it out")
        return found


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain to be built; those that would edit alike are equal."""

    identity: tuple[object, ...]
    where: _Where
    device: torch.device
    with_mask: bool
    plans: tuple[StepPlan, ...] = field(compare=False)


def _identity(plans: Sequence[StepPlan]) -> tuple[object, ...]:
    """Return what tells steps from others: their text, and what is in the files that it names."""
    return tuple(
        (str(plan.step), plan.path, plan.path.stat().st_mtime_ns, *map(_digest, plan.guides)) for plan in plans
    )


def _digest(guide: object) -> object:
    if not isinstance(guide, ImageFile):
        return guide
    planes = [plane for plane in (guide.pixels, guide.alpha) if plane is not None]
    return guide.pixels.shape, *(hashlib.sha256(plane.tobytes()).digest() for plane in planes)


@lru_cache(_KEPT)
def _editor(chain: _Chain) -> Editor:
    where = chain.where
    op = assemble_on_photos(
        chain.plans,
        where.family(chain.plans),
        where.box,
        which=where.which,
        views=where.views,
        missing=where.missing,
        small=where.small,
        device=chain.device,
    )
    return Editor(op, chain.device, chain.with_mask, batch_size=None)


def _edited(editor: Editor, picture: Picture, with_mask: bool) -> Any:
    file = as_image_file(picture)
    (result,) = editor.edit_files([file])
    if isinstance(result, MBUOpsError):
        raise result
    image = None if result.image is None else in_kind_of(picture, edited(file, result.image))
    mask = None if result.mask is None else in_kind_of(picture, mask_file(result.mask))
    return (image, mask) if with_mask else mask if image is None else image


def _refuse_tensor(given: object, spec: ChainSpec) -> None:
    if isinstance(given, Tensor):
        raise DTypeError(
            "expected paths, PIL images, arrays (H, W, 3) of uint8 or lists of them, got a torch.Tensor: call the op "
            f"itself, mbu_ops.chain({str(spec)!r})(images), or for photos mbu_ops.Framed around it"
        )
