"""Trained weights: safetensors files that say what they are, checked before a number of them is used.

Importing this room, and reading what a file says of itself, imports no torch.
"""

from typing import TYPE_CHECKING

from mbu_ops._lazy import lazy_exports
from mbu_ops.weights.header import SCHEMA, WeightsInfo, read_info
from mbu_ops.weights.store import resolve

if TYPE_CHECKING:
    from mbu_ops.weights.file import Pretrained, load, load_pretrained, save, verify
else:
    __getattr__, __dir__ = lazy_exports(
        __name__,
        dict.fromkeys(("Pretrained", "load", "load_pretrained", "save", "verify"), "mbu_ops.weights.file"),
        globals(),
    )

__all__ = ["SCHEMA", "Pretrained", "WeightsInfo", "load", "load_pretrained", "read_info", "resolve", "save", "verify"]
