"""Methods by name, and their configurations from a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mbu_ops import families
from mbu_ops.errors import ConfigurationError
from mbu_ops.methods import get_method, method_names
from mbu_ops.methods.mbu import CONFIGS, MBU


def test_the_built_in_method_is_there() -> None:
    assert "mbu" in method_names()
    assert get_method("mbu") is MBU


def test_unknown_methods_get_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no method 'mbo'\. Did you mean 'mbu'\?"):
        get_method("mbo")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("class Method:\n    name = 'another'", None),
        ("class Method:\n    name = 'yet_another'", "is not a method named 'another'"),
        ("class Named:\n    name = 'another'\nMethod = Named()", "is not a method named 'another'"),
        ("raise SystemExit(1)", "SystemExit: 1"),
    ],
)
def test_a_plugin_brings_a_method(
    code: str, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "another-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
    module = f"another_{abs(hash(code))}"
    (info / "entry_points.txt").write_text(f"[mbu_ops.methods]\nanother = {module}:Method\n")
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("MBU_OPS_PLUGINS", raising=False)
    families.refresh()
    assert method_names() == ("another", "didd", "maae", "mbu", "parsing", "portrait", "press")
    if reason is None:
        assert get_method("another").name == "another"
    else:
        with pytest.raises(ConfigurationError, match=reason):
            get_method("another")


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations_survive_the_file(name: str) -> None:
    assert MBU.config_from_dict(MBU.config_to_dict(CONFIGS[name])) == CONFIGS[name]


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(CONFIGS["paper"])])
@pytest.mark.parametrize("value", [None, 0, -1, True, 1.5, "3", [0], ["1"], [[1]], {}])
def test_configurations_from_strangers_are_checked(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"for {field}, got"):
        MBU.config_from_dict({field: value})


def test_unknown_settings_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"expected the settings resolution, .*, got 'colour'"):
        MBU.config_from_dict({"colour": 1})
