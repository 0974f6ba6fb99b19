"""Ops as files for other programs: ONNX, and torch's own ``ExportedProgram``. Names are imported when first used."""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
