"""How good edits are: a judge who was trained on the same images, true masks and true images where they are known."""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
