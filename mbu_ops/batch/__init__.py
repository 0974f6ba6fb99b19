"""Many files at a time: which result goes where, threads that read and write meanwhile, and what became of each.

Importing this package imports no torch; the first use of :func:`edit_files` does.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from mbu_ops import images
    >>> from mbu_ops.batch import edit_files
    >>> photos = Path(tempfile.mkdtemp())
    >>> images.write(photos / "a.png", torch.rand(3, 40, 60))
    >>> edit_files(torch.nn.Hardtanh(0, 0.5), photos, photos / "edited").written[0].job.target.name
    'a.png'
    >>> edit_files(torch.nn.Hardtanh(0, 0.5), photos, photos / "edited", existing="skip").skipped[0].source.name
    'a.png'
"""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
