"""With/without image sets: folders of pictures, CelebA's layout, what a family draws; and batches of them.

Importing this package imports no torch; the first use of most names does.
"""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
