"""The description in a weights file."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import WeightsError
from mbu_ops.families import WeightSpec, get_family
from mbu_ops.weights import WeightsInfo, locate, read_info

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
        frame=st.none() | st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True),
        presence=st.none() | st.fixed_dictionaries({"remove": st.floats(0, 1), "add": st.floats(0, 1)}),
    )
)
def test_json_round_trip(info: WeightsInfo) -> None:
    assert WeightsInfo.from_json(info.to_json()) == info


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 4),
        ("schema", 0),
        ("schema", "1"),
        ("schema", True),
        ("schema", 3.0),
        ("presence", {}),
        ("presence", {"remove": 0.5}),
        ("presence", {"remove": 0.5, "add": 1.5}),
        ("presence", {"remove": True, "add": 0.5}),
        ("presence", {"remove": 0.5, "add": 0.5, "swap": 0.5}),
        ("presence", [0.5, 0.5]),
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
        ("frame", ""),
        ("frame", "Lower face"),
        ("frame", "../eyes"),
        ("frame", 3),
        ("frame", ["eyes"]),
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


def first_version() -> dict[str, object]:
    """What the first version wrote: no frame, and no presence."""
    values = json.loads(GOOD.to_json()) | {"schema": 1}
    del values["frame"], values["presence"]
    return values


def test_the_second_version_knew_no_presence() -> None:
    values = first_version() | {"schema": 2, "frame": "eyes"}
    assert WeightsInfo.from_json(json.dumps(values)) == replace(GOOD, frame="eyes")


def test_the_first_version_knew_one_frame() -> None:
    info = WeightsInfo.from_json(json.dumps(first_version()))
    assert info == GOOD
    assert info.frame is None
    assert json.loads(info.to_json())["schema"] == 3


@pytest.mark.parametrize(
    "values",
    [
        first_version() | {"frame": None},
        first_version() | {"frame": "eyes"},
        first_version() | {"schema": 2},
        first_version() | {"schema": 3, "frame": None},
        first_version() | {"schema": 2, "frame": None, "presence": None},
        {name: value for name, value in first_version().items() if name != "guides"},
    ],
)
def test_each_version_has_exactly_its_own_fields(values: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="expected a description with attributes"):
        WeightsInfo.from_json(json.dumps(values))


def test_a_newer_version_is_called_so_whatever_it_holds() -> None:
    values = json.loads(GOOD.to_json()) | {"schema": 4, "something": "new"}
    with pytest.raises(WeightsError, match=r"schema to be 1 to 3 \(a newer mbu-ops may be needed\), got 4"):
        WeightsInfo.from_json(json.dumps(values))


@pytest.mark.parametrize("spec", get_family("faces").weights, ids=lambda spec: spec.file)
def test_shipped_files_are_of_the_frame_that_the_family_says(spec: WeightSpec) -> None:
    path = locate(get_family("faces"), spec)
    assert path is not None
    assert read_info(path).frame == spec.frame


@pytest.mark.parametrize("fact", [math.nan, object(), {1, 2}])
def test_facts_that_json_cannot_hold_are_refused(fact: object) -> None:
    with pytest.raises(WeightsError, match="JSON can hold"):
        WeightsInfo("mbu", {}, 16, training={"fact": fact}).to_json()
