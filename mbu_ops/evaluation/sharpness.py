"""How sharp edits are, beside the picture that they were made from."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from mbu_ops.evaluation.distances import average_in
from mbu_ops.evaluation.edits import EditMasks, Edits
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import Figure, median
from mbu_ops.evaluation.window import Window

_FLAT = 1e-4
"""Mean Laplacian below which a picture has no detail to compare with: a fortieth of a level of 8 bits."""


def laplacian(images: Tensor) -> Tensor:
    """Return how much each pixel's brightness differs from its four neighbours', as ``(N, 1, H, W)``.

    The magnitude of the discrete Laplacian; see Pertuz, Puig, Garcia, *Analysis of focus measure operators for
    shape-from-focus*, Pattern Recognition 2013, where such measures are compared.

    Args:
        images: ``(N, C, H, W)`` in [0, 1].

    Example:
        >>> import torch
        >>> laplacian(torch.full((1, 3, 4, 4), 0.5)).max()
        tensor(0.)
    """
    grey = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    middle = grey[..., 1:-1, 1:-1]
    around = grey[..., :-2, 1:-1] + grey[..., 2:, 1:-1] + grey[..., 1:-1, :-2] + grey[..., 1:-1, 2:]
    return (around - 4 * middle).abs()


def relative_sharpness(after: Tensor, before: Tensor, region: Tensor) -> Tensor:
    """Return how sharp pictures are in a region, as a multiple of how sharp they were there.

    Args:
        after: ``(N, 3, H, W)`` RGB in [0, 1].
        before: the same.
        region: ``(N, 1, H, W)`` bool.

    Returns:
        ``(M,)``: 1 = as sharp; without the pictures whose region is empty, or was flat.

    Example:
        >>> import torch
        >>> picture = torch.rand(2, 3, 16, 16)
        >>> relative_sharpness(picture / 2, picture, torch.ones(2, 1, 16, 16, dtype=torch.bool))
        tensor([0.5000, 0.5000])
    """
    now, then = (average_in(laplacian(images), region) for images in (after, before))
    return (now / then)[then > _FLAT]


def sharpness_figures(examples: Examples, edits: Edits, edit_masks: EditMasks, window: Window) -> list[Figure]:
    """Measure the sharpness of additions and removals in their region, as multiples of the input's.

    What goes away takes its own edges along, so real pictures without the content are put beside real ones with it,
    where edits are: that is what removals should come to, and additions to its inverse.

    Args:
        examples: the pictures.
        edits: what became of them.
        edit_masks: where edits are.
        window: where they are in all pictures together.
    """
    figures = []
    for kind in edits.kinds(examples):
        ratios = relative_sharpness(kind.edit.image, kind.before, edit_masks.of_kind(kind.name))
        if len(ratios):
            figures.append(median(f"sharpness_{kind.name}", f"sharpness in the edit, input 1: {kind.title}", ratios))
    without, with_ = (
        average_in(laplacian(images), window.inside.expand(len(images), -1, -1, -1))
        for images in (examples.without, examples.with_)
    )
    if with_.median() > _FLAT:
        title = "sharpness where edits are: real, without against with"
        figures.append(median("sharpness_real", title, without / with_.median()))
    return figures
