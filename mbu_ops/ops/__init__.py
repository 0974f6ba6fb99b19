"""The verbs, one file each: plain ``nn.Module`` on images of any size. Names are imported when first used."""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__, hint="mbu_ops.ops.verbs:name_hint")
