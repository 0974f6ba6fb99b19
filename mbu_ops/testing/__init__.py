"""A kit to test ops and families with, for this library and for plugins: tiny networks, and every promise made.

The two test classes need pytest; nothing else in the library does.
"""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
