"""Weights: find them by name, read, check and write them, and convert published ones. Importing imports no torch."""

from mbu_ops.weights.file import Pretrained, load, read_info, save
from mbu_ops.weights.info import WeightsInfo
from mbu_ops.weights.store import load_pretrained, locate, resolve, verify

__all__ = ["Pretrained", "WeightsInfo", "load", "load_pretrained", "locate", "read_info", "resolve", "save", "verify"]
