"""The description in a weights file."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import WeightsError
from mbu_ops.weights import WeightsInfo

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
GOOD = WeightsInfo("mbu", {"resolution": 128}, 128)


@given(
    st.builds(
        WeightsInfo,
        method=st.text(min_size=1),
        config=st.dictionaries(st.text(), JSON),
        resolution=st.integers(1, 8192),
        family=st.none() | st.text(),
        attributes=st.lists(st.text()).map(tuple),
        licence=st.text(),
        training=st.dictionaries(st.text(), JSON),
        guides=st.integers(0, 100),
        dtype=st.sampled_from(["float16", "bfloat16", "float32", "float64"]),
    )
)
def test_json_round_trip(info: WeightsInfo) -> None:
    assert WeightsInfo.from_json(info.to_json()) == info


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 2),
        ("schema", "1"),
        ("method", ""),
        ("method", 3),
        ("config", []),
        ("resolution", 0),
        ("resolution", 10**9),
        ("resolution", True),
        ("resolution", 128.0),
        ("family", 3),
        ("attributes", "glasses"),
        ("attributes", [1]),
        ("licence", None),
        ("training", None),
        ("guides", -1),
        ("dtype", "int8"),
        ("dtype", ["float16"]),
    ],
)
def test_a_malformed_field_is_named(field: str, value: object) -> None:
    values = json.loads(GOOD.to_json()) | {field: value}
    with pytest.raises(WeightsError, match=f"expected {field} to be"):
        WeightsInfo.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", "[" * 100_000, GOOD.to_json()[:-1] + ', "extra": 1}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(WeightsError, match="expected a description"):
        WeightsInfo.from_json(text)


@pytest.mark.parametrize("fact", [math.nan, object(), {1, 2}])
def test_facts_that_json_cannot_hold_are_refused(fact: object) -> None:
    with pytest.raises(WeightsError, match="JSON can hold"):
        WeightsInfo("mbu", {}, 16, training={"fact": fact}).to_json()
