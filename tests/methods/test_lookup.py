"""Methods by name, and their configurations from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods import get_method, method_names
from mbu_ops.methods.base import Networks
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.mbu import CONFIGS, MBU


def test_the_built_in_method_is_there() -> None:
    assert "mbu" in method_names()
    assert get_method("mbu") is MBU


def test_unknown_methods_get_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no method 'mbo'\. Did you mean 'mbu'\?"):
        get_method("mbo")


SOUND = """
from dataclasses import dataclass, replace
from torch import nn
from mbu_ops.methods.base import ContentView, Networks
from mbu_ops.methods.config import NetworkConfig
from mbu_ops.methods.info import MethodInfo

INFO = MethodInfo("another", frozenset({"remove"}), "another:Objective", refines=False)

class Method(Networks):
    info = INFO
    configs = {"paper": NetworkConfig()}
    code_shape = (1, 1, 1)
    def remove(self, image): ...
"""
OLD = """
class Method:
    name = 'another'
    verbs = frozenset({'transfer', 'remove'})
    objective = 'another:Objective'
    contents = 2
    follows_guides = True
    refines = False
"""
VIEW = """
class View(ContentView):
    info = replace(INFO, contents=1)
    def remove(self, image): ...
"""


@pytest.fixture
def another(install: Callable[..., Path]) -> Callable[[str], type]:
    """Return a function that installs a method of some code, and looks it up."""

    def lookup(code: str) -> type:
        module = f"another_{abs(hash(code))}"
        install("another", f"[mbu_ops.methods]\nanother = {module}:Method\n", {module: code})
        return get_method("another")

    return lookup


def test_a_plugin_brings_a_method(another: Callable[[str], type]) -> None:
    method = another(SOUND)
    assert method_names() == (
        "another",
        "didd",
        "maae",
        "mbu",
        "native",
        "native_dial",
        "native_guided",
        "parsing",
        "portrait",
        "press",
    )
    assert get_method("another") is method
    assert issubclass(method, Networks)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (SOUND, "raise SystemExit(1)", "SystemExit: 1"),
        (SOUND, "Method = 3", "expected a class of networks, got int"),
        (SOUND, "class Method:\n    info = 3", "expected a subclass of .*Networks, got Method"),
        ("info = INFO", "info = 'another'", "expected Method.info to be a MethodInfo, got 'another'"),
        (
            '"another", frozen',
            '"others", frozen',
            "expected info.name to be 'another', .* got 'others'",
        ),
        ('frozenset({"remove"})', '{"remove"}', "expected a frozenset of verbs for verbs, got {'remove'}"),
        ("def remove(self, image): ...", "", "its verb remove needs a function Method.remove"),
        ('{"remove"}', '{"remove", "transfer"}', "its verb transfer needs a function Method.encode_guide"),
        ('{"remove"}', '{"juggle"}', "its verb juggle needs a function Method.juggle"),
        (", refines=False", "", "Method needs stems and painters to refine, or info.refines False"),
        ('{"paper": NetworkConfig()}', "{}", "expected Method.configs to be a mapping of named configurations"),
        (
            '{"paper": NetworkConfig()}',
            '{"paper": 3}',
            "expected int to be a frozen dataclass derived from .*Config",
        ),
        ("code_shape = (1, 1, 1)", "", "Method lacks code_shape"),
        (
            "refines=False",
            "refines=False, contents=2",
            "of 2 contents need a class that edits one: .* got None",
        ),
        ("refines=False", "refines=False, contents=None", "of several contents need a class that edits one"),
    ],
)
def test_what_a_method_lacks_is_named(another: Callable[[str], type], old: str, new: str, reason: str) -> None:
    assert SOUND.count(old) == 1
    with pytest.raises(ConfigurationError, match=rf"^method 'another': .*distribution 'another' .*{reason}"):
        another(SOUND.replace(old, new))


@pytest.mark.parametrize(
    ("contents", "view", "reason"),
    [
        ("2", "", None),
        ("2", "class View:\n    info = INFO", "Method.view to be a subclass of .*ContentView"),
        ("2", "class View(ContentView):\n    info = INFO", "with contents=1 and some of its verbs"),
        ("2", "class View(ContentView):\n    info = replace(INFO, contents=1)", "remove needs a function View.remove"),
        ("None", "", "as many contents as its configuration says: give it a property contents"),
    ],
)
def test_networks_of_several_contents_need_a_view(
    another: Callable[[str], type], contents: str, view: str, reason: str | None
) -> None:
    code = SOUND.replace("refines=False", f"refines=False, contents={contents}")
    code = code.replace("    info = INFO\n", "    info = INFO\n    view = View\n")
    code = code.replace("class Method", f"{view or VIEW}\n\nclass Method")
    if reason is None:
        assert another(code).__name__ == "Method"
    else:
        with pytest.raises(ConfigurationError, match=reason):
            another(code)


def test_a_method_from_before_there_was_info_is_told_what_to_write(another: Callable[[str], type]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        another(OLD)
    line = (
        "info = MethodInfo(name='another', verbs=frozenset({'remove', 'transfer'}), objective='another:Objective', "
        "contents=2, refines=False)"
    )
    assert line in str(caught.value)
    assert "painted(raw, mask)" in str(caught.value)
    assert eval(line.removeprefix("info = "), {"MethodInfo": MethodInfo}).contents == 2


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
