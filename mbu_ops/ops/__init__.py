"""The verbs, one file each: plain ``nn.Module`` on images of any size. Names are imported when first used."""

from typing import TYPE_CHECKING

from mbu_ops._lazy import lazy_exports

if TYPE_CHECKING:
    from mbu_ops.ops.adjust import Adjust
    from mbu_ops.ops.base import EditOp, MaskOp, Op
    from mbu_ops.ops.bound import Bound, Chain
    from mbu_ops.ops.chain import ChainSpec
    from mbu_ops.ops.edit import Edit
    from mbu_ops.ops.interpolate import Interpolate
    from mbu_ops.ops.look import Look
    from mbu_ops.ops.one_input import OneInput
    from mbu_ops.ops.parse import Parse
    from mbu_ops.ops.redraw import Mix, Redraw
    from mbu_ops.ops.remove import Remove
    from mbu_ops.ops.reshape import Generate, Reshape
    from mbu_ops.ops.segment import Segment
    from mbu_ops.ops.step import StepSpec
    from mbu_ops.ops.swap import Swap
    from mbu_ops.ops.transfer import Transfer
    from mbu_ops.ops.translate import Translate
else:
    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "Adjust": "mbu_ops.ops.adjust",
            "Bound": "mbu_ops.ops.bound",
            "Chain": "mbu_ops.ops.bound",
            "ChainSpec": "mbu_ops.ops.chain",
            "Edit": "mbu_ops.ops.edit",
            "EditOp": "mbu_ops.ops.base",
            "Generate": "mbu_ops.ops.reshape",
            "Interpolate": "mbu_ops.ops.interpolate",
            "Look": "mbu_ops.ops.look",
            "MaskOp": "mbu_ops.ops.base",
            "Mix": "mbu_ops.ops.redraw",
            "OneInput": "mbu_ops.ops.one_input",
            "Op": "mbu_ops.ops.base",
            "Parse": "mbu_ops.ops.parse",
            "Redraw": "mbu_ops.ops.redraw",
            "Remove": "mbu_ops.ops.remove",
            "Reshape": "mbu_ops.ops.reshape",
            "Segment": "mbu_ops.ops.segment",
            "StepSpec": "mbu_ops.ops.step",
            "Swap": "mbu_ops.ops.swap",
            "Transfer": "mbu_ops.ops.transfer",
            "Translate": "mbu_ops.ops.translate",
        },
        globals(),
        hint="mbu_ops.ops.verbs:name_hint",
    )

__all__ = [
    "Adjust",
    "Bound",
    "Chain",
    "ChainSpec",
    "Edit",
    "EditOp",
    "Generate",
    "Interpolate",
    "Look",
    "MaskOp",
    "Mix",
    "OneInput",
    "Op",
    "Parse",
    "Redraw",
    "Remove",
    "Reshape",
    "Segment",
    "StepSpec",
    "Swap",
    "Transfer",
    "Translate",
]
