"""Weights: find them by name, read, check and write them, and convert published ones. Importing imports no torch."""

from mbu_ops.weights.file import Pretrained, load, read_info, save
from mbu_ops.weights.guides import guide_count, pixels_of, read_guide, shipped_guides
from mbu_ops.weights.info import WeightsInfo
from mbu_ops.weights.store import flaw, load_pretrained, locate, resolve, verify

__all__ = [
    "Pretrained",
    "WeightsInfo",
    "flaw",
    "guide_count",
    "load",
    "load_pretrained",
    "locate",
    "pixels_of",
    "read_guide",
    "read_info",
    "resolve",
    "save",
    "shipped_guides",
    "verify",
]
