"""Where in a picture an op works: places, what finds them, and ops that see nothing else.

A family's aligner (see :class:`~mbu_ops.families.FamilySpec`) is named as ``"module:function"``. The function takes
nothing and returns an object with one method:

``find(photo)`` takes one photo ``(1, 3, H, W)``, RGB in [0, 1], of any size and any floating dtype (the command line
gives float32), and returns a sequence of :class:`Frame` or :class:`Box`, the largest first. Where there is nothing to
edit it returns an empty one and raises nothing. No place may lie wholly outside the photo. Gradients do not pass
through it.

It may be a ``torch.nn.Module``: then it is in eval mode, and on the device that :func:`aligner` was asked for, where
photos are too. It is never cast to another dtype.

Importing this package imports no torch; the first use of most names does.

Example:
    >>> import torch
    >>> from mbu_ops.frames import Frame, Framed
    >>> class Middle:
    ...     def find(self, photo):
    ...         height, width = photo.shape[-2:]
    ...         return [Frame(width / 2, height / 2, min(height, width) / 2)]
    >>> photo = torch.rand(1, 3, 40, 60)
    >>> result = Framed(torch.nn.Hardtanh(0, 0.5), Middle())(photo)
    >>> torch.equal(result[..., :10, :], photo[..., :10, :]), bool(result[..., 20, 30].max() <= 0.5)
    (True, True)
"""

from mbu_ops._deprecation import Renamed
from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__, __file__, renamed={"Placed": Renamed("mbu_ops.frames:FrameLike", "0.3.0")}
)
