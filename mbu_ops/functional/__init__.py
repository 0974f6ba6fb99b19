"""Pure functions of tensors: no weights, no state. An op is one of these plus a network."""

from mbu_ops.functional.blend import blend
from mbu_ops.functional.mask import binarise, resize
from mbu_ops.functional.warp import crop, paste

__all__ = ["binarise", "blend", "crop", "paste", "resize"]
