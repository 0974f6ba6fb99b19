"""Edits as augmentations: drawn anew for every picture, in kornia's containers, torchvision's pipelines and data sets.

Importing this package imports no torch; the first use of a name does.

Example:
    >>> import torch
    >>> from mbu_ops.augment import RandomEdit
    >>> augment = RandomEdit("adjust:smile", p=0.5, strength=(-0.8, 0.8), aligner=None)
    >>> augment(torch.rand(4, 3, 128, 128)).shape
    torch.Size([4, 3, 128, 128])
"""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
