"""Differentiable image-editing ops: add, remove, swap, segment and mix a local thing, learnt from two image folders.

Importing this package imports no torch; the first use of a name does.

Example:
    >>> import mbu_ops
    >>> str(mbu_ops.ChainSpec.parse("remove:smile add:glasses,guide=3"))
    'remove:smile add:glasses,guide=3'
"""

from typing import TYPE_CHECKING

from mbu_ops._lazy import lazy_exports
from mbu_ops._version import __version__

if TYPE_CHECKING:
    from mbu_ops.frames.aligners import aligner
    from mbu_ops.frames.box import Box
    from mbu_ops.frames.frame import Frame
    from mbu_ops.frames.framed import Framed
    from mbu_ops.methods.mbu import MBU
    from mbu_ops.ops.adjust import Adjust
    from mbu_ops.ops.bound import Bound, Chain
    from mbu_ops.ops.chain import ChainSpec, chain
    from mbu_ops.ops.edit import Edit
    from mbu_ops.ops.interpolate import Interpolate
    from mbu_ops.ops.look import Look
    from mbu_ops.ops.parse import Parse
    from mbu_ops.ops.redraw import Mix, Redraw
    from mbu_ops.ops.remove import Remove
    from mbu_ops.ops.reshape import Generate, Reshape
    from mbu_ops.ops.segment import Segment
    from mbu_ops.ops.swap import Swap
    from mbu_ops.ops.transfer import Transfer
    from mbu_ops.ops.translate import Translate
    from mbu_ops.weights import load_pretrained
else:
    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "Adjust": "mbu_ops.ops.adjust",
            "Bound": "mbu_ops.ops.bound",
            "Box": "mbu_ops.frames.box",
            "Chain": "mbu_ops.ops.bound",
            "ChainSpec": "mbu_ops.ops.chain",
            "Edit": "mbu_ops.ops.edit",
            "Frame": "mbu_ops.frames.frame",
            "Framed": "mbu_ops.frames.framed",
            "Generate": "mbu_ops.ops.reshape",
            "Interpolate": "mbu_ops.ops.interpolate",
            "Look": "mbu_ops.ops.look",
            "MBU": "mbu_ops.methods.mbu",
            "Mix": "mbu_ops.ops.redraw",
            "Parse": "mbu_ops.ops.parse",
            "Redraw": "mbu_ops.ops.redraw",
            "Remove": "mbu_ops.ops.remove",
            "Reshape": "mbu_ops.ops.reshape",
            "Segment": "mbu_ops.ops.segment",
            "Swap": "mbu_ops.ops.swap",
            "Transfer": "mbu_ops.ops.transfer",
            "Translate": "mbu_ops.ops.translate",
            "aligner": "mbu_ops.frames.aligners",
            "chain": "mbu_ops.ops.chain",
            "load_pretrained": "mbu_ops.weights",
        },
        globals(),
        hint="mbu_ops.ops.verbs:name_hint",
    )

__all__ = [
    "MBU",
    "Adjust",
    "Bound",
    "Box",
    "Chain",
    "ChainSpec",
    "Edit",
    "Frame",
    "Framed",
    "Generate",
    "Interpolate",
    "Look",
    "Mix",
    "Parse",
    "Redraw",
    "Remove",
    "Reshape",
    "Segment",
    "Swap",
    "Transfer",
    "Translate",
    "__version__",
    "aligner",
    "chain",
    "load_pretrained",
]
