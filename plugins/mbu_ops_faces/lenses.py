"""What of glasses hides the face behind them: of clear ones the frame, of dark ones the lenses too."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mbu_ops.functional.mask import dilate
from mbu_ops_faces.pen_places import Place

_THICK = 0.125
"""How far frames reach into the mask of glasses, in distances between the pupils: thick ones, too."""

_CLEAR = 0.65
"""Lenses that show the face as light as this, where the cheeks below are 1, are clear."""

_LENS, _SKIN = 0.7, 0.6
"""Which quantile of a lens's brightness, and of the cheeks', tells: behind clear lenses eyes and brows are dark."""

_FEWEST = 20
"""Fewest pixels that tell."""


@torch.no_grad()
def hides(attribute: str, images: Tensor, masks: Tensor, frame: str) -> Tensor | None:
    """Leave of masks what hides the face; None for anything but glasses.

    Whoever cuts clear glasses out together with the eyes behind them teaches that eyes behind glasses are somebody
    else's. Mirrored lenses as bright as cheeks are taken for clear ones.

    Args:
        attribute: what masks show; ``"glasses"``.
        images: ``(N, 3, H, W)`` RGB in [0, 1], with it.
        masks: ``(N, 1, H, W)`` in [0, 1], where it is: lenses and all.
        frame: which of the family's frames they show.

    Returns:
        ``(N, 1, H, W)`` in [0, 1], nowhere more than the masks.

    Raises:
        ConfigurationError: if the frame does not show the eyes.

    Example:
        >>> masks = torch.zeros(1, 1, 96, 224)
        >>> masks[..., 30:66, 40:100] = 1
        >>> face = torch.full((1, 3, 96, 224), 0.7)
        >>> hides("glasses", face, masks, "eyes")[0, 0, 48, [42, 70]].tolist()
        [1.0, 0.0]
        >>> torch.equal(hides("glasses", face * (1 - 0.8 * masks), masks, "eyes"), masks)
        True
    """
    if attribute != "glasses":
        return None
    radius = max(1, round(_THICK * Place.of(images, frame).across))
    shown = (masks > 0.4).to(masks)
    inside = 1 - dilate(1 - F.pad(shown, (radius,) * 4), radius)[..., radius:-radius, radius:-radius]
    around = dilate(shown, radius) - dilate(shown, max(1, radius // 4))
    clear = [_are_clear(*parts) for parts in zip(images.mean(1), inside[:, 0] > 0, around[:, 0] > 0, strict=True)]
    return masks * (1 - inside * torch.tensor(clear).to(masks).view(-1, 1, 1, 1))


def _are_clear(grey: Tensor, inside: Tensor, around: Tensor) -> bool:
    rows = torch.arange(len(grey), device=grey.device).view(-1, 1).expand_as(grey)
    if int(inside.sum()) < _FEWEST:
        return False
    lenses, cheeks = grey[inside], grey[around & (rows > rows[inside].float().mean())]
    return len(cheeks) >= _FEWEST and bool(lenses.quantile(_LENS) > _CLEAR * cheeks.quantile(_SKIN))
