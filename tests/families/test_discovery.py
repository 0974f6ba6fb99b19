"""Finding plugins among installed distributions, some of them broken."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mbu_ops.families import discovery
from mbu_ops.families.discovery import FAMILIES, METHODS, BrokenPlugin, Plugin, discover

from .conftest import FAMILY, Install

PETS = "[mbu_ops.families]\npets = some_pets:family\n"


def names() -> list[str]:
    return [plugin.name for plugin in discover(FAMILIES).plugins]


def reasons() -> dict[str, str]:
    return {entry.distribution: entry.reason for entry in discover(FAMILIES).broken}


def test_built_in_entries_are_the_ones_that_the_package_declares() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"] == discovery.BUILT_IN
    assert project["name"] == discovery.DISTRIBUTION


def test_a_plugin_is_found_and_not_imported(install: Install) -> None:
    install("pets-plugin", PETS, {"some_pets": "raise SystemExit"})
    assert Plugin("pets", "some_pets:family", "pets-plugin") in discover(FAMILIES).plugins
    assert names() == sorted(names())


def test_extras_and_nested_objects_are_read(install: Install) -> None:
    install("pets-plugin", "[mbu_ops.families]\npets = some.pets:spec.family [extra]\n")
    assert Plugin("pets", "some.pets:spec.family", "pets-plugin") in discover(FAMILIES).plugins


def test_groups_are_apart(install: Install) -> None:
    install("methods-plugin", "[mbu_ops.methods]\nother = some_method:Other\n[mbu_ops.families.x]\na = b:c\n")
    assert names() == ["faces", "handbags"]
    ours = ["didd", "maae", "mbu", "native", "native_dial", "native_guided", "parsing", "portrait", "press"]
    assert [plugin.name for plugin in discover(METHODS).plugins] == sorted([*ours, "other"])


BROKEN_FILES: dict[str, str | bytes] = {
    "no section": "pets = some_pets:family  # for mbu_ops.families\n",
    "half a section": "[mbu_ops.families\npets = some_pets:family\n",
    "a name twice": PETS + "pets = other:family\n",
    "a section twice": PETS + PETS,
    "not UTF-8": PETS.encode("utf-16"),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_one_malformed_file_costs_only_itself(case: str, install: Install) -> None:
    install("a-broken-one", BROKEN_FILES[case])
    install("pets-plugin", PETS)
    assert names() == ["faces", "handbags", "pets"]
    ((_, reason),) = reasons().items()
    assert "entry_points.txt cannot be read" in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    "target", ["", "some_pets", "some pets:family", ":family", "some_pets:", "os; import x:y", "%(a)s"]
)
def test_a_malformed_target_costs_only_itself(target: str, install: Install) -> None:
    install("pets-plugin", f"[mbu_ops.families]\nbad = {target}\npets = some_pets:family\n")
    assert names() == ["faces", "handbags", "pets"]
    assert [entry.name for entry in discover(FAMILIES).broken] == ["bad"]
    assert "expected 'module:object'" in reasons()["pets-plugin"]


@pytest.mark.parametrize("name", ["Pets", "my pets", "../pets", "p\x1b[31mets"])
def test_a_malformed_name_is_shown_without_its_tricks(name: str, install: Install) -> None:
    install("pets-plugin", f"[mbu_ops.families]\n{name} = some_pets:family\n")
    (broken,) = discover(FAMILIES).broken
    assert "lower-case letters" in broken.reason
    assert str(broken).isprintable()


def test_files_of_others_are_nobodys_business(install: Install) -> None:
    install("unrelated", "[console_scripts\nbroken = in ever:y way\n")
    assert discover(FAMILIES).broken == ()


def test_a_name_claimed_twice_serves_neither(install: Install) -> None:
    install("pets-one", PETS)
    install("pets-two", PETS)
    assert names() == ["faces", "handbags"]
    assert set(reasons()) == {"pets-one", "pets-two"}
    for reason in reasons().values():
        assert "'pets-one' and 'pets-two' claim the same name" in reason


def test_a_built_in_name_cannot_be_taken(install: Install) -> None:
    for name in ("impostor", "another"):
        install(name, "[mbu_ops.families]\nfaces = evil:family\n")
    assert Plugin("faces", "mbu_ops_faces:family", "mbu-ops") in discover(FAMILIES).plugins
    assert names() == ["faces", "handbags"]
    assert set(reasons()) == {"impostor", "another"}
    assert "the name is that of a part of mbu-ops" in reasons()["impostor"]


def test_the_first_copy_of_a_distribution_on_the_path_counts(install: Install, tmp_path: Path) -> None:
    info = install("pets-plugin", PETS)
    older = tmp_path / "older" / info.name
    older.mkdir(parents=True)
    for file in info.iterdir():
        (older / file.name).write_bytes(file.read_bytes().replace(b"some_pets", b"older_pets"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(older.parent)
        assert [plugin.target for plugin in discover(FAMILIES).plugins if plugin.name == "pets"] == [
            "older_pets:family"
        ]
        assert discover(FAMILIES).broken == ()


def test_the_switch_turns_third_parties_off_or_picks_them(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("pets-plugin", PETS)
    install("cars-plugin", "[mbu_ops.families]\ncars = some_cars:family\n")
    assert names() == ["cars", "faces", "handbags", "pets"]
    for value, expected in [
        ("", ["faces", "handbags"]),
        (" , ", ["faces", "handbags"]),
        ("Pets_Plugin", ["faces", "handbags", "pets"]),
        ("pets-plugin, cars.plugin", ["cars", "faces", "handbags", "pets"]),
        ("nothing-known", ["faces", "handbags"]),
    ]:
        monkeypatch.setenv("MBU_OPS_PLUGINS", value)
        assert names() == expected


def test_order_does_not_depend_on_the_path(install: Install) -> None:
    for name in ("zebras", "ants", "mice"):
        install(f"{name}-plugin", f"[mbu_ops.families]\n{name} = m:f\n")
    assert names() == ["ants", "faces", "handbags", "mice", "zebras"]


def test_loading(install: Install) -> None:
    install("pets-plugin", PETS, {"pets_to_load": FAMILY.format(name="pets")})
    loaded = discovery.load(Plugin("pets", "pets_to_load:family.name", "pets-plugin"))
    assert loaded == "pets"
    missing = discovery.load(Plugin("pets", "pets_to_load:nothing", "pets-plugin"))
    assert isinstance(missing, BrokenPlugin)
    assert "AttributeError" in missing.reason
