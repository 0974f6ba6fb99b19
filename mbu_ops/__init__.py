"""Differentiable image-editing ops: add, remove, swap, segment and mix a local thing, learnt from two image folders.

Importing this package imports no torch; the first use of a name does.

Example:
    >>> import mbu_ops
    >>> str(mbu_ops.ops.ChainSpec.parse("remove:smile add:glasses,guide=3"))
    'remove:smile add:glasses,guide=3'
"""

from mbu_ops._deprecation import Renamed
from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    __file__,
    hint="mbu_ops.ops.verbs:name_hint",
    renamed={
        "Bound": Renamed("mbu_ops.ops:Bound", "0.3.0"),
        "Box": Renamed("mbu_ops.frames:Box", "0.3.0"),
        "Chain": Renamed("mbu_ops.ops:Chain", "0.3.0"),
        "ChainSpec": Renamed("mbu_ops.ops:ChainSpec", "0.3.0"),
        "Edit": Renamed("mbu_ops.ops:Edit", "0.3.0"),
        "Frame": Renamed("mbu_ops.frames:Frame", "0.3.0"),
        "Look": Renamed("mbu_ops.ops:Look", "0.3.0"),
        "MBU": Renamed("mbu_ops.methods.mbu:MBU", "0.3.0"),
        "load_pretrained": Renamed("mbu_ops.weights:load_pretrained", "0.3.0"),
    },
)
