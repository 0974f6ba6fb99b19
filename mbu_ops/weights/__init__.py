"""Weights: find them by name, read, check and write them, pass them on, convert published ones. No torch at import."""

from mbu_ops.weights.card import save_pretrained
from mbu_ops.weights.file import Pretrained, load, read_info, save
from mbu_ops.weights.guides import default_guide, guide_count, pixels_of, read_guide, shipped_guides
from mbu_ops.weights.hub import pin, push_to_hub
from mbu_ops.weights.info import WeightsInfo
from mbu_ops.weights.store import flaw, load_pretrained, locate, resolve, verify

__all__ = [
    "Pretrained",
    "WeightsInfo",
    "default_guide",
    "flaw",
    "guide_count",
    "load",
    "load_pretrained",
    "locate",
    "pin",
    "pixels_of",
    "push_to_hub",
    "read_guide",
    "read_info",
    "resolve",
    "save",
    "save_pretrained",
    "shipped_guides",
    "verify",
]
