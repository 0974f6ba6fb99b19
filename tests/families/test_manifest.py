"""The list of weights that a plugin keeps beside its code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import WeightSpec, read_manifest

ENTRY = {
    "id": "a",
    "method": "mbu",
    "attributes": ["hat"],
    "file": "hats-hat-a.safetensors",
    "sha256": "0" * 64,
    "size": 1,
    "licence": "any",
}


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[WeightSpec, ...]]]:
    """Return a function that reads a list of such entries from a package."""
    package = tmp_path / "listing_hats"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def read(*entries: object) -> tuple[WeightSpec, ...]:
        (package / "weights.json").write_text(json.dumps(entries))
        return read_manifest("listing_hats")

    yield read
    sys.modules.pop("listing_hats", None)


def test_what_an_entry_leaves_out_is_unknown_or_the_first(listed: Callable[..., tuple[WeightSpec, ...]]) -> None:
    (spec,) = listed(ENTRY)
    assert (spec.package, spec.verbs, spec.metrics, spec.frame) == ("listing_hats", (), (), None)
    assert (spec.first_for, spec.follows_guides) == ((), True)


def test_an_entry_says_for_which_verbs_it_is_first(listed: Callable[..., tuple[WeightSpec, ...]]) -> None:
    (spec,) = listed(ENTRY | {"first_for": ["remove"], "follows_guides": False})
    assert (spec.first_for, spec.follows_guides) == (("remove",), False)
    with pytest.raises(ConfigurationError, match="first_for must be a tuple of str"):
        listed(ENTRY | {"first_for": [1]})


def test_an_entry_names_its_frame(listed: Callable[..., tuple[WeightSpec, ...]]) -> None:
    first, second = listed(ENTRY | {"frame": "brim"}, ENTRY | {"frame": None})
    assert (first.frame, second.frame) == ("brim", None)


@pytest.mark.parametrize("frame", ["Brim", "", "../brim", 3, ["brim"], False])
def test_a_malformed_frame_is_refused(listed: Callable[..., tuple[WeightSpec, ...]], frame: object) -> None:
    with pytest.raises(ConfigurationError, match="weights 'a': frame must be lower-case letters"):
        listed(ENTRY | {"frame": frame})
