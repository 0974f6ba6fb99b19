"""What methods say of themselves: checked once, and without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods import get_method
from mbu_ops.methods.info import MethodInfo

INFO = MethodInfo("hats", frozenset({"transfer", "remove", "swap", "interpolate"}), "hats.training:Objective")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", "", "a lower-case name"),
        ("name", "Hats", "a lower-case name"),
        ("name", None, "a lower-case name"),
        ("verbs", frozenset(), "a frozenset of verbs"),
        ("verbs", {"transfer"}, "a frozenset of verbs"),
        ("verbs", frozenset({"to transfer"}), "a frozenset of verbs"),
        ("verbs", frozenset({3}), "a frozenset of verbs"),
        ("objective", "hats", "'module:Class', or None"),
        ("objective", "hats:", "'module:Class', or None"),
        ("contents", 0, "a positive whole number, or None"),
        ("contents", True, "a positive whole number, or None"),
        ("contents", 2.0, "a positive whole number, or None"),
        ("learns_from", "pictures", "'domains' or 'parts'"),
        ("aids", {"identity"}, "a frozenset of names"),
        ("aids", frozenset({""}), "a frozenset of names"),
        *((field, 1, "True or False") for field in ("follows_guides", "mirrors", "refines", "draws", "swaps_at_once")),
    ],
)
def test_malformed_fields_are_named(field: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=f"expected {expected} for {field}, got "):
        replace(INFO, **{field: value})


def test_every_field_is_checked() -> None:
    for field in fields(MethodInfo):
        with pytest.raises(ConfigurationError, match=f"for {field.name}, got"):
            replace(INFO, **{field.name: object()})


def test_fields_must_not_contradict_each_other() -> None:
    with pytest.raises(ConfigurationError, match="swaps_at_once needs the verb swap"):
        replace(INFO, verbs=frozenset({"transfer"}), swaps_at_once=True)
    with pytest.raises(ConfigurationError, match="interpolate needs the verb transfer, or a swap of its own"):
        replace(INFO, verbs=frozenset({"swap", "interpolate"}))


def test_verbs_need_functions() -> None:
    at_once = replace(INFO, verbs=INFO.verbs - {"transfer"}, swaps_at_once=True)
    assert INFO.functions("swap") == ("encode_guide", "remove", "transfer")
    assert at_once.functions("swap") == ("encode_guide", "swap")
    assert INFO.functions("interpolate") == ("encode_guide", "transfer")
    assert at_once.functions("interpolate") == ("encode_guide", "swap")
    assert INFO.functions("segment") == ("segment",)
    assert INFO.functions("juggle") == ("juggle",), "a plugin's verb"


def test_our_methods_say_what_is_true_of_them() -> None:
    infos = {name: get_method(name).info for name in ("mbu", "press", "didd", "maae", "parsing", "portrait", "native")}
    assert {name for name, info in infos.items() if info.contents != 1} == {"didd", "parsing", "portrait"}
    assert {name for name, info in infos.items() if info.learns_from == "parts"} == {"parsing", "portrait"}
    assert {name for name, info in infos.items() if not info.mirrors} == {"parsing", "portrait"}
    assert {name for name, info in infos.items() if not info.follows_guides} == {"parsing", "maae", "native"}
    assert {name for name, info in infos.items() if info.swaps_at_once} == {"portrait"}


def test_no_torch_is_needed_to_describe_a_method() -> None:
    code = (
        "import sys, mbu_ops.methods, mbu_ops.methods.info, mbu_ops.methods.config, mbu_ops.methods.mbu_config;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
