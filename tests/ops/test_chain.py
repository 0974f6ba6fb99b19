from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ChainSyntaxError
from mbu_ops.ops.chain import ChainSpec, StepSpec

STEPS = st.sampled_from(
    [
        "remove:smile",
        "add:glasses,guide=3",
        "add:faces/glasses@my ref.jpg,threshold=0.25",
        "swap:./my hats@it's.jpg",
        "interpolate:smile@a.jpg,to=b.jpg,amount=0.1",
        "remove:/a b/weights.safetensors,softness=0.5",
    ]
)
CHAINS = st.lists(STEPS, min_size=1, max_size=5)


@given(CHAINS, st.booleans())
def test_round_trips(texts: list[str], masks: bool) -> None:
    spec = ChainSpec.parse([*texts, "segment:glasses"] if masks else texts)
    assert ChainSpec.parse(str(spec)) == spec
    assert ChainSpec.from_json(spec.to_json()) == spec
    assert json.loads(spec.to_json())["steps"][0]["verb"] == spec.steps[0].verb


def test_specs_are_values() -> None:
    first, second = ChainSpec.parse("remove:smile add:glasses"), ChainSpec.parse(["remove:smile", "add:glasses"])
    assert first == second
    assert hash(first) == hash(second)
    assert ChainSpec([StepSpec("remove", None, "smile")]).steps == (StepSpec("remove", None, "smile"),)


@pytest.mark.parametrize("text", ["", "  ", []])
def test_an_empty_chain_is_refused(text: list[Any] | str) -> None:
    with pytest.raises(ChainSyntaxError, match="at least one step"):
        ChainSpec.parse(text)


def test_nothing_follows_segment() -> None:
    with pytest.raises(ChainSyntaxError, match="makes a mask") as caught:
        ChainSpec.parse("remove:smile segment:glasses add:glasses@'a b.jpg'")
    _, shown, caret = str(caught.value).rsplit("\n", 2)
    assert shown[caret.index("^") :] == "'add:glasses@a b.jpg'"


def test_an_open_quote_is_a_syntax_error() -> None:
    with pytest.raises(ChainSyntaxError, match="No closing quotation"):
        ChainSpec.parse("add:glasses@'ref.jpg")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"version": 2, "steps": []}',
        '{"version": 1}',
        '{"version": 1, "steps": []}',
        '{"version": 1, "steps": [{"verb": "remove"}]}',
        '{"version": 1, "steps": [{"verb": "remove", "family": null, "attribute": 3, "guide": null, "options": {}}]}',
        '{"version": 1, "steps": [{"verb": "remove", "family": null, "attribute": "a", "guide": null, "options": []}]}',
        '{"version": 1, "steps": [{"verb": "remove", "family": null, "attribute": "a", "guide": null, '
        '"options": {"threshold": true}}]}',
        "[" * 100_000,
    ],
)
def test_foreign_json_is_a_syntax_error(text: str) -> None:
    with pytest.raises(ChainSyntaxError):
        ChainSpec.from_json(text)
