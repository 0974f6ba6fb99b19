"""Families of pictures and what can be edited on them: declared by plugins, found by entry point, free of torch."""

from mbu_ops._deprecation import Renamed, renamed_names
from mbu_ops.families.choice import weights_for
from mbu_ops.families.description import family_json, read_family
from mbu_ops.families.discovery import BrokenPlugin
from mbu_ops.families.frames import FrameSpec
from mbu_ops.families.guides import GuideSpec
from mbu_ops.families.layout import Layout
from mbu_ops.families.manifest import read_manifest
from mbu_ops.families.parts import Anatomy, ComponentSpec, PartSpec
from mbu_ops.families.registry import broken, families, get_attribute, get_family, parse_attribute, refresh
from mbu_ops.families.rules import Rule, rule_holds
from mbu_ops.families.spec import API_VERSION, AttributeSpec, FamilySpec, SampleSpec, WeightSpec

__all__ = [
    "API_VERSION",
    "Anatomy",
    "AttributeSpec",
    "BrokenPlugin",
    "ComponentSpec",
    "FamilySpec",
    "FrameSpec",
    "GuideSpec",
    "PartSpec",
    "Layout",
    "Rule",
    "SampleSpec",
    "WeightSpec",
    "broken",
    "families",
    "family_json",
    "get_attribute",
    "get_family",
    "parse_attribute",
    "read_family",
    "read_manifest",
    "refresh",
    "rule_holds",
    "weights_for",
]

__getattr__ = renamed_names(__name__, {"Placement": Renamed("mbu_ops.families:Layout", "0.3.0")})
