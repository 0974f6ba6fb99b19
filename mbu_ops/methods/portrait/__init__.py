"""Mask-guided portrait editing (Gu, Bao, Yang, Chen, Wen, Yuan; CVPR 2019): pictures put together from components.

The look of each component (eyes, mouth, skin, hair) comes from a source, as a code; their shapes come from a mask, and
the background from the picture that is edited.
"""

from mbu_ops.methods.portrait.config import CONFIGS, PortraitConfig
from mbu_ops.methods.portrait.method import ComponentView, Portrait

__all__ = ["CONFIGS", "ComponentView", "Portrait", "PortraitConfig"]
