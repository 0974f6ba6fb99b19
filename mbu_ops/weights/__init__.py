"""Weights: find them by name, read, check and write them, and convert published ones. Importing imports no torch."""

from mbu_ops.weights.file import Pretrained, load, read_info, save
from mbu_ops.weights.info import WeightsInfo
from mbu_ops.weights.store import flaw, load_pretrained, locate, resolve, verify

__all__ = [
    "Pretrained",
    "WeightsInfo",
    "flaw",
    "load",
    "load_pretrained",
    "locate",
    "read_info",
    "resolve",
    "save",
    "verify",
]
